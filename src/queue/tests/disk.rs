//! A log and its files as the tests keep them: in memory, written at once, given to chunks as
//! their home when a test says so.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::outlet::read_name;
use crate::broker::journal::{draft_ops, draft_placed};
use parking_lot::Mutex;

use crate::message::{Body, Chunk, Home, Record, StoredFile, StoredPage};
use crate::queue::level::Shown;
use crate::queue::{Contents, Effects, Incoming, MessageId, Read, Wanted};
use crate::store::batch::{self, Draft};
use crate::store::checkpoint::{AwayRow, MessageRow, Row};
use crate::store::replay::{Places, Replay};

/// The one queue's id.
pub const QUEUE: u64 = 7;

/// Octets after which another file is begun: a few batches, so that there are many.
const FILE_OCTETS: usize = 1500;

/// Octets that count as live in every file from the start, so that a count below nothing is seen.
const ALWAYS_LIVE: i64 = 1 << 40;

struct File {
    stored: Arc<StoredFile>,
    octets: Vec<u8>,
}

/// Everything that was written.
#[derive(Default)]
pub struct Disk {
    files: Vec<File>,
    /// File, first octet and length of each entry's payload.
    entries: Vec<(usize, usize, usize)>,
    /// Chunks that have not been told where they lie.
    untold: Vec<(Arc<Chunk>, Home)>,
    /// Entries before the checkpoint that is being written.
    begun: Option<usize>,
    /// Entries before the last checkpoint, and what it says.
    checkpoint: (usize, Vec<Row>),
    /// Pages of the index by place.
    pages: BTreeMap<u64, Vec<u8>>,
    freed: Arc<Mutex<Vec<(u64, u32)>>>,
}

/// Notes what a call into the queue wants noted.
pub fn draft_of(effects: &Effects, batch: &[Incoming]) -> Draft {
    let mut draft = Draft::default();
    draft_placed(&mut draft, QUEUE, &effects.placed, batch);
    draft_ops(&mut draft, QUEUE, &effects.journal);
    draft
}

impl Disk {
    fn write(&mut self, octets: &[u8]) -> (usize, usize) {
        if self
            .files
            .last()
            .is_none_or(|f| f.octets.len() > FILE_OCTETS)
        {
            let stored = StoredFile::new(self.files.len() as u32 + 1);
            stored.count_live(ALWAYS_LIVE);
            // Nothing lies at the very start of a file: there is its header.
            let octets = vec![0; 64];
            self.files.push(File { stored, octets });
        }
        let at = self.files.len() - 1;
        let start = self.files[at].octets.len();
        self.files[at].octets.extend_from_slice(octets);
        (at, start)
    }

    fn home(&self, file: usize, offset: usize) -> Home {
        Home {
            file: Arc::clone(&self.files[file].stored),
            offset: offset as u32,
        }
    }

    /// Writes an entry.
    pub fn append(&mut self, draft: Draft) {
        if draft.is_empty() {
            return;
        }
        let (mut payload, chunk) = draft.finish();
        let head = payload.len();
        if let Some(chunk) = &chunk {
            payload.extend_from_slice(chunk.bytes());
        }
        let (file, start) = self.write(&payload);
        self.entries.push((file, start, payload.len()));
        if let Some(chunk) = chunk {
            let home = self.home(file, start + head);
            self.untold.push((chunk, home));
        }
    }

    /// Writes a chunk of which this queue's entries say nothing: it is in the log for another's sake.
    pub fn append_for_another(&mut self, chunk: &Arc<Chunk>) {
        let (file, start) = self.write(chunk.bytes());
        let home = self.home(file, start);
        self.untold.push((Arc::clone(chunk), home));
    }

    /// Writes octets that no chunk of this life has.
    pub fn write_apart(&mut self, octets: &[u8]) -> Home {
        let (file, start) = self.write(octets);
        self.home(file, start)
    }

    /// Tells every chunk that is written where it lies.
    pub fn tell(&mut self) {
        for (chunk, home) in self.untold.drain(..) {
            chunk.set_home(home);
        }
    }

    /// Takes a checkpoint that says this of the queue.
    pub fn put_checkpoint(&mut self, mut rows: Vec<Row>) {
        rows.insert(0, Row::Queue(QUEUE));
        self.checkpoint = (self.entries.len(), rows);
    }

    /// Begins a checkpoint: it will know everything that is in the log now, and may know more.
    pub fn begin_checkpoint(&mut self) {
        self.tell();
        self.begun = Some(self.entries.len());
    }

    /// Ends the checkpoint that was begun, with what the queue holds now.
    pub fn end_checkpoint(&mut self, contents: &Contents) {
        if let Some(begun) = self.begun.take() {
            self.checkpoint = (begun, rows_of(contents));
        }
    }

    /// The broker is gone, and with it a checkpoint that was not finished.
    pub fn forget(&mut self) {
        self.begun = None;
        self.tell();
    }

    /// Writes a page of the index.
    pub fn write_page(&mut self, octets: Vec<u8>) -> Arc<StoredPage> {
        let place = self.pages.len() as u64 * 1_000_000;
        let len = octets.len() as u32;
        self.pages.insert(place, octets);
        Arc::new(StoredPage::new(place, len, Arc::clone(&self.freed)))
    }

    /// The octets of a page.
    pub fn page(&self, page: &StoredPage) -> Vec<u8> {
        let octets = &self.pages[&page.place];
        assert_eq!(octets.len(), page.len as usize);
        octets.clone()
    }

    fn octets_at(&self, home: &Home) -> &[u8] {
        let file = &self.files[home.file.number as usize - 1];
        assert!(Arc::ptr_eq(&file.stored, &home.file));
        &file.octets[home.offset as usize..]
    }

    /// The name of the message at `home`, whose body must be what it was made with.
    pub fn name_at(&self, home: &Home) -> String {
        let octets = self.octets_at(home);
        let record = Record::read(octets).expect("a record where a message is said to lie");
        read_name(&Chunk::copied(&octets[..record.len()]), 0)
    }

    /// The name of a message wherever it lies.
    pub fn name_of(&self, body: &Body) -> String {
        match body {
            Body::Held(chunk, offset) => read_name(chunk, *offset),
            Body::Stored(home) => self.name_at(home),
        }
    }

    /// Reads what a queue wants: messages with at most `gap` octets between them at once.
    pub fn read(&self, wanted: &Wanted, gap: u32) -> Read {
        let mut places: Vec<(MessageId, Home, u32)> = Vec::new();
        for (id, home, size) in &wanted.messages {
            let record = Record::read(self.octets_at(home)).unwrap();
            assert_eq!(record.body.len(), *size as usize, "size of what is wanted");
            places.push((*id, home.clone(), home.offset + record.len() as u32));
        }
        places.sort_by_key(|(_, home, _)| (home.file.number, home.offset));
        let near = |a: &(MessageId, Home, u32), b: &(MessageId, Home, u32)| {
            a.1.file.number == b.1.file.number && b.1.offset <= a.2.saturating_add(gap)
        };
        let mut read = Vec::new();
        for span in places.chunk_by(near) {
            let first = &span[0].1;
            let end = span.iter().map(|(.., end)| *end).max().unwrap();
            let octets = &self.octets_at(first)[..(end - first.offset) as usize];
            let chunk = Chunk::loaded(octets.to_vec(), first.clone());
            read.extend(span.iter().map(|(id, ..)| (*id, Arc::clone(&chunk))));
        }
        let page = wanted.page.as_ref();
        Read {
            damaged: Vec::new(),
            messages: read,
            page: page.map(|(priority, base, page)| {
                (*priority, *base, Arc::clone(page), self.page(page))
            }),
        }
    }

    /// What the checkpoint and the entries behind it say of the queue, each entry told `times` times,
    /// in their order or, with a seed, in any.
    pub fn recover(&self, times: usize, shuffle: Option<u64>) -> Contents {
        let (known, rows) = &self.checkpoint;
        let entries = &self.entries[*known..];
        let mut order: Vec<usize> = (0..entries.len() * times).collect();
        if let Some(seed) = shuffle {
            order.sort_by_key(|at| mixed(seed, *at as u64));
        }
        let mut replay = Replay::default();
        for row in rows {
            replay.take_row(row.clone());
        }
        for at in order {
            let (file, start, len) = entries[at % entries.len()];
            let payload = &self.files[file].octets[start..start + len];
            let records = batch::records_start(payload);
            let home = self.home(file, start + records as usize);
            let size = |offset: u32| {
                let octets = self.octets_at(&home.at(offset));
                Record::read(octets).unwrap().body.len() as u32
            };
            let end = batch::read(payload, |fact| replay.take(fact, &home, size));
            assert_eq!(end, Ok(records));
        }
        let files = self.files.iter().map(|file| &file.stored);
        let pages = replay.pages().iter().map(|(place, len)| {
            let freed = Arc::clone(&self.freed);
            Arc::new(StoredPage::new(*place, *len, freed))
        });
        let places = Places {
            files: files.map(|file| (file.number, Arc::clone(file))).collect(),
            pages: pages.map(|page| (page.place, page)).collect(),
            read: &|page| Ok(self.page(page)),
        };
        let found = replay.contents_of(QUEUE, &places);
        found.expect("every place is known").unwrap_or_default()
    }

    /// Nothing in any file is wanted any more.
    pub fn assert_dead(&mut self) {
        self.untold.clear();
        for file in &self.files {
            let live = file.stored.live_bytes() as i64 - ALWAYS_LIVE;
            assert_eq!(live, 0, "live octets of file {}", file.stored.number);
            assert_eq!(Arc::strong_count(&file.stored), 1, "who holds it?");
        }
    }
}

/// What a checkpoint says of the queue.
fn rows_of(contents: &Contents) -> Vec<Row> {
    let mut rows = vec![Row::Queue(QUEUE)];
    for (priority, level) in contents.levels() {
        rows.push(Row::Level {
            priority,
            next: level.next(),
            delivered: level.delivered_below().checked_sub(1),
        });
        let mut from = Some(0);
        while let Some(at) = from {
            from = level.show(at, |shown| rows.extend(row_of(&shown)));
        }
    }
    rows
}

fn row_of(shown: &Shown<'_>) -> Option<Row> {
    match shown {
        Shown::Away(block) => Some(Row::Away(AwayRow::of(block))),
        Shown::Message(number, meta, home) => {
            let home = home.as_ref().filter(|_| meta.logged)?;
            Some(Row::Message(MessageRow::of(*number, meta, home)))
        }
    }
}

/// A number that looks like any other for each `at`.
fn mixed(seed: u64, at: u64) -> u64 {
    let mut x = seed ^ at.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}
