//! How rows and commands are written down, octet by octet.
//!
//! Numbers that are mostly small are LEB128 (7 bits an octet, lowest first), octet strings are a
//! LEB128 length and the octets, text is an octet string of UTF-8, field tables are the wire's own
//! (four octets of length in front). A structure is its fields one after the other, without tags:
//! **fields are only ever added at the end**, a reader that finds fewer of them takes defaults for
//! the rest, one that finds more leaves them. That holds between versions of this broker in both
//! directions; every structure is therefore stored within a length.
//!
//! Reading never panics, never allocates more than its input justifies, and trusts nothing. That
//! octets are the ones that were written is for the checksums of log, snapshot and tables.

use crate::amqp::Table;
use crate::amqp::table::{TableError, read_table_body, write_table};
use crate::ids::Name;

/// Why octets are not a row or a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// A field goes on past the end.
    #[error("it is cut short")]
    Truncated,
    /// There is more than one command.
    #[error("octets follow its end")]
    Trailing,
    /// Written by a version of the broker that changed the format.
    #[error("its format is version {0}, this broker reads version {1}")]
    Version(u8, u8),
    /// Written by a newer broker.
    #[error("this broker does not know a command {0}; a newer one wrote it")]
    UnknownCommand(u8),
    /// A table of the store that this broker does not have.
    #[error("this broker does not know a table {0}; a newer one wrote it")]
    UnknownKind(u8),
    /// A number longer than 64 bits.
    #[error("a number has more than 64 bits")]
    Number,
    /// Text that is none.
    #[error("a text is not UTF-8")]
    NotUtf8,
    /// A field table.
    #[error("a field table in it: {0}")]
    Table(#[from] TableError),
    /// A password hash.
    #[error("a password hash in it: {0}")]
    Password(String),
    /// A batch within a batch.
    #[error("a batch lies within a batch")]
    NestedBatch,
    /// A value of an enumeration that does not exist.
    #[error("{0} is not a value of '{1}'")]
    Choice(u8, &'static str),
}

/// Appends a number.
pub fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(low_septet(number) | 0x80);
        number >>= 7;
    }
    out.push(low_septet(number));
}

fn low_septet(number: u64) -> u8 {
    let [low, ..] = number.to_le_bytes();
    low & 0x7f
}

/// Appends a signed number, eight octets.
pub fn put_signed(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(&number.to_le_bytes());
}

/// Appends an octet string.
pub fn put_octets(out: &mut Vec<u8>, octets: &[u8]) {
    put_number(out, octets.len() as u64);
    out.extend_from_slice(octets);
}

/// Appends a list of texts.
pub fn put_texts(out: &mut Vec<u8>, texts: &[String]) {
    put_number(out, texts.len() as u64);
    for text in texts {
        put_octets(out, text.as_bytes());
    }
}

/// Appends a field table.
pub fn put_table(out: &mut Vec<u8>, table: &Table) {
    write_table(out, table);
}

/// The fields of one structure that are still to be read.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// All fields of `octets`.
    pub fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }

    /// True when no field is left: what follows takes its default.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next octet.
    pub fn octet(&mut self) -> Result<u8, CodecError> {
        let (octet, rest) = self.rest.split_first().ok_or(CodecError::Truncated)?;
        self.rest = rest;
        Ok(*octet)
    }

    /// The next number.
    pub fn number(&mut self) -> Result<u64, CodecError> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let octet = self.octet()?;
            let septet = u64::from(octet & 0x7f);
            if shift == 63 && septet > 1 {
                return Err(CodecError::Number);
            }
            number |= septet << shift;
            if octet & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(CodecError::Number)
    }

    /// The next signed number.
    pub fn signed(&mut self) -> Result<i64, CodecError> {
        let split = self.rest.split_first_chunk::<8>();
        let (octets, rest) = split.ok_or(CodecError::Truncated)?;
        self.rest = rest;
        Ok(i64::from_le_bytes(*octets))
    }

    /// The next octet string.
    pub fn octets(&mut self) -> Result<&'a [u8], CodecError> {
        let len = usize::try_from(self.number()?).map_err(|_| CodecError::Truncated)?;
        self.take(len)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], CodecError> {
        let split = self.rest.split_at_checked(len);
        let (octets, rest) = split.ok_or(CodecError::Truncated)?;
        self.rest = rest;
        Ok(octets)
    }

    /// The next octet string, as a name.
    pub fn name(&mut self) -> Result<Name, CodecError> {
        self.octets().map(Name::new)
    }

    /// The next text.
    pub fn text(&mut self) -> Result<String, CodecError> {
        let text = std::str::from_utf8(self.octets()?);
        text.map(str::to_owned).map_err(|_| CodecError::NotUtf8)
    }

    /// The next list of texts.
    pub fn texts(&mut self) -> Result<Vec<String>, CodecError> {
        let count = self.number()?;
        let mut texts = Vec::new();
        for _ in 0..count {
            texts.push(self.text()?);
        }
        Ok(texts)
    }

    /// The next field table.
    pub fn table(&mut self) -> Result<Table, CodecError> {
        let split = self.rest.split_first_chunk::<4>();
        let (len, rest) = split.ok_or(CodecError::Truncated)?;
        self.rest = rest;
        let len = u32::from_be_bytes(*len);
        let body = self.take(usize::try_from(len).map_err(|_| CodecError::Truncated)?)?;
        Ok(read_table_body(body)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_read_back(number in any::<u64>(), signed in any::<i64>(), shift in 0u32..64) {
            let number = number >> shift;
            let mut out = Vec::new();
            put_number(&mut out, number);
            put_signed(&mut out, signed);
            let mut fields = Fields::new(&out);
            prop_assert_eq!(fields.number(), Ok(number));
            prop_assert_eq!(fields.signed(), Ok(signed));
            prop_assert!(fields.is_empty());
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(Fields::new(&[0xff; 10]).number(), Err(CodecError::Number));
        assert_eq!(Fields::new(&[0x80; 20]).number(), Err(CodecError::Number));
        assert_eq!(Fields::new(&[0x80]).number(), Err(CodecError::Truncated));
        assert_eq!(Fields::new(&[5, b'a']).octets(), Err(CodecError::Truncated));
        assert_eq!(Fields::new(&[1, 0xff]).text(), Err(CodecError::NotUtf8));
        let mut huge = Vec::new();
        put_number(&mut huge, u64::MAX);
        assert_eq!(Fields::new(&huge).texts(), Err(CodecError::Truncated));
    }
}
