//! The ledger finds what it is there to find, and nothing else.

use super::*;

const PLAIN: u16 = 0;
const FAN: u16 = 2;
const PRIORITY: u16 = 3;
const TTL: u16 = 4;
const REJECT: u16 = 5;
const TX: u16 = 7;

fn id(publisher: u16, seq: u32) -> Id {
    Id {
        publisher,
        cycle: 1,
        seq,
    }
}

/// A ledger with confirmed messages 0 to 3 of a publisher.
fn confirmed(publisher: u16) -> Ledger {
    let mut ledger = Ledger::default();
    for seq in 0..4 {
        ledger.publish(id(publisher, seq));
        ledger.confirm(id(publisher, seq), true);
    }
    ledger
}

fn verify(ledger: &mut Ledger, found: &[(&'static str, &[Id])], killed: Instant) -> Vec<Problem> {
    let found = found.iter().map(|(q, ids)| (*q, ids.to_vec())).collect();
    ledger.verify(&found, killed);
    let mut kinds: Vec<Problem> = ledger.problems.drain(..).map(|(kind, _)| kind).collect();
    kinds.sort();
    kinds
}

fn settled(ledger: &mut Ledger, id: Id, queue: &str, how: Settled) {
    ledger.deliver(id, queue);
    ledger.settle(id, queue, how);
    ledger.received(&[(id, how)], queue);
}

/// A kill long after everything that was settled so far.
fn later() -> Instant {
    Instant::now() + GRACE * 2
}

#[test]
fn what_is_all_there_is_no_problem_and_what_is_missing_is_lost() {
    let [a, b, c, d] = [0, 1, 2, 3].map(|n| id(PLAIN, n));
    let mut ledger = confirmed(PLAIN);
    assert_eq!(
        verify(&mut ledger, &[("plain", &[a, b, c, d])], later()),
        []
    );
    let lost = verify(&mut ledger, &[("plain", &[a, c, d])], later());
    assert_eq!(lost, [Problem::Lost]);
    let back = verify(&mut ledger, &[("plain", &[a, b, c, d])], later());
    assert_eq!(back, [Problem::CameBack]);
}

#[test]
fn what_was_not_confirmed_may_be_absent_once() {
    let mut ledger = Ledger::default();
    ledger.publish(id(PLAIN, 0));
    ledger.publish(id(PLAIN, 1));
    let one = [id(PLAIN, 1)];
    assert_eq!(verify(&mut ledger, &[("plain", &one)], later()), []);
    assert_eq!(ledger.counts.unconfirmed_gone, 1);
    let lost = verify(&mut ledger, &[("plain", &[])], later());
    assert_eq!(lost, [Problem::Lost], "it was on disk before");
}

#[test]
fn an_acknowledgement_holds_unless_it_is_young() {
    let all: Vec<Id> = (0..4).map(|n| id(PLAIN, n)).collect();
    for (killed, expected) in [
        (later(), vec![Problem::CameBack]),
        (Instant::now(), Vec::new()),
    ] {
        let mut ledger = confirmed(PLAIN);
        settled(&mut ledger, all[2], "plain", Settled::Acked);
        assert_eq!(verify(&mut ledger, &[("plain", &all)], killed), expected);
        assert_eq!(ledger.counts.acks_undone, 1);
    }
    let mut ledger = confirmed(PLAIN);
    settled(&mut ledger, all[2], "plain", Settled::Acked);
    let others = [all[0], all[1], all[3]];
    assert_eq!(verify(&mut ledger, &[("plain", &others)], later()), []);
    ledger.deliver(all[2], "plain");
    assert_eq!(ledger.problems.len(), 1, "delivered though settled");
}

#[test]
fn each_copy_of_a_fan_out_counts() {
    let all: Vec<Id> = (0..4).map(|n| id(FAN, n)).collect();
    let mut ledger = confirmed(FAN);
    let found: [(&str, &[Id]); 3] = [("fan.1", &all), ("fan.2", &all[1..]), ("fan.3", &all)];
    assert_eq!(verify(&mut ledger, &found, later()), [Problem::Lost]);
}

#[test]
fn a_message_is_in_one_queue_of_its_line() {
    let all: Vec<Id> = (0..4).map(|n| id(TTL, n)).collect();
    let mut ledger = confirmed(TTL);
    assert_eq!(ledger.missing(5, &all[..1]), 3);
    let found: [(&str, &[Id]); 2] = [("ttl.middle", &all[..2]), ("ttl.end", &all[1..])];
    assert_eq!(verify(&mut ledger, &found, later()), [Problem::Twice]);
    assert_eq!(ledger.missing(5, &all), 0);
}

#[test]
fn a_rejected_message_is_a_dead_letter_and_no_other_is() {
    let all: Vec<Id> = (0..4).map(|n| id(REJECT, n)).collect();
    let rejected = || {
        let mut ledger = confirmed(REJECT);
        settled(&mut ledger, all[0], "reject", Settled::Rejected);
        ledger
    };
    let mut good = rejected();
    let found: [(&str, &[Id]); 2] = [("reject", &all[1..]), ("reject.dead", &all[..1])];
    assert_eq!(verify(&mut good, &found, later()), []);
    good.deliver(all[0], "reject.dead");
    assert_eq!(good.problems.len(), 0);
    let lost = verify(&mut rejected(), &[("reject", &all[1..])], later());
    assert_eq!(lost, [Problem::Lost]);
    let undone = verify(&mut rejected(), &[("reject", &all)], later());
    assert_eq!(undone, [Problem::CameBack]);
    let found: [(&str, &[Id]); 2] = [("reject", &all[2..]), ("reject.dead", &all[..2])];
    let misplaced = verify(&mut rejected(), &found, later());
    assert_eq!(misplaced, [Problem::Misplaced]);
}

#[test]
fn what_nobody_published_is_invented() {
    let all: Vec<Id> = (0..5).map(|n| id(PLAIN, n)).collect();
    let mut ledger = confirmed(PLAIN);
    let invented = verify(&mut ledger, &[("plain", &all)], later());
    assert_eq!(invented, [Problem::Invented]);
}

#[test]
fn order_holds_within_a_publisher_and_its_priority() {
    let [a, b, c, d] = [0, 1, 2, 3].map(|n| id(PLAIN, n));
    let mut ledger = confirmed(PLAIN);
    let kinds = verify(&mut ledger, &[("plain", &[a, c, b, d])], later());
    assert_eq!(kinds, [Problem::Disorder]);
    let mut ledger = confirmed(PRIORITY);
    let mut sorted: Vec<Id> = (0..4).map(|n| id(PRIORITY, n)).collect();
    sorted.sort_by_key(|id| (std::cmp::Reverse(id.priority()), id.seq));
    assert_eq!(verify(&mut ledger, &[("priority", &sorted)], later()), []);
}

#[test]
fn a_transaction_is_there_or_not() {
    let all: Vec<Id> = (0..BATCH * 2).map(|n| id(TX, n)).collect();
    let published = || {
        let mut ledger = Ledger::default();
        all.iter().for_each(|id| ledger.publish(*id));
        ledger
    };
    let batch = &all[..BATCH as usize];
    let mut good = published();
    let found: [(&str, &[Id]); 2] = [("tx.1", batch), ("tx.2", batch)];
    assert_eq!(verify(&mut good, &found, later()), []);
    let found: [(&str, &[Id]); 2] = [("tx.1", batch), ("tx.2", &batch[1..])];
    assert_eq!(verify(&mut published(), &found, later()), [Problem::Torn]);
}
