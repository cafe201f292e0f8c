//! Starting a private RabbitMQ: own node name, folders, ports and epmd.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::{Process, Result, fail, free_port, not_run, random_hex};

/// An installed RabbitMQ and the epmd that our nodes share.
pub struct Rabbit {
    sbin: PathBuf,
    epmd_port: u16,
    _epmd: Process,
    home: PathBuf,
}

impl Rabbit {
    /// Finds the installed RabbitMQ and starts an epmd for our nodes.
    ///
    /// `sbin` is the folder of its scripts, where it is not at a usual place.
    pub fn find(sbin: Option<&Path>) -> Result<Self> {
        let Some(sbin) = sbin.map(Path::to_path_buf).or_else(find_sbin) else {
            return not_run("needs a RabbitMQ of its own (install rabbitmq-server)");
        };
        let home = std::env::temp_dir().join(format!("amqp-tests-home-{}", random_hex()));
        std::fs::create_dir_all(&home)?;
        let epmd_port = free_port()?;
        let mut command = Command::new(find_epmd());
        command
            .args(["-port", &epmd_port.to_string()])
            .env("ERL_EPMD_ADDRESS", "127.0.0.1");
        let epmd = Process::start(&mut command, &home.join("epmd.log"))?;
        Ok(Self {
            sbin,
            epmd_port,
            _epmd: epmd,
            home,
        })
    }
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.sbin.join(program));
        command
            .env("HOME", &self.home)
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1");
        command
    }
    /// Starts the node of this name on what its folder holds; the four `ports`
    /// are those of AMQP, Erlang's distribution, management and Prometheus.
    pub fn start(
        &self,
        folder: &Path,
        node: &str,
        ports: &[u16],
        conf: &str,
        log: &Path,
    ) -> Result<Process> {
        let [amqp, dist, http, metrics] = ports else {
            return fail("a node needs four ports");
        };
        // All on the loopback.
        let listeners = format!(
            "listeners.tcp.default = 127.0.0.1:{amqp}\n\
             management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {http}\n\
             prometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = {metrics}\n"
        );
        std::fs::write(folder.join("rabbitmq.conf"), format!("{listeners}{conf}"))?;
        std::fs::write(
            folder.join("plugins"),
            "[rabbitmq_consistent_hash_exchange,rabbitmq_random_exchange,rabbitmq_management,\
             rabbitmq_prometheus].\n",
        )?;
        let mut command = self.command("rabbitmq-server");
        command
            // Makes the script exec the server, so that our child is the node.
            .env("RUNNING_UNDER_SYSTEMD", "true")
            .env("RABBITMQ_NODENAME", node)
            .env("RABBITMQ_NODE_PORT", amqp.to_string())
            .env("RABBITMQ_DIST_PORT", dist.to_string())
            .env("RABBITMQ_MNESIA_BASE", folder.join("mnesia"))
            .env("RABBITMQ_LOG_BASE", folder.join("log"))
            .env("RABBITMQ_PID_FILE", folder.join("pid"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("plugins"))
            .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"));
        Process::start(&mut command, log)
    }
    /// Runs a command line tool on a node with these words, and nothing on its standard input.
    pub fn cli(&self, tool: &str, node: &str, words: &[String]) -> Result<Output> {
        Ok(self
            .command(tool)
            .args(["-n", node])
            .args(words)
            .stdin(Stdio::null())
            .output()?)
    }
    /// Runs rabbitmqctl on a node; its output.
    pub fn ctl(&self, node: &str, args: &[&str]) -> Result<String> {
        let out = self
            .command("rabbitmqctl")
            .args(["-q", "-n", node])
            .args(args)
            .output()?;
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        if out.status.success() {
            return Ok(text);
        }
        fail(format!(
            "rabbitmqctl {args:?}: {text}{}",
            String::from_utf8_lossy(&out.stderr)
        ))
    }
}

impl Drop for Rabbit {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

/// The folder with RabbitMQ's own scripts. A distribution's wrapper in
/// /usr/sbin changes the user and is of no use for a private node.
fn find_sbin() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("RABBITMQ_SBIN") {
        return Some(path.into());
    }
    let mut found = Vec::new();
    for base in [
        "/usr/lib/rabbitmq/lib",
        "/usr/local/lib/rabbitmq/lib",
        "/opt/rabbitmq",
    ] {
        for entry in std::fs::read_dir(base).into_iter().flatten().flatten() {
            found.push(entry.path().join("sbin"));
        }
        found.push(Path::new(base).join("sbin"));
    }
    found
        .into_iter()
        .find(|p| p.join("rabbitmq-server").is_file())
}

fn find_epmd() -> PathBuf {
    let mut found = vec![
        PathBuf::from("/usr/bin/epmd"),
        PathBuf::from("/usr/local/bin/epmd"),
    ];
    for entry in std::fs::read_dir("/usr/lib/erlang")
        .into_iter()
        .flatten()
        .flatten()
    {
        found.push(entry.path().join("bin/epmd"));
    }
    found
        .into_iter()
        .find(|p| p.is_file())
        .unwrap_or_else(|| "epmd".into())
}
