//! What a command works with: its arguments, the way to the broker, and how its answer is written.

use std::cell::OnceCell;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use hyper::Method;
use leveret::management::gate::{NOT_RUNNING, RUNNING};
use serde_json::Value;

use crate::arguments::Parsed;
use crate::client::{Client, NoAnswer, Reply};
use crate::failure::{Failure, UNAVAILABLE};
use crate::format::Formatter;
use crate::spec::{Needs, Spec};

/// How long a command may take that does not say so.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What a command works with.
#[derive(Debug)]
pub struct Context<'a> {
    /// The command.
    pub spec: &'a Spec,
    /// What was given.
    pub parsed: &'a Parsed,
    /// How the answer is written.
    pub formatter: Formatter,
    client: OnceCell<Client>,
    node: OnceCell<String>,
}

impl<'a> Context<'a> {
    /// For one command.
    pub fn new(spec: &'a Spec, parsed: &'a Parsed) -> Result<Self, Failure> {
        let formatter = match parsed.option("formatter") {
            None => Formatter::default(),
            Some(name) => Formatter::from_name(name).ok_or_else(|| {
                Failure::arguments(format!(
                    "formatter {name} is not supported. Try one of {}",
                    Formatter::NAMES.join(", ")
                ))
            })?,
        };
        Ok(Self {
            spec,
            parsed,
            formatter,
            client: OnceCell::new(),
            node: OnceCell::new(),
        })
    }

    /// An argument; empty where there is none.
    pub fn word(&self, at: usize) -> &str {
        self.parsed.words.get(at).map_or("", String::as_str)
    }

    /// The arguments.
    pub fn words(&self) -> &[String] {
        &self.parsed.words
    }

    /// The value of an option.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.parsed.option(name)
    }

    /// Whether a flag was given.
    pub fn flag(&self, name: &str) -> bool {
        self.parsed.flag(name)
    }

    /// The virtual host to work in.
    pub fn vhost(&self) -> &str {
        self.option("vhost").unwrap_or("/")
    }

    /// The columns asked for, or these.
    pub fn columns<'c>(&'c self, unless: &[&'c str]) -> Vec<&'c str> {
        let asked: Vec<&str> = self
            .words()
            .iter()
            .flat_map(|word| word.split(','))
            .map(str::trim)
            .filter(|word| !word.is_empty())
            .collect();
        if asked.is_empty() {
            return unless.to_vec();
        }
        asked
    }

    /// Whether informational messages are wanted.
    pub fn is_chatty(&self) -> bool {
        let quiet = self.flag("quiet") || self.flag("silent") || self.flag("script-mode");
        !quiet && !self.formatter.is_for_programs()
    }

    /// Whether lists have a header row.
    pub fn has_header(&self) -> bool {
        !(self.flag("silent") || self.flag("no-table-headers"))
    }

    /// Says what the command is about to do.
    pub fn banner(&self, text: &str) {
        if self.is_chatty() {
            write_out(&format!("{text}\n"));
        }
    }

    /// Where the broker's data is.
    pub fn data_dir(&self) -> PathBuf {
        data_dir_of(self.parsed)
    }

    /// How long the command may take; `None` is for ever.
    pub fn timeout(&self) -> Option<Duration> {
        match self.option("timeout") {
            None => Some(TIMEOUT),
            Some(text) => text.parse().ok().map(Duration::from_secs),
        }
    }

    /// The same in milliseconds, as it is told.
    pub fn timeout_ms(&self) -> u64 {
        let timeout = self.timeout().unwrap_or(Duration::MAX);
        u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)
    }

    fn client(&self) -> Result<&Client, Failure> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = Client::new(&self.data_dir(), self.timeout())?;
        Ok(self.client.get_or_init(|| client))
    }

    /// Gives what follows the command's whole time again.
    pub fn begin_anew(&self) {
        if let Some(client) = self.client.get() {
            client.begin_anew(self.timeout());
        }
    }

    /// Sends a request that may well find nobody.
    pub fn attempt(&self, method: Method, path: &str) -> Result<Result<Reply, NoAnswer>, Failure> {
        Ok(self.client()?.send(method, path, Vec::new(), None))
    }

    /// Why there is no answer, as a failure of this command.
    pub fn failure(&self, why: &NoAnswer) -> Failure {
        why.failure(self.spec.name, &self.known_name(), self.timeout_ms())
    }

    /// Whether the broker has started and answers.
    pub fn is_up(&self) -> Result<bool, Failure> {
        Ok(self.state()?.as_deref() == Some("running"))
    }

    /// What the broker is at: `running`, `booting`, `stopping` or `stopped`; `None` without a
    /// process that answers.
    pub fn state(&self) -> Result<Option<String>, Failure> {
        match self.attempt(Method::GET, "/api/leveret/node")? {
            Ok(reply) if reply.is_done() => {
                let facts = reply.json()?;
                self.remember(&facts);
                let state = facts.get("state").and_then(Value::as_str);
                Ok(Some(state.unwrap_or("running").to_owned()))
            }
            Ok(reply) => Err(reply.failure()),
            Err(NoAnswer::Down(_) | NoAnswer::Broken(_)) => Ok(None),
            Err(why) => Err(self.failure(&why)),
        }
    }

    /// Refuses where the broker is not at what the command needs, before it says anything. A
    /// process that does not answer at all is told of by what the command asks first.
    pub fn check_broker(&self) -> Result<(), Failure> {
        match self.spec.needs {
            Needs::Nothing => Ok(()),
            Needs::Running => match self.state()?.as_deref() {
                None | Some("running") => Ok(()),
                Some(_) => Err(Failure::needs_running()),
            },
            Needs::Stopped => match self.state()?.as_deref() {
                None | Some("stopped") => Ok(()),
                Some(_) => Err(Failure::needs_stopped()),
            },
        }
    }

    fn remember(&self, facts: &Value) {
        if let Some(name) = facts.get("name").and_then(Value::as_str) {
            let _ = self.node.set(name.to_owned());
        }
    }

    /// Deletes, with a reason for whom it meets.
    pub fn delete_because(&self, path: &str, reason: &str) -> Result<Reply, Failure> {
        let sent = self
            .client()?
            .send(Method::DELETE, path, Vec::new(), Some(reason));
        self.answered(sent)
    }

    /// Sends a request with a body as it is.
    pub fn send(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Reply, Failure> {
        let sent = self.client()?.send(method, path, body, None);
        self.answered(sent)
    }

    /// An answer of a broker that runs; it may have been stopped since the command began.
    fn answered(&self, sent: Result<Reply, NoAnswer>) -> Result<Reply, Failure> {
        let reply = sent.map_err(|why| self.failure(&why))?;
        match reply.error().as_deref() {
            Some(NOT_RUNNING) => Err(Failure::needs_running()),
            Some(RUNNING) => Err(Failure::needs_stopped()),
            _ => Ok(reply),
        }
    }

    /// Sends a request with a JSON body; null is none.
    pub fn call(&self, method: Method, path: &str, body: &Value) -> Result<Reply, Failure> {
        let body = match body {
            Value::Null => Vec::new(),
            body => body.to_string().into_bytes(),
        };
        self.send(method, path, body)
    }

    /// Reads.
    pub fn get(&self, path: &str) -> Result<Reply, Failure> {
        self.call(Method::GET, path, &Value::Null)
    }

    /// Reads what has to be there.
    pub fn read(&self, path: &str) -> Result<Value, Failure> {
        let reply = self.get(path)?;
        if reply.is_done() {
            reply.json()
        } else {
            Err(reply.failure())
        }
    }

    /// Reads a list; what is missing has no items.
    pub fn list(&self, path: &str) -> Result<Vec<Value>, Failure> {
        let reply = self.get(path)?;
        if reply.is_missing() {
            return Ok(Vec::new());
        }
        if !reply.is_done() {
            return Err(reply.failure());
        }
        match reply.json()? {
            Value::Array(items) => Ok(items),
            _ => Err(Failure::refused(UNAVAILABLE, "the answer is not a list")),
        }
    }

    /// The node's name as far as it is known without asking.
    pub fn known_name(&self) -> String {
        self.node
            .get()
            .cloned()
            .or_else(|| self.option("node").map(str::to_owned))
            .unwrap_or_else(|| format!("leveret@{}", host_name()))
    }

    /// The node's name, as it tells it.
    pub fn node(&self) -> Result<String, Failure> {
        if let Some(name) = self.node.get() {
            return Ok(name.clone());
        }
        let facts = self.read("/api/leveret/node")?;
        self.remember(&facts);
        Ok(self.node.get().cloned().unwrap_or_default())
    }

    /// Refuses where `--node` names another node. Scripts written for RabbitMQ give its default name
    /// for this host: that is this broker.
    pub fn check_node(&self) -> Result<(), Failure> {
        let Some(asked) = self.option("node") else {
            return Ok(());
        };
        if self.spec.alone || is_this(asked, &self.node()?) {
            return Ok(());
        }
        let why = format!(
            "{} is node '{}'",
            self.data_dir().display(),
            self.known_name()
        );
        Err(NoAnswer::Down(why).failure(self.spec.name, asked, self.timeout_ms()))
    }

    /// The virtual host has to be there.
    pub fn need_vhost(&self, name: &str) -> Result<(), Failure> {
        let reply = self.get(&crate::client::path(&["vhosts", name]))?;
        if reply.is_missing() {
            return Err(Failure::no_vhost(name));
        }
        if !reply.is_done() {
            return Err(reply.failure());
        }
        Ok(())
    }
}

/// The folder that the command line or the environment names, or the broker's default.
pub fn data_dir_of(parsed: &Parsed) -> PathBuf {
    let given = parsed.option("data-dir").map(PathBuf::from);
    given
        .or_else(|| std::env::var_os("LEVERET_DATA_DIR").map(PathBuf::from))
        .unwrap_or_else(|| PathBuf::from("leveret-data"))
}

/// Whether a node that was asked for is the one that answers.
fn is_this(asked: &str, name: &str) -> bool {
    let (who, host) = asked.split_once('@').unwrap_or((asked, ""));
    let (own, own_host) = name.split_once('@').unwrap_or((name, ""));
    let same_host = host.is_empty() || host == "localhost" || host == own_host;
    same_host && (who == own || who == "rabbit")
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

/// Writes to standard output. A reader that has gone away, as `head` does, ends the answer and is no
/// failure.
pub fn write_out(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// Writes to standard error, which may have gone away as well.
pub fn write_error(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rabbits_name_for_this_host_is_this_node() {
        assert!(is_this("leveret@vm", "leveret@vm"));
        assert!(is_this("rabbit@vm", "leveret@vm"));
        assert!(is_this("rabbit@localhost", "leveret@vm"));
        assert!(is_this("rabbit", "leveret@vm"));
        assert!(!is_this("rabbit@other", "leveret@vm"));
        assert!(!is_this("nosuch@vm", "leveret@vm"));
    }
}
