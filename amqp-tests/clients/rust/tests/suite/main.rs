//! What users of lapin do daily, against the broker named by `AMQP_URL`.
//! It speaks AMQP only, so that any broker can stand behind the address.
//! Tests share no name and run in parallel.

mod acks;
mod connections;
mod errors;
mod harness;
mod publishing;
mod queues;
mod retries;
mod routing;
mod values;
