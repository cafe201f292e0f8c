//! Content that is still arriving: a publish whose header or body is not complete.

use crate::message::{Held, record};

/// A publish between its method and the end of its body.
#[derive(Debug)]
pub struct Content {
    /// Exchange and routing key as two short strings.
    pub route: Vec<u8>,
    /// The publish's mandatory flag.
    pub mandatory: bool,
    /// Octets of body announced, once the header is there.
    pub body_size: Option<u64>,
    /// Octets of body still to come.
    pub missing: u64,
    /// Octets of properties in the record.
    properties_len: usize,
    /// The record so far.
    record: Vec<u8>,
    held: Held,
}

/// Body octets reserved at once on a header's word alone; beyond it memory grows as octets arrive,
/// so that an announced gigabyte costs nothing until it is sent.
const RESERVED_ON_TRUST: u64 = 64 * 1024;

impl Content {
    /// After the method.
    pub fn new(route: &[u8], mandatory: bool) -> Self {
        Self {
            route: route.to_vec(),
            mandatory,
            body_size: None,
            missing: 0,
            properties_len: 0,
            record: Vec::new(),
            held: Held::default(),
        }
    }

    /// After the header; the body's size has been checked against the maximum.
    pub fn header(&mut self, properties: &[u8], body_size: u64) {
        let reserve = body_size.min(RESERVED_ON_TRUST) as usize;
        self.record
            .reserve(record::PREFIX + self.route.len() + properties.len() + reserve);
        // The configured maximum is far below 4 GiB.
        record::start(
            &mut self.record,
            &self.route,
            properties,
            &[],
            body_size as usize,
        );
        self.properties_len = properties.len();
        self.body_size = Some(body_size);
        self.missing = body_size;
    }

    /// A part of the body; false when it is more than was announced.
    pub fn body(&mut self, part: &[u8]) -> bool {
        match self.missing.checked_sub(part.len() as u64) {
            Some(rest) => {
                self.missing = rest;
                self.record.extend_from_slice(part);
                self.held.add(part.len());
                true
            }
            None => false,
        }
    }

    /// Takes out what has been gathered of the record, which is to be sealed by the caller, if it is
    /// `at_least` so many octets.
    pub fn take_gathered(&mut self, at_least: usize) -> Option<Vec<u8>> {
        if self.record.len() < at_least {
            return None;
        }
        self.held = Held::default();
        Some(std::mem::take(&mut self.record))
    }

    /// True when all of the body is there.
    pub fn is_complete(&self) -> bool {
        self.body_size.is_some() && self.missing == 0
    }

    /// The finished record.
    pub fn into_record(self) -> Vec<u8> {
        self.record
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amqp::hot::join_route;
    use crate::message::Record;

    #[test]
    fn parts_become_one_record() {
        let mut content = Content::new(&join_route(b"", b"q"), true);
        content.header(&[0, 0], 6);
        assert!(content.body(b"abc") && !content.is_complete());
        assert!(!content.body(b"defg"));
        assert!(content.body(b"def") && content.is_complete());
        let record = content.into_record();
        assert_eq!(Record::read(&record).unwrap().body, b"abcdef");
    }

    #[test]
    fn a_large_announcement_reserves_little() {
        let mut content = Content::new(&[0, 0], false);
        content.header(&[0, 0], 128 << 20);
        assert!(content.record.capacity() < 1 << 20);
    }
}
