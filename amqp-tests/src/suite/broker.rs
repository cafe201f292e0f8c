//! Private brokers: a Leveret or a RabbitMQ with its own settings.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use super::rabbit::Rabbit;
use super::{Process, Product, Result, Target, fail, free_ports, not_run, random_hex};
use crate::client::{Conn, Url};

/// A running private broker; dropping it stops it by its process id.
pub struct Broker {
    /// Where it listens; guest on vhost `/`.
    pub url: Url,
    /// Its product.
    pub product: Product,
    /// The node name, where it has one.
    node: String,
    process: Mutex<Process>,
    rabbit: Option<Arc<Rabbit>>,
    folder: Folder,
}

/// A temporary folder that goes with its owner.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // AMQP_TESTS_KEEP leaves folders and logs behind, to look at.
        if std::env::var_os("AMQP_TESTS_KEEP").is_none() {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

impl Broker {
    /// A URL for another user and vhost of this broker.
    pub fn url_for(&self, user: &str, password: &str, vhost: &str) -> Url {
        Url {
            user: user.into(),
            password: password.into(),
            vhost: vhost.into(),
            ..self.url.clone()
        }
    }
    /// A connection as guest.
    pub fn connect(&self) -> Result<Conn> {
        Conn::open(&self.url)
    }
    /// Runs rabbitmqctl on this node; a failure on other products.
    pub fn rabbitmqctl(&self, args: &[&str]) -> Result<String> {
        match &self.rabbit {
            Some(rabbit) => rabbit.ctl(&self.node, args),
            None => fail("rabbitmqctl works on RabbitMQ only"),
        }
    }
    /// Asks it to stop with SIGTERM.
    pub fn terminate(&self) {
        self.process
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .signal("TERM");
    }
    /// Waits until the process has ended; its exit code.
    pub fn wait_exit(&self, limit: Duration) -> Result<i32> {
        self.process
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .wait(limit)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.process
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .stop();
    }
}

type Shared = Arc<OnceLock<Result<Arc<Broker>>>>;

/// All private brokers of a run.
#[derive(Default)]
pub struct Brokers {
    shared: Mutex<HashMap<(String, String, String), Shared>>,
    rabbit: OnceLock<Result<Arc<Rabbit>>>,
}

impl Brokers {
    /// The broker with these settings, started when first asked for.
    pub fn shared(&self, target: &Target, conf: &str, definitions: &str) -> Result<Arc<Broker>> {
        let key = (
            target.label.clone(),
            conf.to_string(),
            definitions.to_string(),
        );
        let mut map = self.shared.lock().unwrap_or_else(|e| e.into_inner());
        let cell = map.entry(key).or_default().clone();
        drop(map);
        cell.get_or_init(|| self.start(target, conf, definitions).map(Arc::new))
            .clone()
    }
    /// Starts a broker with these settings.
    pub fn start(&self, target: &Target, conf: &str, definitions: &str) -> Result<Broker> {
        let folder = std::env::temp_dir().join(format!("amqp-tests-{}", random_hex()));
        std::fs::create_dir_all(&folder)?;
        let folder = Folder(folder);
        let ports = free_ports(4)?;
        let mut text = format!("{conf}\n");
        if !definitions.is_empty() {
            let file = folder.0.join("definitions.json");
            std::fs::write(&file, definitions)?;
            text.push_str(&format!("load_definitions = {}\n", file.display()));
        }
        match target.product {
            Product::Leveret => leveret(target, folder, &ports, &text),
            Product::RabbitMq => {
                let rabbit = self
                    .rabbit
                    .get_or_init(|| Rabbit::find().map(Arc::new))
                    .clone()?;
                text.push_str(&format!("listeners.tcp.default = 127.0.0.1:{}\n", ports[0]));
                let (process, node) = rabbit.start(&folder.0, ports[0], ports[1], &text)?;
                let url = Url::local(ports[0]);
                let broker = Broker {
                    url,
                    product: Product::RabbitMq,
                    node,
                    process: Mutex::new(process),
                    rabbit: Some(rabbit),
                    folder,
                };
                wait_ready(&broker)?;
                Ok(broker)
            }
        }
    }
    /// Stops the shared brokers.
    pub fn stop(&self) {
        self.shared
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .clear();
    }
}

fn leveret(target: &Target, folder: Folder, ports: &[u16], conf: &str) -> Result<Broker> {
    let Some(binary) = &target.binary else {
        return not_run("needs a broker of its own (--broker-bin)");
    };
    let file = folder.0.join("leveret.conf");
    std::fs::write(&file, conf)?;
    let mut command = Command::new(binary);
    command
        .arg("--data-dir")
        .arg(folder.0.join("data"))
        .arg("--config")
        .arg(&file)
        .args(["--set", &format!("listeners.tcp.default={}", ports[0])])
        .args(["--set", &format!("management.tcp.port={}", ports[2])])
        .args(["--set", &format!("prometheus.tcp.port={}", ports[3])]);
    let process = Process::start(&mut command, &folder.0.join("out.log"))?;
    let broker = Broker {
        url: Url::local(ports[0]),
        product: Product::Leveret,
        node: String::new(),
        process: Mutex::new(process),
        rabbit: None,
        folder,
    };
    wait_ready(&broker)?;
    Ok(broker)
}

/// Waits until the port accepts; fails with the log when the process ended.
fn wait_ready(broker: &Broker) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(90);
    loop {
        if Conn::tcp(&broker.url).is_ok() {
            return Ok(());
        }
        let exited = broker
            .process
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .exited();
        if exited.is_some() || Instant::now() > deadline {
            let log = tail(&broker.folder.0.join("out.log"));
            return fail(format!(
                "private broker did not start (exit {exited:?}): {log}"
            ));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn tail(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(12).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
