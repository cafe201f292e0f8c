//! Scenarios: policies and limits that were imported take effect at once, and still do after a
//! restart without the file they came from.

use super::restart::{Life, SOURCE, durable, keep_texts};
use crate::prelude::*;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "restart.clean.policies",
        "imported policies hold for queues and exchanges, before and after a restart",
        SOURCE,
        |ctx| Life::run_with(ctx, Ending::Clean, &definitions(), policies),
    )
    .seconds(180),
    Scenario::new(
        "restart.kill.policies",
        "imported policies hold for queues and exchanges, before and after a restart",
        SOURCE,
        |ctx| Life::run_with(ctx, Ending::Kill, &definitions(), policies),
    )
    .seconds(180),
    Scenario::new(
        "restart.clean.limits",
        "imported limits of a vhost refuse what is beyond them, before and after a restart",
        SOURCE,
        |ctx| Life::run_with(ctx, Ending::Clean, &definitions(), limits),
    )
    .seconds(180),
];

fn definitions() -> String {
    Definitions::new()
        .policy("low", "^short", "queues", "{\"max-length\":50}", 1)
        .policy("high", "^short", "queues", "{\"max-length\":2}", 5)
        .policy(
            "dlx",
            "^mortal",
            "queues",
            "{\"dead-letter-exchange\":\"\",\"dead-letter-routing-key\":\"dead\"}",
            0,
        )
        .policy(
            "ae",
            "^deaf",
            "exchanges",
            "{\"alternate-exchange\":\"lost\"}",
            0,
        )
        .parameter(
            "operator_policy",
            "tight",
            "{\"pattern\":\"^short.tight\",\"definition\":{\"max-length\":1},\"priority\":0,\
             \"apply-to\":\"queues\"}",
        )
        .parameter("vhost-limits", "limits", "{\"max-queues\":4}")
        .json()
}

/// What the policies make of messages, told by what is left of them.
fn hold(ch: &Channel) -> Result {
    keep_texts(ch, "short", &["1", "2", "3"])?;
    check_eq!(ch.get_all("short")?, ["2", "3"]);
    keep_texts(ch, "short.tight", &["1", "2", "3"])?;
    check_eq!(ch.get_all("short.tight")?, ["3"]);
    ch.publish("", "mortal", "m")?;
    let got = ch.wait_get("mortal")?;
    ch.reject(got.tag, false)?;
    ch.wait_messages("dead", 1)?;
    ch.purge("dead")?;
    // No binding takes it, so it goes where the policy says.
    ch.publish("deaf", "nowhere", "m")?;
    ch.wait_messages("dead", 1)?;
    ch.purge("dead").map(drop)
}

fn policies(life: &mut Life) -> Result {
    let ch = life.channel()?;
    for queue in ["short", "short.tight", "mortal", "dead"] {
        durable(&ch, queue)?;
    }
    ch.exchange_with(Exchange::new("deaf", "direct").durable())?;
    ch.exchange_with(Exchange::new("lost", "fanout").durable())?;
    ch.bind("dead", "lost", "")?;
    // A policy is no part of what a queue was declared with.
    durable(&ch, "short")?;
    hold(&ch)?;
    life.broker.forget_definitions();
    let ch = life.restart()?;
    hold(&ch)
}

fn limits(life: &mut Life) -> Result {
    let ch = life.channel()?;
    for queue in ["a", "b", "c", "d"] {
        durable(&ch, queue)?;
    }
    let text = "cannot declare queue 'e': queue limit in vhost '/' (4) is reached";
    let beyond = || Queue::new("e").durable().method();
    ch.refused(&beyond(), 406, text)?;
    life.broker.forget_definitions();
    let ch = life.restart()?;
    durable(&ch, "a")?;
    ch.refused(&beyond(), 406, text)?;
    let ch = life.channel()?;
    ch.delete("d").map(drop)?;
    durable(&ch, "e")
}
