//! Scenarios: users, permissions and vhosts that were imported once are kept.

use super::restart::{Life, SOURCE, durable, keep_texts};
use crate::prelude::*;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "restart.clean.access",
        "imported users, permissions and vhosts are there without the file they came from",
        SOURCE,
        |ctx| Life::run_with(ctx, Ending::Clean, &definitions(), access),
    )
    .seconds(180),
    Scenario::new(
        "restart.kill.access",
        "imported users, permissions and vhosts are there without the file they came from",
        SOURCE,
        |ctx| Life::run_with(ctx, Ending::Kill, &definitions(), access),
    )
    .seconds(180),
    Scenario::new(
        "restart.clean.vhosts",
        "queues of one name in several vhosts keep their own messages",
        SOURCE,
        |ctx| Life::run_with(ctx, Ending::Clean, &definitions(), vhosts),
    )
    .seconds(180),
    Scenario::new(
        "restart.kill.vhosts",
        "queues of one name in several vhosts keep their own messages",
        SOURCE,
        |ctx| Life::run_with(ctx, Ending::Kill, &definitions(), vhosts),
    )
    .seconds(180),
];

fn definitions() -> String {
    Definitions::new()
        .vhost("other")
        .vhost("with/slash")
        .user("alice")
        .permission("alice", "/", "^alice", "^alice", "^alice")
        .user("topical")
        .permission("topical", "/", ".*", ".*", ".*")
        .topic("topical", "/", "amq.topic", "^mine[.]", ".*")
        .json()
}

fn access(life: &mut Life) -> Result {
    life.channel()?;
    life.broker.forget_definitions();
    life.restart()?;
    let alice = Conn::open(&life.broker.url_for("alice", "secret", "/"))?.channel(1)?;
    durable(&alice, "alice.q")?;
    let text = "access to queue 'other' in vhost '/' refused for user 'alice'";
    alice.refused(&Queue::new("other").durable().method(), 403, text)?;
    let wrong = Conn::open(&life.broker.url_for("alice", "wrong", "/"));
    check!(wrong.is_err(), "any password is taken");
    let elsewhere = Conn::open(&life.broker.url_for("alice", "secret", "other"));
    check!(
        elsewhere.is_err(),
        "alice may use a vhost without permission"
    );
    let topical = Conn::open(&life.broker.url_for("topical", "secret", "/"))?.channel(1)?;
    topical.publish("amq.topic", "mine.a", "m")?;
    topical.sync()?;
    topical.publish("amq.topic", "yours.a", "m")?;
    topical.expect_close_any(&[403], (60, 40))?;
    for vhost in ["other", "with/slash"] {
        Conn::open(&life.broker.url_for("guest", "guest", vhost))?.expect_alive()?;
    }
    Ok(())
}

fn vhosts(life: &mut Life) -> Result {
    let names = ["/", "other", "with/slash"];
    let open = |life: &Life, vhost: &str| {
        Conn::open(&life.broker.url_for("guest", "guest", vhost))?.channel(1)
    };
    for vhost in names {
        let ch = open(life, vhost)?;
        durable(&ch, "q")?;
        keep_texts(&ch, "q", &[vhost, vhost])?;
    }
    life.broker.forget_definitions();
    life.restart()?;
    for vhost in names {
        check_eq!(open(life, vhost)?.get_all("q")?, [vhost, vhost]);
    }
    Ok(())
}
