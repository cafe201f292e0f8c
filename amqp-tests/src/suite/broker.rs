//! Private brokers: a Leveret or a RabbitMQ with its own settings, which can be
//! stopped or killed and started again on its data.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use super::rabbit::Rabbit;
use super::{Process, Product, Result, Target, fail, free_ports, not_run, random_hex};
use crate::client::{Conn, Url};
use crate::http::Http;

/// A running private broker; dropping it stops it by its process id.
pub struct Broker {
    /// Where it listens; guest on vhost `/`. Every start chooses new ports.
    pub url: Url,
    /// Its product.
    pub product: Product,
    /// Port of the management API, and whether it is to be tested.
    http: (u16, bool),
    /// Port of the Prometheus metrics.
    metrics: u16,
    /// All its ports.
    ports: Vec<u16>,
    process: Mutex<Process>,
    launch: Launch,
    conf: String,
    definitions: Option<PathBuf>,
    starts: usize,
    folder: Folder,
}

/// A run of the operator's tool.
pub struct CliRun {
    /// What it answered.
    pub output: Output,
    /// The node's name.
    pub node: String,
    /// What was put before the words to name the node, with a space behind.
    pub given: String,
    /// The node's ports.
    pub ports: Vec<u16>,
}

/// What starts a broker of a product.
enum Launch {
    Leveret(PathBuf),
    Rabbit { rabbit: Arc<Rabbit>, node: String },
}

/// How a broker ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// SIGTERM, and the exit code must be 0.
    Clean,
    /// SIGKILL.
    Kill,
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
    /// Its management API as guest; the scenario is not run where that API is
    /// not to be tested.
    pub fn http(&self) -> Result<Http> {
        match self.http {
            (port, true) => Ok(Http::local(port)),
            _ => not_run("needs the management API (--http-url)"),
        }
    }
    /// Where it serves its Prometheus metrics; as [`Broker::http`].
    pub fn metrics(&self) -> Result<Http> {
        self.http()?;
        Ok(Http::local(self.metrics).anonymous())
    }
    /// The port of its metrics, for a program of somebody else's.
    pub fn metrics_port(&self) -> u16 {
        self.metrics
    }
    /// Runs rabbitmqctl on this node; a failure on other products.
    pub fn rabbitmqctl(&self, args: &[&str]) -> Result<String> {
        match &self.launch {
            Launch::Rabbit { rabbit, node } => rabbit.ctl(node, args),
            Launch::Leveret(_) => fail("rabbitmqctl works on RabbitMQ only"),
        }
    }
    /// Runs the product's command line tool with these words on this node; RabbitMQ has several,
    /// and this is `tool` among them.
    pub fn cli(&self, tool: &str, words: &[String]) -> Result<CliRun> {
        let ports = self.ports.clone();
        match &self.launch {
            Launch::Rabbit { rabbit, node } => Ok(CliRun {
                output: rabbit.cli(tool, node, words)?,
                node: node.clone(),
                given: format!("-n {node} "),
                ports,
            }),
            Launch::Leveret(_) => {
                let host = std::fs::read_to_string("/proc/sys/kernel/hostname")?;
                let output = Command::new(self.tool("leveretctl")?)
                    .arg("--data-dir")
                    .arg(self.data())
                    .args(words)
                    .stdin(Stdio::null())
                    .output()?;
                Ok(CliRun {
                    output,
                    node: format!("leveret@{}", host.trim()),
                    given: format!("--data-dir {} ", self.data().display()),
                    ports,
                })
            }
        }
    }
    fn process(&self) -> std::sync::MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(|e| e.into_inner())
    }
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process().pid()
    }
    /// Asks it to stop with SIGTERM.
    pub fn terminate(&self) {
        self.process().signal("TERM");
    }
    /// Ends it with SIGKILL.
    pub fn kill(&self) {
        self.process().signal("KILL");
    }
    /// Waits until the process has ended; its exit code.
    pub fn wait_exit(&self, limit: Duration) -> Result<i32> {
        self.process().wait(limit)
    }
    /// Ends it and waits until it has ended. RabbitMQ's node gets a minute.
    pub fn end(&self, how: Ending) -> Result<()> {
        match how {
            Ending::Clean => self.terminate(),
            Ending::Kill => self.kill(),
        }
        let code = self.wait_exit(Duration::from_secs(60))?;
        if how == Ending::Clean && code != 0 {
            return fail(format!(
                "exit code {code} after SIGTERM: {}",
                self.log_tail()
            ));
        }
        Ok(())
    }
    /// Starts it again on what it left behind, with the same settings and on
    /// new ports; returns how long it took until it greeted a client.
    pub fn start_again(&mut self) -> Result<Duration> {
        let ports = free_ports(4)?;
        let begun = Instant::now();
        self.starts += 1;
        let log = self.log();
        let process = start_process(&self.launch, &self.folder.0, &ports, &self.text(), &log)?;
        *self.process() = process;
        self.url = Url::local(ports[0]);
        self.http.0 = ports[2];
        self.metrics = ports[3];
        self.ports = ports;
        wait_ready(self)?;
        Ok(begun.elapsed())
    }
    /// From the next start on there is no definitions file any more.
    pub fn forget_definitions(&mut self) {
        self.definitions = None;
    }
    /// The folder with its messages and definitions.
    pub fn data(&self) -> PathBuf {
        match &self.launch {
            Launch::Leveret(_) => self.folder.0.join("data"),
            Launch::Rabbit { .. } => self.folder.0.join("mnesia"),
        }
    }
    /// A program of Leveret's that was built beside the broker.
    pub fn tool(&self, name: &str) -> Result<PathBuf> {
        let Launch::Leveret(binary) = &self.launch else {
            return fail("only Leveret has this program");
        };
        let tool = binary.with_file_name(name);
        if !tool.exists() {
            return not_run(&format!("needs {}", tool.display()));
        }
        Ok(tool)
    }
    /// What it printed since its last start.
    pub fn log(&self) -> PathBuf {
        self.folder.0.join(format!("out-{}.log", self.starts))
    }
    /// The last lines it printed.
    pub fn log_tail(&self) -> String {
        tail(&self.log())
    }
    fn text(&self) -> String {
        match &self.definitions {
            Some(file) => format!("{}\nload_definitions = {}\n", self.conf, file.display()),
            None => format!("{}\n", self.conf),
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.process().stop();
    }
}

type Shared = Arc<OnceLock<Result<Arc<Broker>>>>;

/// All private brokers of a run.
#[derive(Default)]
pub struct Brokers {
    shared: Mutex<HashMap<(String, String, String), Shared>>,
    rabbit: OnceLock<Result<Arc<Rabbit>>>,
    sbin: Option<PathBuf>,
}

impl Brokers {
    /// Brokers of a run; `sbin` is the folder of RabbitMQ's scripts where it is
    /// not at one of the usual places.
    pub fn new(sbin: Option<PathBuf>) -> Self {
        Self {
            sbin,
            ..Self::default()
        }
    }
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
        let launch = self.launch(target)?;
        let folder = std::env::temp_dir().join(format!("amqp-tests-{}", random_hex()));
        std::fs::create_dir_all(&folder)?;
        let folder = Folder(folder);
        let mut file = None;
        if !definitions.is_empty() {
            let path = folder.0.join("definitions.json");
            std::fs::write(&path, definitions)?;
            file = Some(path);
        }
        // The process of a broker that has not been started yet.
        let process = Process::start(&mut Command::new("true"), &folder.0.join("out.log"))?;
        let mut broker = Broker {
            url: Url::local(0),
            product: target.product,
            http: (0, target.http.is_some()),
            metrics: 0,
            ports: Vec::new(),
            process: Mutex::new(process),
            launch,
            conf: conf.into(),
            definitions: file,
            starts: 0,
            folder,
        };
        broker.start_again()?;
        Ok(broker)
    }
    fn launch(&self, target: &Target) -> Result<Launch> {
        match target.product {
            Product::Leveret => match &target.binary {
                Some(binary) => Ok(Launch::Leveret(binary.clone())),
                None => not_run("needs a broker of its own (--broker-bin)"),
            },
            Product::RabbitMq => {
                let find = || Rabbit::find(self.sbin.as_deref()).map(Arc::new);
                let rabbit = self.rabbit.get_or_init(find).clone()?;
                let node = format!("t{}@localhost", random_hex());
                Ok(Launch::Rabbit { rabbit, node })
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

fn start_process(
    launch: &Launch,
    folder: &Path,
    ports: &[u16],
    conf: &str,
    log: &Path,
) -> Result<Process> {
    match launch {
        Launch::Rabbit { rabbit, node } => rabbit.start(folder, node, ports, conf, log),
        Launch::Leveret(binary) => {
            let file = folder.join("leveret.conf");
            std::fs::write(&file, conf)?;
            let mut command = Command::new(binary);
            command
                .arg("--data-dir")
                .arg(folder.join("data"))
                .arg("--config")
                .arg(&file)
                .args(["--set", &format!("listeners.tcp.default={}", ports[0])])
                .args(["--set", &format!("management.tcp.port={}", ports[2])])
                .args(["--set", &format!("prometheus.tcp.port={}", ports[3])]);
            Process::start(&mut command, log)
        }
    }
}

/// Waits until the broker greets; fails with the log when the process ended.
fn wait_ready(broker: &Broker) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(90);
    loop {
        let greeted = match Conn::tcp(&broker.url) {
            // This one waits for more before it says anything.
            Ok(_) if broker.conf.contains("proxy_protocol") => true,
            Ok(conn) => conn.start().is_ok(),
            Err(_) => false,
        };
        if greeted {
            return Ok(());
        }
        let exited = broker.process().exited();
        if exited.is_some() || Instant::now() > deadline {
            let log = broker.log_tail();
            return fail(format!(
                "private broker did not start (exit {exited:?}): {log}"
            ));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn tail(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(12).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
