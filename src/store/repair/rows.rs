//! The messages of one priority as they live, from what checkpoint and log say together.

use std::sync::Arc;

use crate::message::{FreedPlaces, StoredFile, StoredPage};
use crate::queue::page::{self, Away};
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
    /// A page cannot be read. So many of its messages, which were shown, are known from elsewhere or
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
    let mut next = 0;
    for row in away {
        let end = row.base + u64::from(row.span);
        for message in until(level, &mut next, row.base) {
            visit(Item::Message(message))?;
        }
        let own: Vec<MessageRow> = until(level, &mut next, end).collect();
        let read = match pages.read(row.page.0, row.page.1) {
            Ok(octets) => page_rows(&octets, &row).map(|rows| (octets, rows)),
            Err(StoreError::Damaged { .. }) => None,
            Err(error) => return Err(error),
        };
        let Some((octets, found)) = read else {
            let known = own.len() as u64 + gone_in(level, row.base, end);
            for message in own {
                visit(Item::Message(message))?;
            }
            visit(Item::Lost { row, known })?;
            continue;
        };
        let changed = !own.is_empty()
            || level.gone.meets(row.base, end)
            || found.iter().any(|m| level.counts.contains_key(&m.number));
        if !changed {
            visit(Item::Page {
                row,
                octets,
                messages: found,
            })?;
            continue;
        }
        let known = |number: u64| own.iter().any(|message| message.number == number);
        let mut all: Vec<MessageRow> = found
            .into_iter()
            .filter(|m| !level.gone.contains(m.number) && !known(m.number))
            .map(|m| MessageRow {
                count: level.counts.get(&m.number).copied().unwrap_or(m.count),
                ..m
            })
            .collect();
        all.extend(own);
        all.sort_by_key(|message| message.number);
        for message in all {
            visit(Item::Message(message))?;
        }
    }
    for message in until(level, &mut next, u64::MAX) {
        visit(Item::Message(message))?;
    }
    Ok(())
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
        count: level.counts.get(&number).copied().unwrap_or(found.count),
        expires_at: level.expiries.get(&number).copied().unwrap_or(u64::MAX),
    }
}

/// The messages of a page; `None` if it is not what the checkpoint names.
pub(super) fn page_rows(octets: &[u8], row: &AwayRow) -> Option<Vec<MessageRow>> {
    let files = row.files.iter();
    let files = files.map(|(number, _)| (StoredFile::new(*number), 0));
    let away = Away {
        base: row.base,
        span: row.span,
        live: row.live,
        bytes: row.bytes,
        first: row.first,
        earliest_expiry: row.earliest_expiry,
        page: Arc::new(StoredPage::new(
            row.page.0,
            row.page.1,
            FreedPlaces::default(),
        )),
        files: files.collect(),
    };
    let block = page::read(octets, &away)?;
    let rows = block.live_entries().filter_map(|(number, meta, home)| {
        home.map(|home| MessageRow {
            number,
            file: home.file.number,
            offset: home.offset,
            size: meta.size,
            redelivered: meta.redelivered,
            count: meta.count,
            expires_at: meta.expires_at,
        })
    });
    Some(rows.collect())
}
