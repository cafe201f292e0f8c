//! Traffic of every kind that the dashboards show, until it is told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use amqp_tests::client::{Conn, Consume, Publish, Queue, Url};
use amqp_tests::suite::{Result, fail};

/// Threads that publish and consume.
pub struct Traffic {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<()>>>,
}

impl Traffic {
    /// Begins.
    pub fn start(url: &Url) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let works: [fn(&Url, &AtomicBool) -> Result<()>; 3] = [steady, polling, churning];
        let threads = works
            .into_iter()
            .map(|work| {
                let (url, stop) = (url.clone(), Arc::clone(&stop));
                std::thread::spawn(move || work(&url, &stop))
            })
            .collect();
        Ok(Self { stop, threads })
    }
    /// A failure when a thread has ended already: why it did.
    pub fn check(&mut self) -> Result<()> {
        let Some(at) = self.threads.iter().position(JoinHandle::is_finished) else {
            return Ok(());
        };
        match self.threads.swap_remove(at).join() {
            Ok(result) => result?,
            Err(_) => return fail("traffic panicked"),
        }
        fail("traffic has ended by itself")
    }
    /// Ends; what went wrong with it.
    pub fn stop(self) -> Result<()> {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads {
            match thread.join() {
                Ok(result) => result?,
                Err(_) => return fail("traffic panicked"),
            }
        }
        Ok(())
    }
}

/// Publishes with confirms, consumes with and without acknowledgements, leaves messages ready and
/// unacknowledged.
fn steady(url: &Url, stop: &AtomicBool) -> Result<()> {
    let publisher = Conn::open(url)?.channel(1)?;
    publisher.confirm_select()?;
    for queue in ["manual", "auto", "held", "left"] {
        publisher.declare_with(Queue::new(queue).durable())?;
    }
    let consumer = Conn::open(url)?.channel(1)?;
    consumer.consume_with(Consume::new("manual").tag("m"))?;
    consumer.consume_with(Consume::new("auto").tag("a").no_ack())?;
    consumer.consume_with(Consume::new("held").tag("h"))?;
    publisher.publish_with(&Publish::to_queue("held").body("held"))?;
    publisher.publish_with(&Publish::to_queue("left").body("left"))?;
    consumer.delivery()?;
    publisher.confirms(1, 2)?;
    let mut number = 2;
    while !stop.load(Ordering::SeqCst) {
        publisher.publish_with(&Publish::to_queue("manual").body("m"))?;
        publisher.publish_with(&Publish::to_queue("auto").body("a"))?;
        publisher.publish_with(&Publish::to_queue("no such queue").body("dropped"))?;
        for _ in 0..2 {
            let delivery = consumer.delivery()?;
            if delivery.consumer == "m" {
                consumer.ack(delivery.tag)?;
            }
        }
        publisher.confirms(number + 1, number + 3)?;
        number += 3;
        std::thread::sleep(Duration::from_millis(20));
    }
    publisher.conn.close()?;
    consumer.conn.close()
}

/// Fetches with `basic.get`, with and without acknowledgement, and from an empty queue.
fn polling(url: &Url, stop: &AtomicBool) -> Result<()> {
    let ch = Conn::open(url)?.channel(1)?;
    ch.declare_with(Queue::new("polled"))?;
    while !stop.load(Ordering::SeqCst) {
        ch.publish("", "polled", "one")?;
        ch.publish("", "polled", "two")?;
        let first = ch.wait_get("polled")?;
        ch.nack(first.tag, false, true)?;
        let again = ch.wait_get("polled")?;
        ch.ack(again.tag)?;
        ch.get_no_ack("polled")?;
        ch.get("polled")?;
        std::thread::sleep(Duration::from_millis(50));
    }
    ch.conn.close()
}

/// Opens and closes connections and channels, makes and deletes queues.
fn churning(url: &Url, stop: &AtomicBool) -> Result<()> {
    while !stop.load(Ordering::SeqCst) {
        let ch = Conn::open(url)?.channel(1)?;
        ch.declare_with(Queue::new("short"))?;
        ch.delete("short")?;
        ch.conn.close()?;
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
