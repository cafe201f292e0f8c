//! A block of the index at rest: blocks in the middle of a deep backlog wait in a file until the
//! queue comes near them, and a handful of numbers stands for each.
//!
//! Only a block all of whose messages are ready and lie in files goes there, so that nobody but the
//! queue's own turn asks for it. Layout, little-endian: version (octet, 1), flags (octet: 1
//! expiries, 2 counts), messages (u16), files (u16), base (u64), the files' numbers (u32 each); for
//! each message its number less the base (u16), its file's place in that list (u16), offset of its
//! record (u32), octets of its body (u32), 1 where it has been delivered before (u16); expiries
//! (u64 each); counts (u32 each). The file of pages keeps its own checksums.

use std::sync::Arc;

use super::block::{Arriving, Block, Meta};
use crate::message::{Home, StoredFile, StoredPage};

const VERSION: u8 = 1;
const EXPIRIES: u8 = 1;
const COUNTS: u8 = 2;
const HEAD: usize = 14;

/// What stands for a block that is away.
#[derive(Debug)]
pub struct Away {
    /// The number of its first message, and one past the last.
    pub base: u64,
    /// How many numbers it covers.
    pub span: u32,
    /// How many messages it has, all of them ready.
    pub live: u32,
    /// Octets of their bodies.
    pub bytes: u64,
    /// The first of them.
    pub first: u64,
    /// When the first of them expires; `u64::MAX` is never.
    pub earliest_expiry: u64,
    /// Where it lies.
    pub page: Arc<StoredPage>,
    /// The files that its messages lie in, with the octets they count there.
    pub files: Vec<(Arc<StoredFile>, i64)>,
}

impl Away {
    /// One past its last number.
    pub fn end(&self) -> u64 {
        self.base + u64::from(self.span)
    }
}

impl Away {
    /// A block that a checkpoint names, whose messages count in their files from now on.
    pub fn restored(self) -> Self {
        for (file, live) in &self.files {
            file.count_live(*live);
        }
        self
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        for (file, live) in &self.files {
            file.count_live(-live);
        }
    }
}

/// A block written down, to be put away once it lies in the file.
#[derive(Debug)]
pub struct Draft {
    /// The block's first number.
    pub base: u64,
    /// What to write.
    pub octets: Vec<u8>,
    span: u32,
    live: u32,
    bytes: u64,
    first: u64,
    earliest_expiry: u64,
    files: Vec<(Arc<StoredFile>, i64)>,
}

impl Draft {
    /// What stands for the block now that it lies in `page`.
    pub fn at(self, page: Arc<StoredPage>) -> Away {
        for (file, live) in &self.files {
            file.count_live(*live);
        }
        Away {
            base: self.base,
            span: self.span,
            live: self.live,
            bytes: self.bytes,
            first: self.first,
            earliest_expiry: self.earliest_expiry,
            page,
            files: self.files,
        }
    }
}

/// Writes a block down; `None` unless all of its messages are ready, known to the
/// log and lie in files.
pub fn draft(block: &Block) -> Option<Draft> {
    if block.live() == 0 || block.live() != block.ready() {
        return None;
    }
    let mut files: Vec<(Arc<StoredFile>, i64)> = Vec::new();
    let (mut entries, mut expiries, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut bytes, mut first) = (0, None);
    for (number, meta, home) in block.live_entries() {
        // What the log does not know must not come back with a checkpoint.
        let home = home.filter(|_| meta.logged)?;
        let file = files
            .iter()
            .position(|(file, _)| Arc::ptr_eq(file, &home.file));
        let file = file.unwrap_or_else(|| {
            files.push((Arc::clone(&home.file), 0));
            files.len() - 1
        });
        if let Some((_, live)) = files.get_mut(file) {
            *live += super::block::stored_bytes(meta.size);
        }
        first = first.or(Some(number));
        bytes += u64::from(meta.size);
        // A block spans at most 4,096 numbers, and so many files at most.
        let position = u16::try_from(number - block.base()).ok()?;
        entries.extend_from_slice(&position.to_le_bytes());
        entries.extend_from_slice(&u16::try_from(file).ok()?.to_le_bytes());
        entries.extend_from_slice(&home.offset.to_le_bytes());
        entries.extend_from_slice(&meta.size.to_le_bytes());
        entries.extend_from_slice(&u16::from(meta.redelivered).to_le_bytes());
        expiries.push(meta.expires_at);
        counts.push(meta.count);
    }
    let mut flags = 0;
    let mut octets = vec![VERSION, 0];
    octets.extend_from_slice(&u16::try_from(counts.len()).ok()?.to_le_bytes());
    octets.extend_from_slice(&u16::try_from(files.len()).ok()?.to_le_bytes());
    octets.extend_from_slice(&block.base().to_le_bytes());
    for (file, _) in &files {
        octets.extend_from_slice(&file.number.to_le_bytes());
    }
    octets.extend_from_slice(&entries);
    if expiries.iter().any(|at| *at != u64::MAX) {
        flags |= EXPIRIES;
        expiries
            .iter()
            .for_each(|at| octets.extend_from_slice(&at.to_le_bytes()));
    }
    if counts.iter().any(|count| *count > 0) {
        flags |= COUNTS;
        counts
            .iter()
            .for_each(|count| octets.extend_from_slice(&count.to_le_bytes()));
    }
    if let Some(place) = octets.get_mut(1) {
        *place = flags;
    }
    Some(Draft {
        base: block.base(),
        octets,
        span: u32::try_from(block.end() - block.base()).ok()?,
        live: block.live(),
        bytes,
        first: first?,
        earliest_expiry: expiries.into_iter().min().unwrap_or(u64::MAX),
        files,
    })
}

/// The block of a page; `None` if the octets are not that, or not of this block.
pub fn read(octets: &[u8], away: &Away) -> Option<Block> {
    let head = octets.first_chunk::<HEAD>()?;
    let [version, flags, n0, n1, f0, f1, base @ ..] = *head;
    if version != VERSION || u64::from_le_bytes(base) != away.base {
        return None;
    }
    let count = usize::from(u16::from_le_bytes([n0, n1]));
    let files = usize::from(u16::from_le_bytes([f0, f1]));
    let (numbers, rest) = octets.get(HEAD..)?.split_at_checked(files * 4)?;
    let mut known = Vec::with_capacity(files);
    for number in numbers.as_chunks::<4>().0 {
        let number = u32::from_le_bytes(*number);
        let file = away.files.iter().find(|(file, _)| file.number == number)?;
        known.push(&file.0);
    }
    let (entries, rest) = rest.split_at_checked(count * 14)?;
    let (expiries, rest) = if flags & EXPIRIES != 0 {
        rest.split_at_checked(count * 8)?
    } else {
        (&[][..], rest)
    };
    let counts = if flags & COUNTS != 0 { rest } else { &[] };
    let mut block = Block::new(away.base);
    for (index, entry) in entries.as_chunks::<14>().0.iter().enumerate() {
        let [p0, p1, f0, f1, o0, o1, o2, o3, s0, s1, s2, s3, r0, _] = *entry;
        let number = away.base + u64::from(u16::from_le_bytes([p0, p1]));
        let home = Home {
            file: Arc::clone(known.get(usize::from(u16::from_le_bytes([f0, f1])))?),
            offset: u32::from_le_bytes([o0, o1, o2, o3]),
        };
        let expiry = expiries.as_chunks::<8>().0.get(index);
        let returns = counts.as_chunks::<4>().0.get(index);
        let returns = returns.map_or(0, |count| u32::from_le_bytes(*count));
        let message = Arriving {
            offset: 0,
            size: u32::from_le_bytes([s0, s1, s2, s3]),
            expires_at: expiry.map_or(u64::MAX, |at| u64::from_le_bytes(*at)),
            logged: true,
        };
        block.skip_to(number);
        block.push_stored(&home, message);
        if r0 != 0 || returns > 0 {
            block.mark(number, r0 != 0, returns);
        }
    }
    block.skip_to(away.end());
    (block.live() == away.live).then_some(block)
}

/// One live message of a block, with its place at rest if it has one.
pub type LiveEntry = (u64, Meta, Option<Home>);
