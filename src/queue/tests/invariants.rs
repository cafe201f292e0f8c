//! What must hold whatever the queue decides, read off its deliveries and dead letters alone.

use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub struct Ledger {
    /// Everything that was ever accepted, with its expiry.
    accepted: BTreeMap<String, Entry>,
    gone: u64,
}

#[derive(Debug)]
struct Entry {
    /// Its place among the accepted.
    number: u64,
    priority: u8,
    expires_at: u64,
    first_seen: bool,
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Ready,
    Out(Option<u64>),
    Held,
    Gone,
}

impl Ledger {
    pub fn accept(&mut self, name: &str, priority: u8, expires_at: u64) {
        let entry = Entry {
            number: self.accepted.len() as u64,
            priority,
            expires_at,
            first_seen: false,
            fate: Fate::Ready,
        };
        let known = self.accepted.insert(name.to_owned(), entry);
        assert!(known.is_none(), "{name} accepted twice");
    }

    fn entry(&mut self, name: &str) -> &mut Entry {
        let entry = self.accepted.get_mut(name);
        entry.unwrap_or_else(|| panic!("{name} was never accepted"))
    }

    /// A delivery to a consumer, or to `basic.get` without one.
    pub fn delivered(&mut self, name: &str, to: Option<u64>, no_ack: bool, now: u64) {
        let entry = self.entry(name);
        assert_eq!(entry.fate, Fate::Ready, "{name} given to two");
        assert!(entry.expires_at >= now, "{name} delivered after its expiry");
        entry.first_seen = true;
        entry.fate = if no_ack { Fate::Gone } else { Fate::Out(to) };
        self.gone += u64::from(no_ack);
    }

    /// First deliveries of one priority go by age: none older of the same priority may still wait
    /// unseen, unless it had expired.
    /// Asked when everything that happened at the same time has been entered.
    pub fn check_order(&self, name: &str, now: u64) {
        let given = &self.accepted[name];
        let skipped = self.accepted.iter().find(|(_, older)| {
            older.priority == given.priority
                && older.number < given.number
                && !older.first_seen
                && older.fate == Fate::Ready
                && older.expires_at >= now
        });
        if let Some((older, _)) = skipped {
            panic!("{name} delivered before {older}");
        }
    }

    pub fn returned(&mut self, name: &str) {
        let entry = self.entry(name);
        assert!(matches!(entry.fate, Fate::Out(_)), "{name} was not out");
        entry.fate = Fate::Ready;
    }

    pub fn left(&mut self, name: &str) {
        let entry = self.entry(name);
        assert_ne!(entry.fate, Fate::Gone, "{name} left twice");
        entry.fate = Fate::Gone;
        self.gone += 1;
    }

    pub fn held(&mut self, name: &str) {
        self.entry(name).fate = Fate::Held;
    }

    /// Everybody who had some has gone: what is not gone waits.
    pub fn restarted(&mut self) {
        for entry in self.accepted.values_mut() {
            if entry.fate != Fate::Gone {
                entry.fate = Fate::Ready;
            }
        }
    }

    /// How many wait, are out, and are held.
    pub fn census(&self) -> (u64, u64, u64) {
        let count = |wanted: fn(Fate) -> bool| {
            let entries = self.accepted.values();
            entries.filter(|entry| wanted(entry.fate)).count() as u64
        };
        let ready = count(|fate| fate == Fate::Ready);
        let out = count(|fate| matches!(fate, Fate::Out(_)));
        let held = count(|fate| fate == Fate::Held);
        let all = self.accepted.len() as u64;
        assert_eq!(ready + out + held + self.gone, all, "conservation");
        (ready, out, held)
    }

    /// What a consumer has and has not settled.
    pub fn out_of(&self, consumer: u64) -> u64 {
        let entries = self.accepted.values();
        entries
            .filter(|entry| entry.fate == Fate::Out(Some(consumer)))
            .count() as u64
    }

    /// Takes out what left without a trace: dropped where there is no dead-letter exchange.
    pub fn left_unseen(&mut self, still_there: impl Fn(&str) -> bool) {
        for (name, entry) in &mut self.accepted {
            if entry.fate != Fate::Gone && !still_there(name) {
                entry.fate = Fate::Gone;
                self.gone += 1;
            }
        }
    }

    /// When the first of those that wait expires.
    pub fn first_expiry(&self) -> u64 {
        let entries = self.accepted.values();
        let ready = entries.filter(|entry| entry.fate == Fate::Ready);
        ready
            .map(|entry| entry.expires_at)
            .min()
            .unwrap_or(u64::MAX)
    }
}
