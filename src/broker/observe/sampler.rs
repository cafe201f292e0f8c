//! Looks at every object once in a while and notes how it is.

use std::sync::Arc;
use std::time::Duration;

use super::totals::{Snapshot, Totals, by_vhost, churn};
use super::views::node::Resources;
use super::views::{channel, queue};
use crate::broker::Broker;
use crate::ids::Name;
use crate::time::unix_ms;

/// Objects that are looked at before others get the thread.
const AT_ONCE: usize = 256;

/// Runs a round every `interval` until the task is dropped.
pub async fn run(broker: Arc<Broker>, interval: Duration) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        round(&broker, unix_ms()).await;
    }
}

/// One round at `now`, in milliseconds since the epoch.
pub async fn round(broker: &Broker, now: u64) {
    broker.observer.begin_round(now);
    let mut seen = 0;
    let mut hosts: Vec<(Name, Totals)> = Vec::new();
    let groups = by_vhost(broker);
    for vhost in broker.vhosts() {
        let name = String::from_utf8_lossy(vhost.name.as_bytes());
        let own = groups.get(name.as_ref()).map_or(&[][..], Vec::as_slice);
        let snapshot = Snapshot::take(&vhost, own);
        let mut totals = snapshot.totals(&vhost);
        for queue in &snapshot.queues {
            let survey = queue.survey();
            queue.history.note(queue::series(&survey), now);
            queue.utilisation.note(survey.has_taker);
            totals.add_queue(queue, &survey);
            pause(&mut seen).await;
        }
        for handle in own {
            let traffic = &handle.traffic;
            let octets = [traffic.recv_oct.get(), traffic.send_oct.get()];
            traffic.history.note(octets, now);
            for stats in traffic.channels() {
                stats.history.note(channel::series(&stats.counts()), now);
                pause(&mut seen).await;
            }
        }
        for counts in vhost.exchange_counts() {
            let series = [counts.publish_in.get(), counts.publish_out.get()];
            counts.history.note(series, now);
            pause(&mut seen).await;
        }
        totals.finish();
        hosts.push((vhost.name.clone(), totals));
    }
    let mut node = broker.observer.deleted_vhosts();
    for (_, totals) in &hosts {
        node += *totals;
    }
    broker.observer.note_vhosts(&hosts, now);
    let objects = node.connections + node.channels + node.queues;
    let resources = Resources::measure(broker, objects);
    let churn = churn(broker);
    broker.observer.note_node(&node, churn, resources, now);
}

async fn pause(seen: &mut usize) {
    *seen += 1;
    if seen.is_multiple_of(AT_ONCE) {
        tokio::task::yield_now().await;
    }
}
