//! Scripts for one queue: a line is an operation, the indented lines behind it are all that it
//! gives rise to.
//!
//! | operation | what it does |
//! |---|---|
//! | `queue [length=N] [bytes=N] [overflow=reject\|reject-dlx] [ttl=MS] [expires=MS] [priorities=N] [limit=N] [quorum] [single] [dlx] [at-least-once]` | a new queue; everything else is forgotten, the clock is at 0 |
//! | `consumer NAME [prefetch=N] [priority=N] [connection=N] [no-ack]` | adds one, on a connection of its own unless one is named |
//! | `publish NAME... [priority=N] [ttl=MS] [size=N] [forced]` | one batch in one chunk; bodies have one octet unless told |
//! | `ack`, `reject`, `requeue`, `undeliver NAME...` | settles in one call, consecutive messages as one run |
//! | `get [no-ack]`, `purge`, `tick`, `cancel NAME`, `take-consumers` | as the queue's methods |
//! | `prefetch NAME N`, `revisit NAME`, `room NAME N`, `credit NAME N` | `room` and `credit` only set the connection's |
//! | `bury NAME`, `touch`, `at MS`, `status`, `lease`, `active`, `counters` | |
//!
//! Results: `CONSUMER NAME [redelivered] [count=N]` a delivery, by connection; `parked CONSUMER`;
//! (behind the deliveries, which are handed over last); `refused NAME`; `dead NAME REASON [count=N]
//! [held]`; `wake MS` where the queue asks for a visit earlier than it has asked for already (a
//! `tick` is that visit); `more`; and what the operation returns.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::disk::Disk;
use super::outlet::{Connection, Given, Outlet, Seen, read_name, write_named};
use crate::message::Chunk;
use crate::queue::settle::{SettleRun, Settlement};
use crate::queue::{
    ConsumerKey, ConsumerSpec, Effects, Incoming, MessageId, Overflow, Queue, QueueArguments,
    QueueKind,
};

/// Runs a script; panics at the first operation that does something else than it says.
pub fn run(file: &str, text: &str) {
    let mut stage = Stage::new(QueueArguments::default());
    let mut lines = text.lines().enumerate().peekable();
    while let Some((at, line)) = lines.next() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let mut expected = Vec::new();
        while let Some((_, result)) = lines.next_if(|(_, next)| next.starts_with("  ")) {
            expected.push(result.trim().to_owned());
        }
        let actual = stage.operate(line);
        assert!(
            actual == expected,
            "{file}:{}: {line}\nexpected:\n  {}\nactual:\n  {}\n",
            at + 1,
            expected.join("\n  "),
            actual.join("\n  "),
        );
    }
}

/// The words of an operation: its arguments, and its options by name.
struct Words<'a> {
    plain: Vec<&'a str>,
    options: BTreeMap<&'a str, &'a str>,
}

impl<'a> Words<'a> {
    fn new(words: impl Iterator<Item = &'a str>, flags: &[&str]) -> Self {
        let mut parsed = Self {
            plain: Vec::new(),
            options: BTreeMap::new(),
        };
        for word in words {
            if let Some((name, value)) = word.split_once('=') {
                parsed.options.insert(name, value);
            } else if flags.contains(&word) {
                parsed.options.insert(word, "");
            } else {
                parsed.plain.push(word);
            }
        }
        parsed
    }

    fn has(&mut self, flag: &str) -> bool {
        self.options.remove(flag).is_some()
    }

    fn number<N: std::str::FromStr>(&mut self, name: &str) -> Option<N> {
        let value = self.options.remove(name)?;
        Some(number(value))
    }

    fn done(self) {
        assert!(self.options.is_empty(), "unknown: {:?}", self.options);
    }
}

fn number<N: std::str::FromStr>(text: &str) -> N {
    text.parse()
        .unwrap_or_else(|_| panic!("no number: {text:?}"))
}

struct Stage {
    queue: Queue<Outlet>,
    now: u64,
    connections: BTreeMap<u64, Rc<Connection>>,
    consumers: BTreeMap<String, Outlet>,
    /// Who was given what and has not settled it.
    out: BTreeMap<String, (MessageId, Option<ConsumerKey>)>,
    held: BTreeMap<String, MessageId>,
    last_key: u64,
    /// The earliest visit that the queue has asked for.
    alarm: u64,
}

impl Stage {
    fn new(settings: QueueArguments) -> Self {
        Self {
            queue: Queue::new(settings, false, 0),
            now: 0,
            connections: BTreeMap::new(),
            consumers: BTreeMap::new(),
            out: BTreeMap::new(),
            held: BTreeMap::new(),
            last_key: 0,
            alarm: u64::MAX,
        }
    }

    fn operate(&mut self, line: &str) -> Vec<String> {
        let mut words = line.split_whitespace();
        let verb = words.next().unwrap_or_default();
        let mut effects = Effects::default();
        let mut results = Vec::new();
        let fx = &mut effects;
        match verb {
            "queue" => *self = Self::new(settings(words)),
            "consumer" => self.consumer(words, fx),
            "publish" => self.publish(words, fx, &mut results),
            "ack" => self.settle(words, Settlement::Ack, fx),
            "reject" => self.settle(words, Settlement::Reject, fx),
            "requeue" => self.settle(words, Settlement::Requeue, fx),
            "undeliver" => self.settle(words, Settlement::Undeliver, fx),
            "get" => self.get(words.next() == Some("no-ack"), fx, &mut results),
            "bury" => words.for_each(|name| self.queue.buried(self.held.remove(name).unwrap())),
            "touch" => self.queue.touch(self.now),
            "tick" => {
                self.alarm = u64::MAX;
                self.queue.tick(self.now, fx);
            }
            "purge" => results.push(format!("purged {}", self.queue.purge(fx))),
            "at" => self.now = number(words.next().unwrap()),
            "take-consumers" => {
                let taken = self.queue.take_consumers().into_iter();
                results.extend(taken.map(|(key, _)| self.name_of(key).to_owned()));
            }
            "status" | "lease" | "active" | "counters" => results.push(self.show(verb)),
            _ => self.steer(verb, &words.collect::<Vec<_>>(), fx, &mut results),
        }
        self.results(effects, results)
    }

    /// The operations on one consumer.
    fn steer(&mut self, verb: &str, words: &[&str], fx: &mut Effects, results: &mut Vec<String>) {
        let outlet = self.consumers[words[0]].clone();
        match (verb, words) {
            ("cancel", [name]) => {
                self.consumers.remove(*name);
                if self.queue.remove_consumer(outlet.key, self.now, fx) {
                    results.push("last".to_owned());
                }
            }
            ("revisit", [_]) => self.queue.revisit(outlet.key, self.now, fx),
            ("prefetch", [_, limit]) => {
                self.queue
                    .set_prefetch(outlet.key, number(limit), self.now, fx);
            }
            ("room", [_, room]) => outlet.connection.room.set(number(room)),
            ("credit", [_, credit]) => outlet.connection.credit.set(Some(number(credit))),
            _ => panic!("unknown operation {verb} {words:?}"),
        }
    }

    fn show(&self, what: &str) -> String {
        let queue = &self.queue;
        let never = || "never".to_owned();
        match what {
            "status" => {
                let s = queue.status();
                format!(
                    "ready={} unacked={} bytes={} consumers={}",
                    s.ready, s.unacked, s.ready_bytes, s.consumers
                )
            }
            "lease" => queue.lease_end().map_or_else(never, |at| at.to_string()),
            "active" => match queue.consumers().active() {
                Some(key) => self.name_of(key).to_owned(),
                None => "nobody".to_owned(),
            },
            _ => {
                let c = queue.counters();
                format!(
                    "published={} delivered={} acknowledged={} redelivered={} got={}",
                    c.published,
                    c.delivered + c.delivered_no_ack,
                    c.acknowledged,
                    c.redelivered,
                    c.got + c.got_no_ack
                )
            }
        }
    }

    fn name_of(&self, key: ConsumerKey) -> &str {
        let found = self.consumers.iter().find(|(_, outlet)| outlet.key == key);
        found.map_or("?", |(name, _)| name)
    }

    fn consumer<'a>(&mut self, words: impl Iterator<Item = &'a str>, fx: &mut Effects) {
        let mut words = Words::new(words, &["no-ack"]);
        self.last_key += 1;
        let key = ConsumerKey(self.last_key);
        let number = words.number("connection").unwrap_or(1000 + key.0);
        let connection = self.connections.entry(number);
        let outlet = Outlet {
            connection: Rc::clone(connection.or_insert_with(|| Connection::new(number))),
            key,
        };
        let spec = ConsumerSpec {
            no_ack: words.has("no-ack"),
            exclusive: false,
            priority: words.number("priority").unwrap_or(0),
            prefetch: words.number("prefetch").unwrap_or(0),
        };
        let name = words.plain[0].to_owned();
        words.done();
        let known = self.consumers.insert(name, outlet.clone());
        assert!(known.is_none(), "two consumers of one name");
        self.queue.add_consumer(key, spec, outlet, self.now, fx);
    }

    fn publish<'a>(
        &mut self,
        words: impl Iterator<Item = &'a str>,
        fx: &mut Effects,
        results: &mut Vec<String>,
    ) {
        let mut words = Words::new(words, &["forced"]);
        let size: u32 = words.number("size").unwrap_or(1);
        let priority = words.number("priority").unwrap_or(0);
        let ttl_ms = words.number("ttl").unwrap_or(u64::MAX);
        let forced = words.has("forced");
        let mut data = Vec::new();
        let batch: Vec<Incoming> = words
            .plain
            .iter()
            .zip(0..)
            .map(|(name, publish)| Incoming {
                offset: write_named(&mut data, name, size as usize),
                size,
                priority,
                ttl_ms,
                publish,
                persistent: false,
                forced,
            })
            .collect();
        let names = std::mem::take(&mut words.plain);
        words.done();
        let room = self.queue.has_room(&batch);
        self.queue.enqueue(&Chunk::new(data), &batch, self.now, fx);
        // A queue that has room for the whole batch refuses none of it.
        assert!(!room || fx.refused.is_empty(), "has_room was wrong");
        let refused = fx.refused.drain(..);
        results.extend(refused.map(|at| format!("refused {}", names[at as usize])));
    }

    fn settle<'a>(
        &mut self,
        names: impl Iterator<Item = &'a str>,
        how: Settlement,
        fx: &mut Effects,
    ) {
        let mut runs: Vec<SettleRun> = Vec::new();
        for name in names {
            let (id, consumer) = self.out.remove(name).expect("nobody has it");
            match runs.last_mut().filter(|run| {
                run.consumer == consumer && run.first.raw() + u64::from(run.len) == id.raw()
            }) {
                Some(run) => run.len += 1,
                None => runs.push(SettleRun {
                    first: id,
                    len: 1,
                    consumer,
                    how,
                }),
            }
        }
        self.queue.settle(&runs, self.now, fx);
    }

    fn get(&mut self, no_ack: bool, fx: &mut Effects, results: &mut Vec<String>) {
        let Some(taken) = self.queue.get(no_ack, self.now, fx) else {
            results.push("empty".to_owned());
            return;
        };
        let name = read_name(&taken.chunk, taken.offset);
        results.push(format!(
            "got {name}{} ready={}",
            marks(taken.redelivered, taken.count),
            taken.ready
        ));
        if !no_ack {
            self.out.insert(name, (taken.id, None));
        }
    }

    fn results(&mut self, mut effects: Effects, mut results: Vec<String>) -> Vec<String> {
        let mut parked = Vec::new();
        for connection in self.connections.values() {
            for seen in connection.take_seen() {
                let given = match seen {
                    Seen::Parked(key) => {
                        parked.push(format!("parked {}", self.name_of(key)));
                        continue;
                    }
                    Seen::Given(given) => given,
                };
                let Given {
                    consumer, id, name, ..
                } = given;
                results.push(format!(
                    "{} {name}{}",
                    self.name_of(consumer),
                    marks(given.redelivered, given.count)
                ));
                self.out.insert(name, (id, Some(consumer)));
            }
        }
        results.append(&mut parked);
        for dead in effects.dead.drain(..) {
            let name = Disk::default().name_of(&dead.body);
            let held = if dead.held.is_some() { " held" } else { "" };
            let marks = marks(false, dead.count);
            results.push(format!("dead {name} {}{marks}{held}", dead.reason.name()));
            if let Some(id) = dead.held {
                self.held.insert(name, id);
            }
        }
        if let Some(at) = effects
            .wake_at
            .filter(|at| *at > self.now && *at < self.alarm)
        {
            self.alarm = at;
            results.push(format!("wake {at}"));
        }
        if effects.more {
            results.push("more".to_owned());
        }
        assert!(effects.refused.is_empty(), "only a publish is refused");
        results
    }
}

fn marks(redelivered: bool, count: u32) -> String {
    let mut text = String::new();
    if redelivered {
        text.push_str(" redelivered");
    }
    if count > 0 {
        text.push_str(&format!(" count={count}"));
    }
    text
}

fn settings<'a>(words: impl Iterator<Item = &'a str>) -> QueueArguments {
    let flags = ["quorum", "single", "dlx", "at-least-once"];
    let mut words = Words::new(words, &flags);
    let overflow = match words.options.remove("overflow") {
        None => Overflow::DropHead,
        Some("reject") => Overflow::RejectPublish,
        Some("reject-dlx") => Overflow::RejectPublishDlx,
        Some(other) => panic!("unknown overflow {other}"),
    };
    let settings = QueueArguments {
        kind: match words.has("quorum") {
            true => QueueKind::Quorum,
            false => QueueKind::Classic,
        },
        message_ttl_ms: words.number("ttl"),
        expires_ms: words.number("expires"),
        max_length: words.number("length"),
        max_length_bytes: words.number("bytes"),
        overflow,
        max_priority: words.number("priorities").unwrap_or(0),
        dead_letter_exchange: words.has("dlx").then(|| b"dead".to_vec()),
        at_least_once: words.has("at-least-once"),
        delivery_limit: words.number("limit"),
        single_active_consumer: words.has("single"),
        ..QueueArguments::default()
    };
    words.done();
    settings
}
