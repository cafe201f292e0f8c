//! What the sampler remembers.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;

use super::history::{History, ROUNDS};
use super::message_counts::{MessageCounts, SERIES};
use super::points::{Point, Range, resample};
use super::tiers::Tiers;
use super::totals::Totals;
use super::views::node::Resources;
use crate::broker::Vhost;
use crate::ids::Name;
use crate::store::io::IoCounts;

/// Series of a virtual host, and of the node: ready, unacknowledged, octets received and sent, then
/// [`MessageCounts::series`].
pub const TOTAL_SERIES: usize = 4 + SERIES;

/// Series of comings and goings: connections created and closed, channels created and closed,
/// queues declared, created and deleted.
pub const CHURN_SERIES: usize = 7;

/// Series of the node's resources; see [`super::views::node::Resources::series`].
pub const RESOURCE_SERIES: usize = 11;

/// What has been seen.
#[derive(Debug, Default)]
pub struct Observer(Mutex<Seen>, Arc<IoCounts>);

#[derive(Debug, Default)]
struct Seen {
    /// When the last rounds were, the latest first, in milliseconds since the epoch.
    rounds: VecDeque<u64>,
    vhosts: HashMap<Name, Tiers<TOTAL_SERIES>>,
    node: Tiers<TOTAL_SERIES>,
    churn: Tiers<CHURN_SERIES>,
    resources: Tiers<RESOURCE_SERIES>,
    /// Sums of virtual hosts that were deleted.
    deleted: Totals,
    /// Deleted virtual hosts that connections have not left yet.
    ending: Vec<Arc<Vhost>>,
    used: Resources,
    totals: Totals,
}

/// Two rounds of an object's series and the time between them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step<const N: usize> {
    /// The latest.
    pub latest: [u64; N],
    /// The one before.
    pub before: [u64; N],
    /// Seconds between them; 0 when there has been one round at most.
    pub seconds: f64,
}

impl<const N: usize> Default for Step<N> {
    fn default() -> Self {
        Self {
            latest: [0; N],
            before: [0; N],
            seconds: 0.0,
        }
    }
}

impl<const N: usize> Step<N> {
    fn new(latest: [u64; N], before: [u64; N], apart_ms: u64) -> Self {
        Self {
            latest,
            before,
            seconds: apart_ms as f64 / 1000.0,
        }
    }

    /// The change of series `at` per second; falling gauges give less than 0.
    pub fn rate(&self, at: usize) -> f64 {
        let (Some(latest), Some(before)) = (self.latest.get(at), self.before.get(at)) else {
            return 0.0;
        };
        if self.seconds <= 0.0 || latest == before {
            return 0.0;
        }
        (*latest as f64 - *before as f64) / self.seconds
    }
}

/// The series of sums.
pub fn total_series(totals: &Totals) -> [u64; TOTAL_SERIES] {
    let mut series = [0; TOTAL_SERIES];
    let lengths = [
        totals.depth.ready,
        totals.depth.unacked,
        totals.recv_oct,
        totals.send_oct,
    ];
    let values = lengths.into_iter().chain(totals.counts.series());
    for (place, value) in series.iter_mut().zip(values) {
        *place = value;
    }
    series
}

/// The counts in a series of sums.
pub fn counts_of(series: &[u64; TOTAL_SERIES]) -> MessageCounts {
    let mut counts = [0; SERIES];
    for (place, value) in counts.iter_mut().zip(series.iter().skip(4)) {
        *place = *value;
    }
    MessageCounts::from_series(counts)
}

impl Observer {
    /// A round begins; returns its time for those who note their values in it.
    pub(super) fn begin_round(&self, now: u64) {
        let mut seen = self.0.lock();
        seen.rounds.push_front(now);
        seen.rounds.truncate(ROUNDS);
    }

    /// Notes the sums of the virtual hosts, which are all there are.
    pub(super) fn note_vhosts(&self, all: &[(Name, Totals)], now: u64) {
        let mut seen = self.0.lock();
        let mut before = std::mem::take(&mut seen.vhosts);
        for (name, totals) in all {
            let series = total_series(totals);
            // One where nothing has ever happened has no history.
            if series == [0; TOTAL_SERIES] && !before.contains_key(name) {
                continue;
            }
            let mut tiers = before.remove(name).unwrap_or_default();
            tiers.note(series, now);
            seen.vhosts.insert(name.clone(), tiers);
        }
    }

    /// Notes the node's sums.
    pub(super) fn note_node(
        &self,
        totals: &Totals,
        churn: [u64; CHURN_SERIES],
        used: Resources,
        now: u64,
    ) {
        let mut seen = self.0.lock();
        seen.node.note(total_series(totals), now);
        seen.churn.note(churn, now);
        seen.resources.note(used.series(), now);
        seen.used = used;
        seen.totals = *totals;
    }

    /// Forgets every sample. Objects keep theirs, but nobody knows any more when they were taken.
    pub fn forget(&self) {
        let mut seen = self.0.lock();
        seen.rounds.clear();
        seen.vhosts.clear();
        seen.node = Tiers::default();
        seen.churn = Tiers::default();
        seen.resources = Tiers::default();
    }

    /// The node's sums in the last round.
    pub fn totals(&self) -> Totals {
        self.0.lock().totals
    }

    /// What is asked of the store's disk; whoever opens the store counts it there.
    pub fn io(&self) -> &Arc<IoCounts> {
        &self.1
    }

    /// What the process used in the last round.
    pub fn resources(&self) -> Resources {
        self.0.lock().used
    }

    /// A virtual host was deleted: its sums stay in those of the node.
    pub fn vhost_deleted(&self, vhost: Arc<Vhost>) {
        self.0.lock().ending.push(vhost);
    }

    /// Sums of virtual hosts that were deleted. What their connections count comes in when they end.
    pub fn deleted_vhosts(&self) -> Totals {
        let mut seen = self.0.lock();
        let ending = std::mem::take(&mut seen.ending);
        let mut sum = seen.deleted;
        for vhost in ending {
            let totals = Totals::of_ended(&vhost);
            sum += totals;
            if Arc::strong_count(&vhost) == 1 {
                seen.deleted += totals;
            } else {
                seen.ending.push(vhost);
            }
        }
        sum
    }

    /// The last two rounds of an object.
    pub fn step<const N: usize, const G: usize, const S: u32>(
        &self,
        history: &History<N, G, S>,
    ) -> Step<N> {
        let (latest, before) = history.last_two();
        let apart = {
            let seen = self.0.lock();
            match (seen.rounds.front(), seen.rounds.get(1)) {
                (Some(last), Some(before)) => last.saturating_sub(*before),
                _ => 0,
            }
        };
        Step::new(latest, before, apart)
    }

    /// Samples of an object, the newest first, as far back as they are kept.
    pub fn samples<const N: usize, const G: usize, const S: u32>(
        &self,
        history: &History<N, G, S>,
        range: Range,
        now: u64,
    ) -> Vec<Point<N>> {
        let rounds: Vec<u64> = self.0.lock().rounds.iter().copied().collect();
        let values = history.rounds(rounds.len());
        let points: Vec<Point<N>> = rounds
            .into_iter()
            .zip(values)
            .map(|(at, values)| Point { at, values })
            .collect();
        resample(&points, range, now)
    }

    fn read<const N: usize, R>(
        &self,
        pick: impl FnOnce(&Seen) -> Option<&Tiers<N>>,
        read: impl FnOnce(&Tiers<N>) -> R,
    ) -> Option<R> {
        pick(&self.0.lock()).map(read)
    }

    /// The last two rounds of a virtual host.
    pub fn vhost_step(&self, name: &Name) -> Step<TOTAL_SERIES> {
        self.read(|seen| seen.vhosts.get(name), step_of)
            .unwrap_or_default()
    }

    /// Samples of a virtual host.
    pub fn vhost_samples(&self, name: &Name, range: Range, now: u64) -> Vec<Point<TOTAL_SERIES>> {
        let read = |tiers: &Tiers<TOTAL_SERIES>| tiers.samples(range, now);
        self.read(|seen| seen.vhosts.get(name), read)
            .unwrap_or_default()
    }

    /// The last two rounds of the node's sums.
    pub fn node_step(&self) -> Step<TOTAL_SERIES> {
        step_of(&self.0.lock().node)
    }

    /// Samples of the node's sums.
    pub fn node_samples(&self, range: Range, now: u64) -> Vec<Point<TOTAL_SERIES>> {
        self.0.lock().node.samples(range, now)
    }

    /// The last two rounds of comings and goings.
    pub fn churn_step(&self) -> Step<CHURN_SERIES> {
        step_of(&self.0.lock().churn)
    }

    /// Samples of comings and goings.
    pub fn churn_samples(&self, range: Range, now: u64) -> Vec<Point<CHURN_SERIES>> {
        self.0.lock().churn.samples(range, now)
    }

    /// The last two rounds of the node's resources.
    pub fn resource_step(&self) -> Step<RESOURCE_SERIES> {
        step_of(&self.0.lock().resources)
    }

    /// Samples of the node's resources.
    pub fn resource_samples(&self, range: Range, now: u64) -> Vec<Point<RESOURCE_SERIES>> {
        self.0.lock().resources.samples(range, now)
    }
}

fn step_of<const N: usize>(tiers: &Tiers<N>) -> Step<N> {
    match tiers.last_two() {
        Some((latest, before, apart)) => Step::new(latest, before, apart),
        None => Step::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_known_of_before_a_reset() {
        let observer = Observer::default();
        let history = History::<1, 0, 0>::default();
        let node = |observer: &Observer, now| {
            let totals = Totals::default();
            observer.begin_round(now);
            observer.note_node(&totals, [now; CHURN_SERIES], Resources::default(), now);
        };
        for now in [5_000, 10_000] {
            node(&observer, now);
            history.note([now], now);
        }
        assert_eq!(observer.step(&history).rate(0), 1000.0);
        assert_eq!(observer.churn_step().rate(0), 1000.0);
        observer.forget();
        assert_eq!(observer.step(&history).seconds, 0.0);
        assert_eq!(observer.churn_step(), Step::default());
        // The next round alone tells no rate; the one after it does.
        for (now, rate) in [(15_000, 0.0), (20_000, 1000.0)] {
            node(&observer, now);
            history.note([now], now);
            assert_eq!(observer.step(&history).rate(0), rate);
            assert_eq!(observer.churn_step().rate(0), rate);
        }
    }
}
