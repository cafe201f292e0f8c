//! Reads everything there is, and puts together what lives.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use super::definitions::Found;
use super::report::{LostIn, Report, Torn};
use super::rows::{self, Item};
use super::{Kinds, Progress};
use crate::definitions::rows::QueueRow;
use crate::message::BODY_FILE;
use crate::message::record::{PREFIX, Record};
use crate::store::StoreError;
use crate::store::batch;
use crate::store::bodies;
use crate::store::checkpoint::{self, AwayRow, MessageRow, Row};
use crate::store::io::{Disk, RealDisk};
use crate::store::log::{Position, Replayed, Survey};
use crate::store::pages::{self, PagesRead};
use crate::store::replay::{FoundLevel, IsThere, Replay};

/// A queue's priority.
type LevelKey = (u64, u8);

/// What was found, before the messages are looked at one by one.
pub(super) struct Examined {
    pub report: Report,
    pub survey: Survey,
    /// The log's folder.
    disk: RealDisk,
    pub definitions: Found,
    /// What the log was read from on: the checkpoint's position, or zero.
    pub from: Position,
    replay: Replay,
    pages: PagesRead,
    /// The numbers that the checkpoint would have given next.
    nexts: HashMap<LevelKey, u64>,
    /// Messages that lie before this place may have been acknowledged behind it.
    hole: Option<Position>,
    rebuilt: bool,
    /// Files that are missing and have been told of.
    told: BTreeSet<u32>,
}

/// What a checkpoint of all that lives would consist of.
pub(super) enum Live {
    Queue(u64),
    Level {
        priority: u8,
        next: u64,
        delivered: Option<u64>,
    },
    Message(MessageRow),
    Page(AwayRow, Vec<u8>),
}

/// Shown what lives.
pub(super) type Keep<'a> = &'a mut dyn FnMut(Live) -> Result<(), StoreError>;

/// What checkpoint and pages say.
#[derive(Default)]
struct Index {
    position: Option<Position>,
    replay: Replay,
    nexts: HashMap<LevelKey, u64>,
    pages: Vec<(LevelKey, AwayRow)>,
    damaged: bool,
}

/// Reads the store in `folder`, which no broker uses, and changes nothing in it.
///
/// # Errors
/// What keeps it from being read at all: the disk's own refusals, and files of a later broker.
/// Damage is no error but in the report.
pub fn check(folder: &Path, kinds: Kinds, progress: Progress<'_>) -> Result<Report, StoreError> {
    let mut examined = examine(folder, kinds, progress)?;
    examined.contents(progress, &mut |_| Ok(()))?;
    Ok(examined.report)
}

/// Reads everything but the messages' records.
pub(super) fn examine(
    folder: &Path,
    kinds: Kinds,
    progress: Progress<'_>,
) -> Result<Examined, StoreError> {
    let mut report = Report::default();
    let mut definitions = Found::open(folder, &mut report)?;
    let index_disk = RealDisk::new(folder.join("index"));
    let mut index = read_checkpoint(&index_disk, &mut report)?;
    let (pages, header) = PagesRead::open(&index_disk)?;
    if let Some(error) = header.filter(|_| !index.pages.is_empty()) {
        note(&mut report, "index/", &error);
    }
    let bad = check_pages(&pages, &index.pages, &mut report, progress)?;
    let from = index.position.unwrap_or(Position::ZERO);
    let disk = RealDisk::new(folder.join("log"));
    let survey = Survey::take(
        &disk,
        from,
        &mut |done, total| progress("the log", done, total),
        &mut |entry| {
            if entry.kind == kinds.definition {
                definitions.take(entry.position, entry.index, entry.payload);
                return Ok(());
            }
            known(entry, kinds)
        },
    )?;
    tell_of_log(
        &survey,
        &mut report,
        index.position.is_some() || index.damaged,
    );
    definitions.finish(survey.end().unwrap_or(Position::ZERO), &mut report);
    report.queues = definitions.state.rows::<QueueRow>().count() as u64;
    if !bad.is_empty() {
        salvage(
            &survey,
            &disk,
            kinds,
            from,
            &bad,
            &mut index.replay,
            progress,
        )?;
    }
    let rebuilds = index.position.is_none();
    let mut is_there = |file, _, sum| match rebuilds {
        true => bodies::is_there(&disk, file, sum),
        false => Ok(true),
    };
    survey.replay(
        from,
        &mut |done, total| progress("what the log says of messages", done, total),
        &mut |entry| {
            if entry.kind == kinds.batch {
                take_batch(&mut index.replay, entry, &|_| true, &mut is_there);
            }
            Ok(())
        },
    )?;
    Ok(Examined {
        hole: survey.last_hole(from),
        report,
        survey,
        disk,
        definitions,
        from,
        replay: index.replay,
        pages,
        nexts: index.nexts,
        rebuilt: index.damaged,
        told: BTreeSet::new(),
    })
}

/// Refuses what a later broker may have written.
fn known(entry: &Replayed<'_>, kinds: Kinds) -> Result<(), StoreError> {
    let what = if entry.kind == kinds.batch {
        batch::read(entry.payload, |_| {})
            .err()
            .map(|e| e.to_string())
    } else {
        Some(format!("entries of kind {} are not known", entry.kind))
    };
    match what {
        None => Ok(()),
        Some(what) => Err(StoreError::Refused(format!(
            "the log's entry at {}: {what}; a newer version may have written it: use its tool",
            entry.position
        ))),
    }
}

fn note(report: &mut Report, folder: &str, error: &StoreError) {
    if let StoreError::Damaged {
        file,
        offset,
        reason,
    } = error
    {
        report.damaged(format!("{folder}{file}"), *offset, reason);
    }
}

fn read_checkpoint(disk: &RealDisk, report: &mut Report) -> Result<Index, StoreError> {
    let mut index = Index::default();
    let mut at = (0, 0);
    let read = checkpoint::read(disk, &mut |row| {
        match &row {
            Row::Queue(queue) => at = (*queue, 0),
            Row::Level { priority, next, .. } => {
                at.1 = *priority;
                index.nexts.insert(at, *next);
            }
            Row::Away(away) => index.pages.push((at, away.clone())),
            Row::Message(_) => {}
        }
        index.replay.take_row(row);
        Ok(())
    });
    match read {
        Ok(position) => index.position = position,
        Err(error @ StoreError::Damaged { .. }) => {
            note(report, "index/", &error);
            index = Index {
                damaged: true,
                ..Index::default()
            };
        }
        Err(error) => return Err(error),
    }
    Ok(index)
}

/// Reads every page; gives the priorities that have lost one, with the numbers it covered.
fn check_pages(
    pages: &PagesRead,
    named: &[(LevelKey, AwayRow)],
    report: &mut Report,
    progress: Progress<'_>,
) -> Result<HashMap<LevelKey, Vec<(u64, u64)>>, StoreError> {
    let mut bad: HashMap<LevelKey, Vec<(u64, u64)>> = HashMap::new();
    for (done, (key, row)) in named.iter().enumerate() {
        if done % 1_024 == 0 {
            progress("pages of the index", done as u64, named.len() as u64);
        }
        let error = match pages.read(row.page.0, row.page.1) {
            Ok(octets) if rows::page_rows(&octets, row).is_some() => continue,
            Ok(_) => StoreError::Damaged {
                file: pages::FILE.to_owned(),
                offset: row.page.0,
                reason: "the page is not the one that the checkpoint names".to_owned(),
            },
            Err(error @ StoreError::Damaged { .. }) => error,
            Err(error) => return Err(error),
        };
        note(report, "index/", &error);
        let end = row.base + u64::from(row.span);
        bad.entry(*key).or_default().push((row.base, end));
    }
    Ok(bad)
}

/// Puts the damage of the log into the report.
fn tell_of_log(survey: &Survey, report: &mut Report, has_index: bool) {
    report.files = survey.files.len() as u64 + survey.loose.len() as u64;
    let mut before: Option<Position> = None;
    for (number, file) in &survey.files {
        let name = log_file(*number);
        report.octets += file.len;
        report.entries += file.entries;
        match file.previous {
            None => report.damaged(&name, 0, "its header is not what was written"),
            Some(at) => {
                if let Some(end) = before.filter(|end| end.file == at.file && *end != at) {
                    let what = format!("the file before ends at {end}, not at {at} as it says");
                    report.damaged(&name, 16, what);
                }
            }
        }
        for (from, to) in &file.holes {
            let what = format!("{} octets that hold no whole entry", to - from);
            report.damaged(&name, (*from).into(), what);
        }
        before = Some(Position::new(*number, file.end));
    }
    for (first, end) in &survey.missing {
        if has_index {
            let what = match end - first {
                1 => "it is missing".to_owned(),
                count => format!("it is missing, and the {} files behind it", count - 1),
            };
            report.damaged(log_file(*first), 0, what);
        } else {
            report.notes.push(format!(
                "there is no checkpoint, and the log lacks files {first} to {}: used again since, or \
                 lost; a message may come back that was acknowledged",
                end - 1
            ));
        }
    }
    report.torn = survey.torn.map(|(at, octets)| Torn {
        file: log_file(at.file),
        offset: at.offset.into(),
        octets,
    });
}

fn log_file(number: u32) -> String {
    format!("log/{number:010}.log")
}

/// Takes in the facts of a batch that `wanted` wants, of a queue and the priority.
fn take_batch(
    replay: &mut Replay,
    entry: &Replayed<'_>,
    wanted: &dyn Fn(LevelKey) -> bool,
    is_there: IsThere<'_>,
) {
    // That it can be read was seen before; whether a large body's file is there is looked at with
    // its message.
    let _ = replay.take_entry(
        entry,
        &|queue, priority| wanted((queue, priority)),
        is_there,
    );
}

/// Fills the places of pages that are lost with what the log says of their messages. They come back
/// flagged as delivered: what was acknowledged in files used again since cannot be known.
fn salvage(
    survey: &Survey,
    disk: &dyn Disk,
    kinds: Kinds,
    below: Position,
    bad: &HashMap<LevelKey, Vec<(u64, u64)>>,
    replay: &mut Replay,
    progress: Progress<'_>,
) -> Result<(), StoreError> {
    let mut old = Replay::default();
    survey.replay(
        Position::ZERO,
        &mut |done, total| progress("the log for lost pages", done, total),
        &mut |entry| {
            if entry.kind == kinds.batch && entry.position < below {
                take_batch(
                    &mut old,
                    entry,
                    &|key| bad.contains_key(&key),
                    // Numbers of bodies are given again: what has another sum is another's.
                    &mut |file, _, sum| bodies::is_there(disk, file, sum),
                );
            }
            Ok(())
        },
    )?;
    for ((queue, priority), ranges) in bad {
        let levels = old.queues.get_mut(queue);
        let Some(level) = levels.and_then(|levels| levels.get_mut(priority)) else {
            continue;
        };
        replay.take_row(Row::Queue(*queue));
        replay.take_row(Row::Level {
            priority: *priority,
            next: 0,
            delivered: None,
        });
        level.away.clear();
        rows::each(level, &PagesRead::none(), &mut |item| {
            if let Item::Message(row) = item
                && ranges
                    .iter()
                    .any(|(from, to)| (*from..*to).contains(&row.number))
            {
                replay.take_row(Row::Message(MessageRow {
                    redelivered: true,
                    ..row
                }));
            }
            Ok(())
        })?;
    }
    Ok(())
}

impl Examined {
    /// Shows everything that lives and can be read, queue by queue; what cannot goes to the report.
    pub fn contents(&mut self, progress: Progress<'_>, keep: Keep<'_>) -> Result<(), StoreError> {
        let queues: Vec<QueueRow> = self.definitions.state.rows().collect();
        let known: HashSet<u64> = queues.iter().map(|row| row.id).collect();
        for (done, row) in queues.iter().enumerate() {
            progress("messages, by queue", done as u64, queues.len() as u64);
            let mut lost = LostIn {
                queue: format!("queue '{}' in vhost '{}'", row.name, row.vhost),
                ..LostIn::default()
            };
            let levels = self.replay.queues.remove(&row.id).unwrap_or_default();
            keep(Live::Queue(row.id))?;
            for (priority, level) in levels {
                self.level((row.id, priority), level, &mut lost, keep)?;
            }
            if !lost.is_empty() {
                self.report.lost.push(lost);
            }
        }
        let nameless = self
            .replay
            .queues
            .iter()
            .filter(|(id, _)| !known.contains(id));
        let nameless =
            nameless.filter(|(_, levels)| levels.values().any(|l| !l.messages.is_empty()));
        let count = nameless.count();
        if count > 0 && self.definitions.damaged {
            self.report.notes.push(format!(
                "the log tells of {count} queues without a definition: deleted, or lost with theirs"
            ));
        }
        Ok(())
    }

    fn level(
        &mut self,
        key: LevelKey,
        mut level: FoundLevel,
        lost: &mut LostIn,
        keep: Keep<'_>,
    ) -> Result<(), StoreError> {
        let priority = key.1;
        level.tidy();
        let mut next = level.next;
        let mut delivered = level.delivered;
        if let Some(hole) = self.hole {
            let early = level.messages.iter();
            let early = early.filter(|found| is_before(found.file, found.offset, hole));
            let pages = level
                .away
                .iter()
                .map(|row| row.base + u64::from(row.span) - 1);
            delivered = delivered.max(early.map(|found| found.number).chain(pages).max());
            // What is lost may have had higher numbers, and the log must not tell of two messages
            // under one.
            next = next.saturating_add(NUMBERS_SKIPPED);
            if !self.rebuilt {
                let from = self.nexts.get(&key).copied().unwrap_or(0);
                let there = level.messages.iter().filter(|found| found.number >= from);
                let there = there.count() as u64 + rows::gone_in(&level, from, level.next);
                lost.perhaps += level.next.saturating_sub(from).saturating_sub(there);
            }
        }
        keep(Live::Level {
            priority,
            next,
            delivered,
        })?;
        let pages = std::mem::replace(&mut self.pages, PagesRead::none());
        let shown = rows::each(&mut level, &pages, &mut |item| match item {
            Item::Message(row) => self.message(priority, row, lost, keep),
            Item::Lost { row, known } => {
                let gone = u64::from(row.live).saturating_sub(known);
                lost.messages += gone;
                if gone > 0 {
                    let end = row.base + u64::from(row.span) - 1;
                    lost.numbers.push((priority, row.base, end));
                }
                Ok(())
            }
            Item::Page {
                row,
                octets,
                messages,
            } => {
                let mut whole = true;
                for message in &messages {
                    whole &= self.is_readable(message)?;
                }
                if !whole {
                    let mut each = messages.into_iter();
                    return each.try_for_each(|row| self.message(priority, row, lost, keep));
                }
                self.report.messages += u64::from(row.live);
                lost.uncertain += self.hole.map_or(0, |_| u64::from(row.live));
                keep(Live::Page(row, octets))
            }
        });
        self.pages = pages;
        shown
    }

    fn message(
        &mut self,
        priority: u8,
        row: MessageRow,
        lost: &mut LostIn,
        keep: Keep<'_>,
    ) -> Result<(), StoreError> {
        if !self.is_readable(&row)? {
            lost.lose(priority, row.number);
            return Ok(());
        }
        self.report.messages += 1;
        let early = self
            .hole
            .filter(|hole| is_before(row.file, row.offset, *hole));
        lost.uncertain += u64::from(early.is_some());
        keep(Live::Message(row))
    }

    /// True when the record of a message is whole and the one that the index means.
    fn is_readable(&mut self, row: &MessageRow) -> Result<bool, StoreError> {
        let at = Position::new(row.file, row.offset);
        if row.file & BODY_FILE != 0 {
            return self.is_whole_body(row);
        }
        if !self.survey.files.contains_key(&row.file) {
            if self.told.insert(row.file) {
                let what = "it is missing, and messages lie in it";
                self.report.damaged(log_file(row.file), 0, what);
            }
            return Ok(false);
        }
        let whole = |octets: usize| {
            let end = u64::from(row.offset) + octets as u64;
            self.survey.is_whole(at, end)
        };
        let mut head = vec![0; PREFIX];
        if !whole(PREFIX) {
            return Ok(false);
        }
        self.survey.read(at, &mut head)?;
        let size = head.first_chunk().map(|len| u32::from_le_bytes(*len));
        let mut len = Record::length(&head);
        // Where there are hidden keys their length stands behind the properties.
        if head.last().is_some_and(|octet| octet & 0x80 != 0) && whole(len) {
            head.resize(len, 0);
            self.survey.read(at, &mut head)?;
            len = Record::length(&head);
        }
        Ok(size == Some(row.size) && whole(len))
    }
}

impl Examined {
    /// True when the file of a large body is what was written.
    fn is_whole_body(&mut self, row: &MessageRow) -> Result<bool, StoreError> {
        match bodies::verify(&self.disk, row.file, row.size) {
            Ok(()) => Ok(true),
            Err(error @ StoreError::Damaged { .. }) => {
                if self.told.insert(row.file) {
                    note(&mut self.report, "log/", &error);
                }
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

/// True for what may have been told before the hole; where a large body's file was told of is not
/// known.
fn is_before(file: u32, offset: u32, hole: Position) -> bool {
    file & BODY_FILE != 0 || Position::new(file, offset) < hole
}

/// Numbers that no message gets after a part of the log is lost: far more than any log tells of.
const NUMBERS_SKIPPED: u64 = 1 << 32;
