//! What a scenario is given: a broker, unique names, clean-up.

use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::{Broker, Brokers, Product, Result, Target, not_run};
use crate::client::{Channel, Conn, Options, Url};
use crate::http::Http;
use crate::wire::{Method, method};

/// Stops a scenario's clock while a private broker boots.
pub type Clock = Arc<AtomicBool>;

/// Objects to delete when the scenario has ended.
pub type Rubbish = Arc<Mutex<Vec<Method>>>;

/// The context of one run of one scenario on one broker.
pub struct Ctx {
    target: Target,
    brokers: Arc<Brokers>,
    prefix: String,
    clock: Clock,
    rubbish: Rubbish,
}

impl Ctx {
    pub(super) fn new(target: &Target, brokers: &Arc<Brokers>, id: &str) -> Self {
        Self {
            target: target.clone(),
            brokers: brokers.clone(),
            prefix: format!("t.{}.{id}", random_hex()),
            clock: Clock::default(),
            rubbish: Rubbish::default(),
        }
    }
    pub(super) fn handles(&self) -> (Clock, Rubbish) {
        (self.clock.clone(), self.rubbish.clone())
    }
    /// Whether the broker is RabbitMQ rather than Leveret.
    pub fn is_rabbit(&self) -> bool {
        self.product() == Product::RabbitMq
    }
    /// The broker's product.
    pub fn product(&self) -> Product {
        self.target.product
    }
    /// The expectation for this broker where the two may differ.
    pub fn on<T>(&self, rabbit: T, leveret: T) -> T {
        if self.is_rabbit() { rabbit } else { leveret }
    }
    /// The broker's URL.
    pub fn url(&self) -> Url {
        self.target.url.clone()
    }
    /// The broker's management API as guest; the scenario is not run where
    /// that API is not to be tested.
    pub fn http(&self) -> Result<Http> {
        match &self.target.http {
            Some(http) => Ok(http.clone()),
            None => not_run("needs the management API (--http-url)"),
        }
    }
    /// The vhost that texts name.
    pub fn vhost(&self) -> &str {
        &self.target.url.vhost
    }
    /// A unique name; not cleaned up.
    pub fn name(&self, what: &str) -> String {
        format!("{}.{what}", self.prefix)
    }
    /// A unique queue name; the queue is deleted when the scenario ends.
    pub fn queue(&self, what: &str) -> String {
        let name = self.name(what);
        self.clean(method("queue.delete").set("queue", &name));
        name
    }
    /// A unique exchange name; the exchange is deleted when the scenario ends.
    pub fn exchange(&self, what: &str) -> String {
        let name = self.name(what);
        self.clean(method("exchange.delete").set("exchange", &name));
        name
    }
    /// A method to send when the scenario has ended.
    pub fn clean(&self, m: Method) {
        self.rubbish
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .push(m);
    }
    /// A new connection with all capabilities and without heartbeats.
    pub fn connect(&self) -> Result<Conn> {
        Conn::open(&self.target.url)
    }
    /// A new connection with other options.
    pub fn connect_with(&self, options: &Options) -> Result<Conn> {
        Conn::open_with(&self.target.url, options)
    }
    /// A new connection and its channel 1.
    pub fn channel(&self) -> Result<Channel> {
        self.connect()?.channel(1)
    }
    /// A broker of the same product with its own settings: `conf` holds lines
    /// of RabbitMQ's configuration format, `definitions` is a definitions JSON
    /// or empty (then guest and `/` exist as always). Brokers with equal
    /// settings are shared and live until the run ends, so use unique names
    /// (they are not cleaned up there). Booting does not count as the
    /// scenario's time.
    pub fn private(&self, conf: &str, definitions: &str) -> Result<Arc<Broker>> {
        self.booting(|| self.brokers.shared(&self.target, conf, definitions))
    }
    /// Like [`Ctx::private`], for this scenario alone: it may be stopped.
    pub fn private_own(&self, conf: &str, definitions: &str) -> Result<Broker> {
        self.booting(|| self.brokers.start(&self.target, conf, definitions))
    }
    /// A RabbitMQ for this scenario alone, whatever the target is; the scenario
    /// is not run where none is installed.
    pub fn private_rabbit(&self, conf: &str, definitions: &str) -> Result<Broker> {
        let target = Target {
            product: Product::RabbitMq,
            ..self.target.clone()
        };
        self.booting(|| self.brokers.start(&target, conf, definitions))
    }
    /// Starts a broker of this scenario that has ended, on its data and on new
    /// ports: connect anew. It does not count as the scenario's time.
    pub fn start_again(&self, broker: &mut Broker) -> Result<()> {
        self.booting(|| broker.start_again().map(drop))
    }
    fn booting<T>(&self, boot: impl FnOnce() -> Result<T>) -> Result<T> {
        self.clock.store(true, Ordering::SeqCst);
        let broker = boot();
        self.clock.store(false, Ordering::SeqCst);
        broker
    }
}

/// Sends what was registered for clean-up, on a connection of its own.
pub(super) fn clean_up(url: &Url, rubbish: &Rubbish) {
    let methods = std::mem::take(&mut *rubbish.lock().unwrap_or_else(|e| e.into_inner()));
    if methods.is_empty() {
        return;
    }
    let Ok(conn) = Conn::open(url) else { return };
    for (at, m) in methods.iter().enumerate() {
        // Each on its own channel, since a refusal closes it.
        if let Ok(ch) = conn.channel(at as u16 % 2000 + 1)
            && ch.call(m).is_ok()
        {
            let _ = ch.close();
        }
    }
    let _ = conn.close();
}

/// Eight random hexadecimal digits.
pub fn random_hex() -> String {
    let mut bytes = [0u8; 4];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut bytes));
    if read.is_err() {
        bytes = std::process::id().to_be_bytes();
    }
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
