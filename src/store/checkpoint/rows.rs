//! The rows of a checkpoint, and how they are written as octets.

use std::sync::Arc;

use crate::message::{Home, StoredFile, StoredPage};
use crate::queue::block::Meta;
use crate::queue::page::Away;

/// A page of a queue's index that lies in the file of pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwayRow {
    /// The first number it covers.
    pub base: u64,
    /// How many numbers it covers.
    pub span: u32,
    /// How many messages of it are still there.
    pub live: u32,
    /// Octets of those.
    pub bytes: u64,
    /// The number of the first of those.
    pub first: u64,
    /// When the first of them expires, in ms; `u64::MAX` for never.
    pub earliest_expiry: u64,
    /// Place and length in the file of pages.
    pub page: (u64, u32),
    /// The files of the log in which their records lie, and how many octets in each.
    pub files: Vec<(u32, u64)>,
}

impl AwayRow {
    /// The row of a block that is away.
    pub fn of(away: &Away) -> Self {
        let files = away.files.iter();
        Self {
            base: away.base,
            span: away.span,
            live: away.live,
            bytes: away.bytes,
            first: away.first,
            earliest_expiry: away.earliest_expiry,
            page: (away.page.place, away.page.len),
            files: files
                .map(|(file, live)| (file.number, u64::try_from(*live).unwrap_or(0)))
                .collect(),
        }
    }

    /// The block of this row, which lies in `page` and whose messages lie in `files`.
    pub fn away(&self, page: Arc<StoredPage>, files: Vec<(Arc<StoredFile>, i64)>) -> Away {
        Away {
            base: self.base,
            span: self.span,
            live: self.live,
            bytes: self.bytes,
            first: self.first,
            earliest_expiry: self.earliest_expiry,
            page,
            files,
        }
    }
}

/// A message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageRow {
    /// Its number in the queue's priority.
    pub number: u64,
    /// The file of the log in which its record lies.
    pub file: u32,
    /// The record's first octet there.
    pub offset: u32,
    /// Octets of the record.
    pub size: u32,
    /// Whether it was delivered before.
    pub redelivered: bool,
    /// How often it came back.
    pub count: u32,
    /// When it expires, in ms; `u64::MAX` for never.
    pub expires_at: u64,
}

impl MessageRow {
    /// The row of a message that lies at `home`.
    pub fn of(number: u64, meta: &Meta, home: &Home) -> Self {
        Self {
            number,
            file: home.file.number,
            offset: home.offset,
            size: meta.size,
            redelivered: meta.redelivered,
            count: meta.count,
            expires_at: meta.expires_at,
        }
    }
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// The rows up to the next of these are of the queue with this id.
    Queue(u64),
    /// The rows up to the next of these or the next queue are of this priority.
    Level {
        /// The priority.
        priority: u8,
        /// The number that its next message gets.
        next: u64,
        /// Messages up to this number were delivered before.
        delivered: Option<u64>,
    },
    /// A page.
    Away(AwayRow),
    /// A message.
    Message(MessageRow),
}

const QUEUE: u8 = 1;
const LEVEL: u8 = 2;
const LEVEL_DELIVERED: u8 = 3;
const AWAY: u8 = 4;

const MESSAGE: u8 = 0x80;
const NEXT: u8 = 1;
const SAME_FILE: u8 = 2;
const SAME_SIZE: u8 = 4;
const REDELIVERED: u8 = 8;
const COUNT: u8 = 16;
const EXPIRES: u8 = 32;
const KNOWN: u8 = MESSAGE | NEXT | SAME_FILE | SAME_SIZE | REDELIVERED | COUNT | EXPIRES;

/// What differences are to.
#[derive(Debug, Default)]
pub(super) struct Last {
    number: u64,
    file: u32,
    offset: u32,
    size: u32,
    expires_at: u64,
}

impl Last {
    fn follow(&mut self, row: &MessageRow) {
        self.number = row.number;
        self.file = row.file;
        self.offset = row.offset;
        self.size = row.size;
        if row.expires_at != u64::MAX {
            self.expires_at = row.expires_at;
        }
    }
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The difference to `last`, small when the two are near each other either way.
fn put_from(out: &mut Vec<u8>, value: u64, last: u64) {
    let difference = value.wrapping_sub(last).cast_signed();
    put(out, (difference << 1 ^ difference >> 63).cast_unsigned());
}

pub(super) fn put_queue(out: &mut Vec<u8>, id: u64) {
    out.push(QUEUE);
    put(out, id);
}

pub(super) fn put_level(out: &mut Vec<u8>, priority: u8, next: u64, delivered: Option<u64>) {
    out.push(delivered.map_or(LEVEL, |_| LEVEL_DELIVERED));
    put(out, priority.into());
    put(out, next);
    if let Some(up_to) = delivered {
        put(out, up_to);
    }
}

pub(super) fn put_away(out: &mut Vec<u8>, row: &AwayRow) {
    out.push(AWAY);
    put(out, row.base);
    put(out, row.span.into());
    put(out, row.live.into());
    put(out, row.bytes);
    put(out, row.first);
    put(out, row.earliest_expiry.wrapping_add(1));
    put(out, row.page.0);
    put(out, row.page.1.into());
    put(out, row.files.len() as u64);
    let mut last = 0;
    for (number, live_bytes) in &row.files {
        put_from(out, (*number).into(), last);
        put(out, *live_bytes);
        last = (*number).into();
    }
}

pub(super) fn put_message(out: &mut Vec<u8>, last: &mut Last, row: &MessageRow) {
    let bits = [
        (NEXT, row.number == last.number.wrapping_add(1)),
        (SAME_FILE, row.file == last.file),
        (SAME_SIZE, row.size == last.size),
        (REDELIVERED, row.redelivered),
        (COUNT, row.count != 0),
        (EXPIRES, row.expires_at != u64::MAX),
    ];
    let tag = bits.iter().filter(|(_, set)| *set);
    let tag = tag.fold(MESSAGE, |tag, (bit, _)| tag | bit);
    out.push(tag);
    if tag & NEXT == 0 {
        put_from(out, row.number, last.number);
    }
    if tag & SAME_FILE == 0 {
        put_from(out, row.file.into(), last.file.into());
    }
    put_from(out, row.offset.into(), last.offset.into());
    if tag & SAME_SIZE == 0 {
        put(out, row.size.into());
    }
    if tag & COUNT != 0 {
        put(out, row.count.into());
    }
    if tag & EXPIRES != 0 {
        put_from(out, row.expires_at, last.expires_at);
    }
    last.follow(row);
}

/// Takes rows off the front of a block.
pub(super) struct Rows<'a> {
    pub rest: &'a [u8],
}

impl Rows<'_> {
    fn octet(&mut self) -> Option<u8> {
        let (octet, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*octet)
    }

    fn number(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let octet = self.octet()?;
            let bits = u64::from(octet & 0x7f);
            // The tenth octet has room for one bit.
            if shift == 63 && bits > 1 {
                return None;
            }
            value |= bits << shift;
            if octet < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn small(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    fn from(&mut self, last: u64) -> Option<u64> {
        let value = self.number()?;
        let difference = value >> 1 ^ (value & 1).wrapping_neg();
        Some(last.wrapping_add(difference))
    }

    fn small_from(&mut self, last: u32) -> Option<u32> {
        u32::try_from(self.from(last.into())?).ok()
    }

    /// The next row; none if the octets are not one.
    pub fn row(&mut self, last: &mut Last) -> Option<Row> {
        match self.octet()? {
            QUEUE => Some(Row::Queue(self.number()?)),
            tag @ (LEVEL | LEVEL_DELIVERED) => Some(Row::Level {
                priority: u8::try_from(self.number()?).ok()?,
                next: self.number()?,
                delivered: match tag {
                    LEVEL => None,
                    _ => Some(self.number()?),
                },
            }),
            AWAY => self.away().map(Row::Away),
            tag if tag & MESSAGE != 0 && tag & !KNOWN == 0 => {
                self.message(tag, last).map(Row::Message)
            }
            _ => None,
        }
    }

    fn away(&mut self) -> Option<AwayRow> {
        let mut row = AwayRow {
            base: self.number()?,
            span: self.small()?,
            live: self.small()?,
            bytes: self.number()?,
            first: self.number()?,
            earliest_expiry: self.number()?.wrapping_sub(1),
            page: (self.number()?, self.small()?),
            files: Vec::new(),
        };
        let mut last = 0;
        for _ in 0..self.number()? {
            last = self.small_from(last)?;
            row.files.push((last, self.number()?));
        }
        Some(row)
    }

    fn message(&mut self, tag: u8, last: &mut Last) -> Option<MessageRow> {
        let has = |bit: u8| tag & bit != 0;
        let row = MessageRow {
            number: match has(NEXT) {
                true => last.number.wrapping_add(1),
                false => self.from(last.number)?,
            },
            file: match has(SAME_FILE) {
                true => last.file,
                false => self.small_from(last.file)?,
            },
            offset: self.small_from(last.offset)?,
            size: match has(SAME_SIZE) {
                true => last.size,
                false => self.small()?,
            },
            redelivered: has(REDELIVERED),
            count: if has(COUNT) { self.small()? } else { 0 },
            expires_at: match has(EXPIRES) {
                true => self.from(last.expires_at)?,
                false => u64::MAX,
            },
        };
        last.follow(&row);
        Some(row)
    }
}
