//! The messages of one priority as they live, from what checkpoint and log say together.

use std::sync::Arc;

use crate::message::{FreedPlaces, StoredFile, StoredPage};
use crate::queue::page;
use crate::store::StoreError;
use crate::store::checkpoint::{AwayRow, MessageRow};
use crate::store::pages::PagesRead;
use crate::store::replay::{Found, FoundLevel};

/// What comes next in the order of numbers.
pub(super) enum Item {
    /// A message.
    Message(MessageRow),
    /// A page of which nothing has changed since it was written.
    Page {
        row: AwayRow,
        octets: Vec<u8>,
        messages: Vec<MessageRow>,
    },
    /// A page cannot be read. So many of its messages, which are shown, are known from elsewhere or
    /// known to be gone.
    Lost { row: AwayRow, known: u64 },
}

/// Shows what lives. A page that cannot be read is passed over: what is known of its messages from
/// elsewhere is shown.
pub(super) fn each(
    level: &mut FoundLevel,
    pages: &PagesRead,
    visit: &mut dyn FnMut(Item) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    level.tidy();
    let mut away = std::mem::take(&mut level.away);
    away.sort_by_key(|row| row.base);
    let (mut whole, mut paged) = (Vec::new(), Vec::new());
    for row in away {
        let concerned = concerns(level, &row);
        match read_page(pages, &row)? {
            None => {
                let known = known_of(level, &row);
                visit(Item::Lost { row, known })?;
            }
            Some((_, messages)) if concerned => paged.extend(messages),
            Some(_) => whole.push(row),
        }
    }
    let mut all = Vec::with_capacity(paged.len() + level.messages.len());
    for message in paged {
        if message.expires_at != u64::MAX {
            level.expiries.insert(message.number, message.expires_at);
        }
        if message.redelivered {
            level.redelivered.insert(message.number);
        }
        all.push(Found {
            number: message.number,
            file: message.file,
            offset: message.offset,
            size: message.size,
            count: message.count,
        });
    }
    // What the log tells of the same message comes later, and is as good.
    all.append(&mut level.messages);
    level.messages = all;
    level.tidy();
    let mut next = 0;
    for row in whole {
        for message in until(level, &mut next, row.base) {
            visit(Item::Message(message))?;
        }
        // A disk that answers otherwise the second time has lost it after all.
        match read_page(pages, &row)? {
            None => visit(Item::Lost { row, known: 0 })?,
            Some((octets, messages)) => visit(Item::Page {
                row,
                octets,
                messages,
            })?,
        }
    }
    for message in until(level, &mut next, u64::MAX) {
        visit(Item::Message(message))?;
    }
    Ok(())
}

/// A page's octets and messages.
type ReadPage = (Vec<u8>, Vec<MessageRow>);

/// Reads a page; `None` if it cannot be read.
fn read_page(pages: &PagesRead, row: &AwayRow) -> Result<Option<ReadPage>, StoreError> {
    match pages.read(row.page.0, row.page.1) {
        Ok(octets) => Ok(page_rows(&octets, row).map(|rows| (octets, rows))),
        Err(StoreError::Damaged { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// True when something is told of messages of a page besides the page itself.
fn concerns(level: &FoundLevel, row: &AwayRow) -> bool {
    let end = row.base + u64::from(row.span);
    level.gone.meets(row.base, end)
        || level.moves.range(row.base..end).next().is_some()
        || level.counts.range(row.base..end).next().is_some()
        || of_range(level, row.base, end) > 0
}

/// How many messages of a page are known without it, as living or as gone.
fn known_of(level: &FoundLevel, row: &AwayRow) -> u64 {
    let end = row.base + u64::from(row.span);
    let moved = level.moves.range(row.base..end);
    let moved = moved.filter(|(_, step)| of_range(level, step.to, step.to + 1) > 0);
    of_range(level, row.base, end) + gone_in(level, row.base, end) + moved.count() as u64
}

/// How many messages there are from a number to below another.
fn of_range(level: &FoundLevel, first: u64, end: u64) -> u64 {
    let below = |number| {
        level
            .messages
            .partition_point(|found| found.number < number)
    };
    (below(end) - below(first)) as u64
}

/// How many numbers from `first` to below `end` are gone.
pub(super) fn gone_in(level: &FoundLevel, first: u64, end: u64) -> u64 {
    let runs = level.gone.iter();
    let shared = runs.map(|(from, to)| {
        to.saturating_add(1)
            .min(end)
            .saturating_sub(from.max(first))
    });
    shared.sum()
}

/// The messages of the level below `end`, from place `next` on.
fn until<'a>(
    level: &'a FoundLevel,
    next: &mut usize,
    end: u64,
) -> impl Iterator<Item = MessageRow> + use<'a> {
    let rest = level.messages.get(*next..).unwrap_or_default();
    let len = rest.partition_point(|found| found.number < end);
    *next += len;
    let these = rest.get(..len).unwrap_or_default();
    these.iter().map(|found| row_of(level, found))
}

fn row_of(level: &FoundLevel, found: &Found) -> MessageRow {
    let number = found.number;
    MessageRow {
        number,
        file: found.file,
        offset: found.offset,
        size: found.size,
        redelivered: level.redelivered.contains(number),
        count: level
            .counts
            .get(&number)
            .map_or(0, |count| *count)
            .max(found.count),
        expires_at: level.expiries.get(&number).copied().unwrap_or(u64::MAX),
    }
}

/// The messages of a page; `None` if it is not what the checkpoint names.
pub(super) fn page_rows(octets: &[u8], row: &AwayRow) -> Option<Vec<MessageRow>> {
    let files = row.files.iter();
    let files = files.map(|(number, _)| (StoredFile::new(*number), 0));
    let page = StoredPage::new(row.page.0, row.page.1, FreedPlaces::default());
    let away = row.away(Arc::new(page), files.collect());
    let block = page::read(octets, &away)?;
    let rows = block
        .live_entries()
        .filter_map(|(number, meta, home)| home.map(|home| MessageRow::of(number, &meta, &home)));
    Some(rows.collect())
}
