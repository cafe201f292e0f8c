//! A store with one queue, written and started by the code of the broker's own.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;

use crate::definitions::command::Command;
use crate::definitions::rows::QueueRow;
use crate::definitions::state::State;
use crate::definitions::{Recovery, snapshot};
use crate::ids::Name;
use crate::message::{Chunk, Home, Record, record};
use crate::queue::level::Shown;
use crate::queue::{Arriving, block::Block, page};
use crate::store::batch::Draft;
use crate::store::bodies::{Bodies, Step};
use crate::store::checkpoint;
use crate::store::io::{Disk, RealDisk};
use crate::store::pages::Pages;
use crate::store::repair::{self, Kinds, Outcome, Report};
use crate::store::replay::{Places, Replay};
use crate::store::{
    AwayRow, CheckpointWriter, Entry, Log, LogOptions, MessageRow, Position, StoreError, Wake,
};

pub const KINDS: Kinds = Kinds {
    batch: 1,
    definition: 2,
};

/// The queue.
pub const QUEUE: u64 = 7;

struct Nobody;

impl Wake for Nobody {
    fn wake(&self) {}
}

pub struct Store {
    pub folder: TempDir,
    log: Option<Arc<Log>>,
    /// Where each message's record lies.
    pub homes: BTreeMap<u64, Home>,
    definitions: u64,
}

/// What a start found: number and whether it counts as delivered.
pub type Started = Result<Vec<(u64, bool)>, StoreError>;

fn options() -> LogOptions {
    LogOptions {
        segment_bytes: 4_096,
        buffer_bytes: 1024 * 1024,
        reserve_bytes: 0,
    }
}

pub fn declare(id: u64, name: &str) -> Command {
    Command::DeclareQueue(QueueRow {
        id,
        vhost: Name::from("/"),
        name: Name::from(name),
        kind: "classic".to_owned(),
        auto_delete: false,
        arguments: Default::default(),
        declared_by: Name::from("u"),
    })
}

impl Store {
    /// A new one, in which the queue is declared.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("log")).unwrap();
        fs::create_dir(folder.path().join("index")).unwrap();
        let mut state = State::default();
        state.apply(1, &declare(QUEUE, "orders"), &mut Vec::new());
        snapshot::save(folder.path(), 1, &state).unwrap();
        let disk = Arc::new(RealDisk::new(folder.path().join("log")));
        let log = Log::open(disk, options(), Position::ZERO, &mut |_, _| {}, &mut |_| {
            Ok(())
        });
        Self {
            folder,
            log: Some(log.unwrap()),
            homes: BTreeMap::new(),
            definitions: 1,
        }
    }

    /// One with so many messages, each in a batch of its own.
    pub fn filled(messages: u64) -> Self {
        let mut store = Self::new();
        store.publish(0..messages);
        store
    }

    fn log(&self) -> &Arc<Log> {
        self.log.as_ref().unwrap()
    }

    fn append(&self, entry: Entry) {
        self.log().append(entry);
        while self.log().step().unwrap() {}
    }

    pub fn publish(&mut self, numbers: std::ops::Range<u64>) {
        for number in numbers {
            let mut data = Vec::new();
            let body = format!("{number:0100}");
            let record = Record {
                // Two short strings: no exchange, the queue.
                route: b"\0\x06orders",
                body: body.as_bytes(),
                ..Record::default()
            };
            record.write(&mut data);
            let chunk = Chunk::new(data);
            let mut draft = Draft::default();
            draft.set_chunk(&chunk);
            draft.placed(QUEUE, number, u64::MAX, [0u32].into_iter());
            let (head, data) = draft.finish();
            self.append(Entry::local(KINDS.batch, head, data));
            self.homes.insert(number, chunk.home().unwrap().clone());
        }
    }

    /// Publishes a message whose record lies in a file of its own.
    pub fn publish_large(&mut self, number: u64) {
        let bodies = Bodies::open(self.log_disk()).unwrap();
        let mut data = Vec::new();
        record::start(&mut data, b"\0\x06orders", &[0, 0], &[], 100);
        record::mark_sealed(&mut data, 0);
        data.extend_from_slice(format!("{number:0100}").as_bytes());
        let mut spool = bodies.begin(100, true, Arc::new(Nobody));
        spool.push(data);
        spool.finish(true);
        while bodies.step().unwrap() == Step::Done {}
        let chunk = spool.chunk();
        let mut draft = Draft::default();
        draft.set_chunk(&chunk);
        draft.placed(QUEUE, number, u64::MAX, [0u32].into_iter());
        self.append(Entry::local(KINDS.batch, draft.finish().0, None));
        self.homes.insert(number, spool.home());
    }

    fn log_disk(&self) -> Arc<dyn Disk> {
        Arc::new(RealDisk::new(self.folder.path().join("log")))
    }

    pub fn settle(&self, first: u64, len: u32) {
        let mut draft = Draft::default();
        draft.settled(QUEUE, first, len);
        self.append(Entry::local(KINDS.batch, draft.finish().0, None));
    }

    pub fn define(&mut self, command: &Command) {
        self.definitions += 1;
        self.append(Entry {
            index: self.definitions,
            ..Entry::local(KINDS.definition, command.encode(), None)
        });
    }

    fn index(&self) -> Arc<dyn Disk> {
        Arc::new(RealDisk::new(self.folder.path().join("index")))
    }

    fn row(&self, number: u64) -> MessageRow {
        let home = &self.homes[&number];
        MessageRow {
            number,
            file: home.file.number,
            offset: home.offset,
            size: 100,
            redelivered: false,
            count: 0,
            expires_at: u64::MAX,
        }
    }

    /// Writes a checkpoint of these messages: those below `paged` lie in pages of 50.
    pub fn checkpoint(&self, live: std::ops::Range<u64>, paged: u64) {
        let (pages, _) = Pages::open(self.index(), &[]).unwrap();
        let mut writer = CheckpointWriter::new(self.index(), self.log().position()).unwrap();
        writer.queue(QUEUE).unwrap();
        writer.level(0, live.end, None).unwrap();
        let mut next = live.start;
        while next < paged {
            let mut block = Block::new(next);
            for number in next..next + 50 {
                let message = Arriving {
                    offset: 0,
                    size: 100,
                    expires_at: u64::MAX,
                    logged: true,
                };
                block.push_stored(&self.homes[&number], message);
            }
            let draft = page::draft(&block).unwrap();
            let page = pages.write(&draft.octets).unwrap();
            let away = draft.at(page);
            let files = away.files.iter();
            let row = AwayRow {
                base: away.base,
                span: away.span,
                live: away.live,
                bytes: away.bytes,
                first: away.first,
                earliest_expiry: away.earliest_expiry,
                page: (away.page.place, away.page.len),
                files: files
                    .map(|(f, live)| (f.number, live.cast_unsigned()))
                    .collect(),
            };
            writer.away(&row).unwrap();
            next += 50;
        }
        for number in next..live.end {
            writer.message(&self.row(number)).unwrap();
        }
        pages.sync().unwrap();
        writer.finish().unwrap();
    }

    pub fn recycle(&self) {
        let none = BTreeSet::new();
        self.log().recycle(self.log().position(), &none).unwrap();
    }

    pub fn log_file(&self, number: u32) -> PathBuf {
        self.folder.path().join(format!("log/{number:010}.log"))
    }

    /// Flips an octet of a file.
    pub fn flip(&self, file: &str, offset: u64) {
        let path = self.folder.path().join(file);
        let mut octets = fs::read(&path).unwrap();
        octets[usize::try_from(offset).unwrap()] ^= 0x10;
        fs::write(&path, octets).unwrap();
    }

    /// Flips an octet of a message's record, `by` from its first.
    pub fn flip_record(&self, number: u64, by: i64) {
        let home = &self.homes[&number];
        let file = format!("log/{}", home.file.name());
        self.flip(&file, u64::from(home.offset).strict_add_signed(by));
    }

    /// Every file and its octets.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut folders = vec![self.folder.path().to_owned()];
        let mut files = BTreeMap::new();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.insert(path.clone(), fs::read(&path).unwrap());
                }
            }
        }
        files
    }

    pub fn check(&self) -> Report {
        let before = self.files();
        let report = repair::check(self.folder.path(), KINDS, &mut |_, _, _| {}).unwrap();
        assert!(before == self.files(), "the check changed something");
        report
    }

    pub fn repair(&self) -> Outcome {
        repair::repair(self.folder.path(), KINDS, &mut |_, _, _| {}).unwrap()
    }

    /// Stops the log as a kill does.
    pub fn kill(&mut self) {
        self.log = None;
    }

    /// Starts as the broker does and tells what the queue holds; the log can be written then.
    pub fn start(&mut self) -> Started {
        self.kill();
        let mut found = Replay::default();
        let index = self.index();
        let from = checkpoint::read(&*index, &mut |row| {
            found.take_row(row);
            Ok(())
        })?;
        let (pages, stored) = Pages::open(index, found.pages())?;
        let mut definitions = Recovery::open(self.folder.path()).unwrap();
        let disk = Arc::new(RealDisk::new(self.folder.path().join("log")));
        let from = from.unwrap_or(Position::ZERO);
        let log = Log::open(disk, options(), from, &mut |_, _| {}, &mut |entry| {
            if entry.kind == KINDS.definition {
                let replayed = definitions.replay(entry.index, entry.payload);
                return replayed.map_err(|error| StoreError::Refused(error.to_string()));
            }
            found.take_entry(entry, &|_, _| true, &mut |_, _, _| Ok(true))
        })?;
        let bodies = Bodies::open(self.log_disk()).unwrap();
        definitions.finish().unwrap().0.close();
        let places = Places {
            files: log
                .files()
                .into_iter()
                .chain(bodies.files())
                .map(|(f, _)| (f.number, f))
                .collect(),
            pages: stored.into_iter().map(|page| (page.place, page)).collect(),
            read: &|page| pages.read(page),
        };
        let contents = found.contents_of(QUEUE, &places)?.unwrap_or_default();
        let mut shown = Vec::new();
        for (_, level) in contents.levels() {
            let mut from = Some(0);
            while let Some(at) = from {
                from = level.show(at, |item| match item {
                    Shown::Message(number, meta, home) => {
                        let delivered = meta.redelivered || number < level.delivered_below();
                        shown.push((number, delivered));
                        let home = home.unwrap();
                        let octets = match home.file.is_body() {
                            true => bodies.read(home.file.number, home.offset, 200),
                            false => log.read(&home.file, home.offset, 200),
                        };
                        let octets = octets.unwrap();
                        let record = Record::read(&octets).unwrap();
                        assert_eq!(record.body, format!("{number:0100}").as_bytes());
                    }
                    Shown::Away(away) => {
                        let octets = pages.read(&away.page).unwrap();
                        let block = page::read(&octets, away).unwrap();
                        let entries = block.live_entries();
                        shown.extend(entries.map(|(number, meta, _)| (number, meta.redelivered)));
                    }
                });
            }
        }
        drop(contents);
        self.log = Some(log);
        Ok(shown)
    }

    /// Starts, and tells the numbers of what the queue holds.
    pub fn started(&mut self) -> Vec<u64> {
        let found = self.start().unwrap();
        found.into_iter().map(|(number, _)| number).collect()
    }
}
