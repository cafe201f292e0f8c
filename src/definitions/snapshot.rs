//! The file `definitions.snapshot`: all definitions at one index, the base on which the log's
//! records are applied at a start.
//!
//! # Format, version 1 (numbers little endian)
//!
//! ```text
//! header    magic "LVRTDEFS", version: 4 octets, history: 16, applied index: 8, number of
//!           rows: 8, digest: 16, CRC-32C of the header before it: 4
//! row       length of the body: 4, CRC-32C: 4, body
//! body      kind: 1, key: octet string (see `codec`), value: the rest
//! ```
//!
//! A row's CRC is seeded with its offset in the file and covers length and body; the file ends
//! with its last row, and the digest of the rows must be the header's. So every changed, missing,
//! moved or added octet is found.
//!
//! Header, its length and the place of its CRC stay in every version; a new kind of row is a new
//! version.
//!
//! A new snapshot is written under another name, synced, renamed, and the folder synced: a crash
//! leaves the old one or the new one. What stands under the other name is never read.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::Path;

use super::codec::{CodecError, Fields, put_octets};
use super::rows::Kind;
use super::state::State;

/// The name of the file in the data folder.
pub const FILE: &str = "definitions.snapshot";
/// The name under which the next one is written.
const NEXT: &str = "definitions.snapshot.next";

const MAGIC: &[u8; 8] = b"LVRTDEFS";
const VERSION: u32 = 1;
pub(super) const HEADER_LEN: usize = 64;

/// A snapshot as it was read.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Which life of the data folder it belongs to.
    pub history: u128,
    /// The definitions.
    pub state: State,
}

/// Why a snapshot is not to be used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file system refused.
    #[error("cannot {verb} it: {source}")]
    Io {
        /// What was tried.
        verb: &'static str,
        /// The refusal.
        source: io::Error,
    },
    /// Written by a broker with another format: nothing is wrong with it.
    #[error(
        "its format is version {0}, this broker reads version {VERSION}: start the broker that \
         wrote it"
    )]
    Version(u32),
    /// The octets are not those that were written.
    #[error("damaged at offset {offset}: {reason}")]
    Damaged {
        /// Where in the file.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
}

fn failed(verb: &'static str) -> impl FnOnce(io::Error) -> SnapshotError {
    move |source| SnapshotError::Io { verb, source }
}

/// Writes the snapshot of `state` in place of the one in `folder`. When this returns, the new one
/// is durable.
pub fn save(folder: &Path, history: u128, state: &State) -> Result<(), SnapshotError> {
    let next = folder.join(NEXT);
    let file = File::create(&next).map_err(failed("create the next version of"))?;
    let mut out = BufWriter::with_capacity(1 << 16, file);
    write(&mut out, history, state).map_err(failed("write"))?;
    let file = out
        .into_inner()
        .map_err(|error| failed("write")(error.into_error()))?;
    file.sync_all().map_err(failed("sync"))?;
    fs::rename(&next, folder.join(FILE)).map_err(failed("rename the next version of"))?;
    sync_folder(folder).map_err(failed("sync the folder of"))
}

/// Makes names in `folder` durable.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Reads the snapshot of `folder`; `None` where there is none.
pub fn load(folder: &Path) -> Result<Option<Snapshot>, SnapshotError> {
    let file = match File::open(folder.join(FILE)) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("open")(error)),
    };
    read(BufReader::with_capacity(1 << 16, file)).map(Some)
}

/// Writes a snapshot to `out`.
pub fn write(out: &mut impl Write, history: u128, state: &State) -> io::Result<()> {
    let mut header = Vec::with_capacity(HEADER_LEN);
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&history.to_le_bytes());
    header.extend_from_slice(&state.applied().to_le_bytes());
    header.extend_from_slice(&(state.len() as u64).to_le_bytes());
    header.extend_from_slice(&state.digest().to_le_bytes());
    header.extend_from_slice(&crc32c::crc32c(&header).to_le_bytes());
    out.write_all(&header)?;
    let mut offset = header.len() as u64;
    let mut body = Vec::new();
    for (kind, key, value) in state.iter() {
        body.clear();
        body.push(kind.number());
        put_octets(&mut body, key);
        body.extend_from_slice(value);
        let len = u32::try_from(body.len())
            .map_err(|_| io::Error::new(ErrorKind::InvalidInput, "a row of more than 4 GiB"))?;
        out.write_all(&len.to_le_bytes())?;
        out.write_all(&row_crc(offset, len, &body).to_le_bytes())?;
        out.write_all(&body)?;
        offset += 8 + u64::from(len);
    }
    Ok(())
}

pub(super) fn row_crc(offset: u64, len: u32, body: &[u8]) -> u32 {
    let crc = crc32c::crc32c(&offset.to_le_bytes());
    let crc = crc32c::crc32c_append(crc, &len.to_le_bytes());
    crc32c::crc32c_append(crc, body)
}

/// Reads a snapshot, to the end of `input`.
pub fn read(input: impl Read) -> Result<Snapshot, SnapshotError> {
    let mut reader = Reader {
        input,
        offset: 0,
        start: 0,
    };
    let (history, applied, rows, digest) = reader.header()?;
    let mut state = State::default();
    let mut body = Vec::new();
    for _ in 0..rows {
        reader.row(&mut state, &mut body)?;
    }
    reader.start = reader.offset;
    if reader.input.read(&mut [0]).map_err(failed("read"))? != 0 {
        return Err(reader.damaged("octets follow the last row"));
    }
    if state.digest() != digest || state.len() as u64 != rows {
        return Err(reader.damaged("the rows are not those that the header counted"));
    }
    let state = state.restored(applied);
    Ok(Snapshot { history, state })
}

/// Takes a row's body into a state that is being restored.
pub(super) fn take_row(state: &mut State, body: &[u8]) -> Result<(), CodecError> {
    let mut fields = Fields::new(body);
    let kind = Kind::from_number(fields.octet()?)?;
    let key = fields.octets()?;
    state.restore_row(kind, key, fields.rest())
}

/// History, index and number of rows, if the header at the start of these octets is whole.
pub(super) fn header_of(octets: &[u8]) -> Option<(u128, u64, u64)> {
    let mut reader = Reader {
        input: octets,
        offset: 0,
        start: 0,
    };
    let (history, applied, rows, _) = reader.header().ok()?;
    Some((history, applied, rows))
}

struct Reader<R> {
    input: R,
    offset: u64,
    /// Where the header or row begins that is being read.
    start: u64,
}

impl<R: Read> Reader<R> {
    fn damaged(&self, reason: impl Into<String>) -> SnapshotError {
        SnapshotError::Damaged {
            offset: self.start,
            reason: reason.into(),
        }
    }

    /// The next `len` octets; never allocates for more than the file has.
    fn take(&mut self, out: &mut Vec<u8>, len: u64) -> Result<(), SnapshotError> {
        let before = out.len();
        let mut part = (&mut self.input).take(len);
        part.read_to_end(out).map_err(failed("read"))?;
        let got = (out.len() - before) as u64;
        self.offset += got;
        if got < len {
            return Err(self.damaged(format!("the file ends {} octets too early", len - got)));
        }
        Ok(())
    }

    fn header(&mut self) -> Result<(u128, u64, u64, u128), SnapshotError> {
        let mut octets = Vec::with_capacity(HEADER_LEN);
        self.take(&mut octets, HEADER_LEN as u64)?;
        let (covered, mut crc) = octets.split_at(HEADER_LEN - 4);
        let mut at = covered;
        if chunk::<8>(&mut at) != *MAGIC {
            return Err(self.damaged("this is no snapshot of definitions"));
        }
        if crc32c::crc32c(covered) != u32::from_le_bytes(chunk(&mut crc)) {
            return Err(self.damaged("the header does not match its checksum"));
        }
        // Only now: a version that was flipped by damage is damage.
        let version = u32::from_le_bytes(chunk(&mut at));
        if version != VERSION {
            return Err(SnapshotError::Version(version));
        }
        Ok((
            u128::from_le_bytes(chunk(&mut at)),
            u64::from_le_bytes(chunk(&mut at)),
            u64::from_le_bytes(chunk(&mut at)),
            u128::from_le_bytes(chunk(&mut at)),
        ))
    }

    fn row(&mut self, state: &mut State, body: &mut Vec<u8>) -> Result<(), SnapshotError> {
        self.start = self.offset;
        body.clear();
        self.take(body, 8)?;
        let mut at = body.as_slice();
        let len = u32::from_le_bytes(chunk(&mut at));
        let crc = u32::from_le_bytes(chunk(&mut at));
        body.clear();
        self.take(body, len.into())?;
        if row_crc(self.start, len, body) != crc {
            return Err(self.damaged("the row does not match its checksum"));
        }
        let restored = take_row(state, body);
        restored.map_err(|error| self.damaged(format!("the row cannot be read: {error}")))
    }
}

/// The next `N` octets, which the caller has checked to be there.
fn chunk<const N: usize>(at: &mut &[u8]) -> [u8; N] {
    let (head, rest) = at.split_first_chunk::<N>().unwrap_or((&[0; N], &[]));
    *at = rest;
    *head
}
