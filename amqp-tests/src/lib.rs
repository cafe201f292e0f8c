//! Black-box tests of an AMQP 0-9-1 broker: raw frames, no client library.
//!
//! The binary `scenarios` runs every [`Scenario`] in [`scenarios::all`]
//! against a broker given by URL, and against RabbitMQ 3.10.8 (the oracle)
//! beside it when asked. This crate never links the broker under test.
//!
//! # Writing a scenario
//!
//! A scenario is a function and an entry of its module's `ALL`:
//!
//! ```
//! use amqp_tests::prelude::*;
//!
//! pub const ALL: &[Scenario] = &[Scenario::new(
//!     "queue.get.order",
//!     "basic.get takes messages in the order they were published",
//!     "AMQP 0-9-1 4.7",
//!     order,
//! )];
//!
//! fn order(ctx: &mut Ctx) -> Result {
//!     let ch = ctx.channel()?; // a fresh connection, channel 1
//!     let q = ctx.queue("order"); // unique name, deleted afterwards
//!     ch.declare_with(Queue::new(&q).arg("x-max-length", 10))?;
//!     ch.publish("", &q, "a")?;
//!     let d = ch.wait_get(&q)?; // polls until a message is ready
//!     check_eq!(d.text(), "a");
//!     ch.nack(d.tag, false, true)?;
//!     ch.refused(
//!         &method("queue.declare").set("queue", &q).set("durable", true),
//!         406,
//!         format!(
//!             "inequivalent arg 'durable' for queue '{q}' in vhost '{}': \
//!              received 'true' but current is 'false'",
//!             ctx.vhost()
//!         ),
//!     )
//! }
//! ```
//!
//! * Names: [`Ctx::queue`], [`Ctx::exchange`] are unique and cleaned up, also
//!   after a failure; [`Ctx::name`] is only unique.
//! * Connections: [`Ctx::channel`], [`Ctx::connect`], [`Ctx::connect_with`]
//!   (see [`client::Options`]); more channels by `ch.conn.channel(2)`. All are
//!   closed when the scenario ends.
//! * Words for what a client does are on [`client::Channel`]; what they do not
//!   cover goes by name: `ch.send(&method("basic.qos").set("global", true))`,
//!   `ch.call(..)` also waits for the `-ok`. Fields not set are empty; field
//!   names are the specification's (`reply-code`, `consumer-tag`, `nowait`).
//! * Expectations: `delivery`, `expect_delivery`, `confirm`, `confirms`,
//!   `returned`, `wait_method`, `recv` (the very next message, for order),
//!   `expect_close` on a channel (soft) and on `ch.conn` (hard), `refused` and
//!   `refused_hard` (send and expect the close), `expect_silence` and
//!   `expect_silence_of(queue)` (a round trip, no sleep), `wait_depth`. Texts
//!   are compared exactly with `NAME - ` in front, see [`client::Text`]. After
//!   `expect_close` on a channel, `ch.reopen()` opens the same number again.
//! * Deviations (allowed ones only): `ctx.on(rabbit_value, leveret_value)` or
//!   `ctx.is_rabbit()` choose the expected result; mark the entry with
//!   [`Scenario::deviation`].
//! * Own broker: [`Ctx::private`] starts one with a configuration and a
//!   definitions file, of the same product as the target, shared by scenarios
//!   with equal settings; [`Ctx::private_own`] is not shared. Such a broker
//!   can be stopped or killed ([`suite::Broker::end`]) and started again on its
//!   data ([`Ctx::start_again`]); scenarios that hold after both are written
//!   with `restart::Life`.
//! * The management API: [`Ctx::http`] and [`suite::Broker::http`] give an
//!   [`http::Http`] as guest, and skip the scenario where the API is not to be
//!   tested (no `--http-url`). Statistics lag by some seconds: poll with
//!   [`suite::eventually`].
//! * [`check!`] and [`check_eq!`] fail with place and values; a panic fails the
//!   one scenario too. 20 seconds are the limit unless [`Scenario::seconds`].

pub mod client;
pub mod http;
pub mod scenarios;
pub mod suite;
pub mod wire;

pub use suite::{Ctx, Scenario};

/// What scenario files import.
pub mod prelude {
    pub use crate::client::*;
    pub use crate::http::{Answer, Http, Json, Request, base64, segment};
    pub use crate::suite::{
        Broker, Ctx, Definitions, Ending, Failure, Product, Result, Scenario, eventually, fail,
    };
    pub use crate::wire::*;
    pub use crate::{check, check_eq};
    pub use std::time::Duration;
}
