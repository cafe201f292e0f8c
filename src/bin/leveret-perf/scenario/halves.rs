//! The two halves of a stream, each on its own thread: who publishes what to which queue, and
//! what the consumers must then see.

use std::net::TcpStream;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};

use super::stream::{Shape, Spread};
use crate::client::Client;
use crate::consumer::{self, Acks, Ledger};
use crate::crowd::{self, Published};
use crate::flow::Flow;
use crate::histogram::Histogram;
use crate::paced;
use crate::publisher::{self, Plan};

/// Runs one half on its own thread; what fails there fails the flow.
pub fn spawn<T: Default + Send + 'static>(
    flow: &Arc<Flow>,
    name: &'static str,
    work: impl FnOnce(&Flow) -> Result<T> + Send + 'static,
) -> Result<JoinHandle<T>> {
    let flow = Arc::clone(flow);
    let work = move || match work(&flow) {
        Ok(found) => found,
        Err(error) => {
            flow.fail(&error.context(name));
            T::default()
        }
    };
    Ok(thread::Builder::new().name(name.into()).spawn(work)?)
}

/// Runs the publishing half on its own thread; the sockets it returns must live until the flow
/// is drained.
pub fn spawn_publisher(
    flow: &Arc<Flow>,
    clients: Vec<Client>,
    plan: Plan,
) -> Result<JoinHandle<Vec<TcpStream>>> {
    spawn(flow, "publisher", move |flow| {
        publisher::run(&plan, clients, flow)
    })
}

/// Runs the consuming half on its own thread.
pub fn spawn_consumer(
    flow: &Arc<Flow>,
    clients: Vec<Client>,
    acks: Acks,
    ledger: Ledger,
) -> Result<JoinHandle<Histogram>> {
    spawn(flow, "consumer", move |flow| {
        consumer::run(clients, acks, ledger, flow)
    })
}

/// How a stream publishes.
pub enum Publishing {
    /// From one thread, over the sockets in turn.
    Plain(Plan),
    /// Many with a window each.
    Crowd(crowd::Plan),
    /// One at a steady rate.
    Paced(paced::Plan),
}

impl Publishing {
    /// Publishes until the flow ends it.
    pub fn run(&self, mut clients: Vec<Client>, flow: &Flow) -> Result<Published> {
        match self {
            Self::Plain(plan) => Ok(Published {
                sockets: publisher::run(plan, clients, flow)?,
                ..Published::default()
            }),
            Self::Crowd(plan) => crowd::run(plan, clients, flow),
            Self::Paced(plan) => paced::run(plan, clients.pop().context("no connection")?, flow),
        }
    }
}

/// How a shape publishes to its queues, or to its exchange.
pub fn publishing(shape: &Shape, queues: &[String], exchange: &str) -> Publishing {
    let (size, count_confirms) = (shape.size, !shape.is_consumed());
    let window = shape.confirm_window.unwrap_or(1);
    match (shape.durable, shape.rate) {
        (None, rate) => Publishing::Plain(Plan {
            exchange: exchange.to_owned(),
            keys: if shape.fan_out {
                vec![exchange.to_owned()]
            } else {
                queues.to_vec()
            },
            size,
            persistent: false,
            rate,
            confirm_window: shape.confirm_window,
            first: 0,
            limit: None,
        }),
        (Some(_), Some(rate)) => Publishing::Paced(paced::Plan {
            keys: queues.to_vec(),
            size,
            rate,
            window,
            count_confirms,
        }),
        (Some(durable), None) => Publishing::Crowd(crowd::Plan {
            keys: (0..shape.links)
                .map(|publisher| keys_of(publisher, queues, durable.spread))
                .collect(),
            size,
            window,
            count_confirms,
        }),
    }
}

/// The queues a publisher sends to, in the order of its turns.
fn keys_of(publisher: usize, queues: &[String], spread: Spread) -> Vec<String> {
    let from = publisher % queues.len().max(1);
    let turn = queues.iter().cycle().skip(from);
    let count = match spread {
        Spread::All => queues.len(),
        Spread::Own => 1,
    };
    turn.take(count).cloned().collect()
}

/// What the consumers of a shape must see.
pub fn ledger(shape: &Shape) -> Ledger {
    let queues = shape.queues;
    if shape.fan_out {
        return Ledger::new(vec![0; queues], 1, shape.size);
    }
    let Some(durable) = shape.durable else {
        return Ledger::new((0..queues as u64).collect(), queues as u64, shape.size);
    };
    let (first, stride) = match durable.spread {
        Spread::All => (first_turns(shape.links, queues), queues as u64),
        Spread::Own => (vec![0; shape.links * queues], 1),
    };
    Ledger::of_publishers(first, queues, stride, shape.size)
}

/// The first message of every publisher to every queue, publisher by publisher.
fn first_turns(publishers: usize, queues: usize) -> Vec<u64> {
    (0..publishers)
        .flat_map(|publisher| {
            (0..queues).map(move |queue| ((queue + queues - publisher % queues) % queues) as u64)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Spread, first_turns, keys_of};

    #[test]
    fn first_turns_agree_with_the_keys() {
        let queues: Vec<String> = (0..5).map(|number| format!("q{number}")).collect();
        let first = first_turns(7, queues.len());
        for publisher in 0..7 {
            let keys = keys_of(publisher, &queues, Spread::All);
            for (queue, name) in queues.iter().enumerate() {
                let turn = keys.iter().position(|key| key == name).unwrap();
                assert_eq!(first[publisher * queues.len() + queue], turn as u64);
            }
        }
    }

    #[test]
    fn publishers_with_a_queue_of_their_own_share_when_there_are_too_few() {
        let queues = ["a".to_owned(), "b".to_owned()];
        assert_eq!(keys_of(1, &queues, Spread::Own), ["b"]);
        assert_eq!(keys_of(2, &queues, Spread::Own), ["a"]);
    }
}
