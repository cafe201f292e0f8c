//! The process: its data folder, log, signals and operator's socket, and the parts that a broker is
//! built of.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::app::Process;
use super::lifecycle::{Lifecycle, Reload};
use super::{control, data_dir, logging, management, memory, reset};
use crate::amqp::{Table, Value};
use crate::auth::{HashingAlgorithm, LoginFrom, Mechanism, Permissions, User};
use crate::broker::admin::{Scope, VhostChange, hash_password};
use crate::broker::exchange::INTERNAL_USER;
use crate::broker::{Broker, Options};
use crate::config::{ListenerAddress, Loaded, QueueType, Settings, TlsVersion};
use crate::connection::Tuning;
use crate::management::server::serve;
use crate::management::transport::Transport;
use crate::management::{ListenerFacts, OpenFlag};
use crate::queue::QueueKind;
use crate::server::certificates::{Certificates, TlsFiles};
use crate::server::listener::{Acceptor, SocketOptions, listen};
use crate::server::session::SessionOptions;

/// Open files a broker for 5,000 connections wants.
const FILES_WANTED: u64 = 65_536;

/// Runs a broker until it is told to stop. `reload` reads the configuration again, for a broker that
/// is started anew within the process.
pub fn run(loaded: Loaded, reload: Reload) -> anyhow::Result<()> {
    // Signals and the operator's socket only: the broker has a runtime of its own.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ended = runtime.block_on(run_process(loaded, reload));
    // A broker that could not be started in time is not waited for.
    runtime.shutdown_background();
    ended
}

async fn run_process(loaded: Loaded, reload: Reload) -> anyhow::Result<()> {
    let settings = &loaded.settings;
    let folder = data_dir::open(Path::new(&settings.node.data_dir))?;
    reset::finish(&folder.path)?;
    let name = node_name(settings);
    let logs = logging::start(&settings.log, &folder.path, &host_name())?;
    tokio::spawn(logging::reopen_on_hangup(Arc::clone(&logs)));
    let files = raise_file_limit();
    let mut signals = StopSignals::catch()?;
    let asked_to_stop = Arc::new(Notify::new());
    let process = Process {
        name,
        data_dir: folder.path.clone(),
        logs,
        files,
        started: Instant::now(),
        asked_to_stop: Arc::clone(&asked_to_stop),
    };
    let (mut node, gate) = Lifecycle::new(process, &loaded, reload);
    let socket = control::open(&folder.path)?;
    tokio::spawn(control::serve(socket, Arc::clone(&gate)));
    node.start(loaded).await?;
    loop {
        tokio::select! {
            () = signals.wait(&asked_to_stop) => break,
            Some(asked) = node.next_wish() => node.carry_out(asked).await,
        }
    }
    let stopped = node.stop().await;
    gate.end();
    let _ = std::fs::remove_file(control::socket_path(&folder.path));
    stopped?;
    tracing::info!("stopped");
    Ok(())
}

pub(super) fn build_broker(settings: &Settings) -> Arc<Broker> {
    Broker::new(Options {
        max_message_size: settings.amqp.max_message_size,
        memory_limit: memory::limit(&settings.resources),
        consumer_timeout_ms: settings.amqp.consumer_timeout_ms,
        // The configuration allows names of algorithms only.
        hashing: HashingAlgorithm::from_name(&settings.auth.password_hashing_module)
            .unwrap_or_default(),
        default_kind: match settings.amqp.default_queue_type {
            QueueType::Classic => QueueKind::Classic,
            QueueType::Quorum => QueueKind::Quorum,
        },
    })
}

/// The default objects in a new data folder, then the definitions file.
pub(super) fn prepare(broker: &Broker, settings: &Settings, is_new: bool) -> anyhow::Result<()> {
    let defaults = &settings.defaults;
    if is_new {
        // What can be wrong comes first: a host alone would make the next start no first one.
        let permissions = Permissions::new(&defaults.configure, &defaults.write, &defaults.read)
            .context("default_permissions")?;
        let password = hash_password(broker.options.hashing, defaults.pass.as_bytes())
            .map_err(|reason| anyhow::anyhow!("default_pass: {reason}"))?;
        let user = User {
            name: defaults.user.clone(),
            password: Some(password),
            tags: defaults.user_tags.clone(),
        };
        let change = VhostChange {
            description: Some("Default virtual host".to_owned()),
            ..VhostChange::default()
        };
        broker
            .admin_put_vhost(&defaults.vhost, change)
            .context("default_vhost")?;
        broker.put_user(user, &defaults.vhost, permissions);
    }
    broker.ensure_cluster_id();
    if let Some(path) = &defaults.load_definitions {
        for file in definition_files(Path::new(path))? {
            load_definitions(broker, &file, &defaults.vhost)?;
        }
    }
    Ok(())
}

/// The file itself, or the `*.json` files of a folder by name.
fn definition_files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path)
        .with_context(|| format!("load_definitions: cannot read {}", path.display()))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|file| {
            file.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    files.sort();
    Ok(files)
}

fn load_definitions(broker: &Broker, path: &Path, default_vhost: &str) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("load_definitions: cannot read {}", path.display()))?;
    let scope = Scope::Broker { default_vhost };
    broker
        .import_in_sight(&text, scope, INTERNAL_USER, &path.display().to_string())
        .with_context(|| format!("load_definitions: {}", path.display()))?;
    tracing::info!("loaded definitions from {}", path.display());
    Ok(())
}

pub(super) fn session_options(settings: &Settings) -> anyhow::Result<Arc<SessionOptions>> {
    let mechanisms: Vec<Mechanism> = settings
        .auth
        .mechanisms
        .iter()
        .map(|name| {
            Mechanism::from_name(name.as_bytes())
                .with_context(|| format!("auth_mechanisms: '{name}' is not known"))
        })
        .collect::<anyhow::Result<_>>()?;
    Ok(Arc::new(SessionOptions {
        tuning: Tuning {
            channel_max: settings.amqp.channel_max,
            frame_max: settings.amqp.frame_max,
            heartbeat_s: settings.amqp.heartbeat_s,
        },
        initial_frame_max: settings.amqp.initial_frame_max as usize,
        server_properties: server_properties(settings),
        mechanisms,
        anonymous_user: settings.auth.anonymous_login_user.clone(),
        loopback_users: settings.auth.loopback_users.clone(),
        handshake_timeout_ms: settings.listeners.handshake_timeout_ms,
        connection_max: settings.amqp.connection_max,
    }))
}

/// What clients are told in `connection.start`; they branch on product, version and capabilities.
fn server_properties(settings: &Settings) -> Table {
    const CAPABILITIES: [&str; 9] = [
        "publisher_confirms",
        "exchange_exchange_bindings",
        "basic.nack",
        "consumer_cancel_notify",
        "connection.blocked",
        "consumer_priorities",
        "authentication_failure_close",
        "per_consumer_qos",
        "direct_reply_to",
    ];
    let mut capabilities = Table::default();
    for name in CAPABILITIES {
        capabilities.set(name.as_bytes(), Value::Bool(true));
    }
    let node = &settings.node;
    let cluster = node
        .cluster_name
        .clone()
        .unwrap_or_else(|| node_name(settings));
    let mut table = Table::default();
    table.set(b"capabilities", Value::Table(capabilities));
    for (key, text) in [
        ("cluster_name", cluster.as_str()),
        ("copyright", "Copyright (c) the Leveret authors"),
        ("information", "Licensed under the Apache License 2.0"),
        ("platform", concat!("Leveret ", env!("CARGO_PKG_VERSION"))),
        ("product", node.product_name.as_str()),
        ("version", node.product_version.as_str()),
        ("leveret_version", env!("CARGO_PKG_VERSION")),
    ] {
        table.set(key.as_bytes(), Value::text(text));
    }
    table
}

fn node_name(settings: &Settings) -> String {
    settings
        .node
        .name
        .clone()
        .unwrap_or_else(|| format!("leveret@{}", host_name()))
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

/// An open AMQP listener.
pub(super) struct Opened {
    /// How the node announces it.
    pub facts: ListenerFacts,
    /// The socket.
    pub listener: TcpListener,
    /// What its connections get.
    pub acceptor: Arc<Acceptor>,
}

pub(super) fn serve_http(
    opened: Vec<management::Opened>,
    transport: &Transport,
) -> Vec<JoinHandle<()>> {
    opened
        .into_iter()
        .map(|opened| {
            let up = opened.facts.open.accepting();
            let transport = transport.clone();
            tokio::spawn(async move {
                serve(opened.listening, transport).await;
                drop(up);
            })
        })
        .collect()
}

pub(super) fn socket_options(settings: &Settings) -> SocketOptions {
    let listeners = &settings.listeners;
    let tcp = &listeners.tcp_options;
    let size = |octets: Option<u64>| octets.and_then(|octets| usize::try_from(octets).ok());
    SocketOptions {
        backlog: tcp.backlog,
        nodelay: tcp.nodelay,
        keepalive: tcp.keepalive,
        sndbuf: size(tcp.sndbuf),
        recbuf: size(tcp.recbuf),
        linger_s: tcp.linger_on.then(|| tcp.linger_timeout_s.into()),
        proxy_protocol: listeners.proxy_protocol,
        tls_handshake_timeout_ms: listeners.ssl_handshake_timeout_ms,
    }
}

pub(super) fn open_listeners(
    broker: &Arc<Broker>,
    settings: &Settings,
    session: &Arc<SessionOptions>,
    socket: &SocketOptions,
) -> anyhow::Result<Vec<Opened>> {
    let listeners = &settings.listeners;
    let acceptor = |certificates| {
        Arc::new(Acceptor {
            broker: Arc::clone(broker),
            session: Arc::clone(session),
            socket: socket.clone(),
            certificates,
        })
    };
    let mut opened = Vec::new();
    let mut add = |protocol, address: &ListenerAddress, acceptor| -> anyhow::Result<()> {
        let listener = listen(address.ip, address.port, socket)
            .context("listeners.tcp and listeners.ssl set the ports of AMQP")?;
        let tls = (protocol == "amqp/ssl").then_some(&settings.tls);
        let file = |path: Option<&Option<String>>| path.cloned().flatten().map(PathBuf::from);
        opened.push(Opened {
            facts: ListenerFacts {
                protocol,
                address: listener.local_addr()?,
                path: String::new(),
                certfile: file(tls.map(|tls| &tls.certfile)),
                cacertfile: file(tls.map(|tls| &tls.cacertfile)),
                open: OpenFlag::default(),
            },
            listener,
            acceptor,
        });
        Ok(())
    };
    let plain = acceptor(None);
    for (_, address) in listeners.tcp_to_open() {
        add("amqp", address, Arc::clone(&plain))?;
    }
    if !listeners.ssl_to_open().is_empty() {
        let certificates = Certificates::load(tls_files(settings)?)?;
        tokio::spawn(Arc::clone(&certificates).watch());
        let tls = acceptor(Some(certificates));
        for (_, address) in listeners.ssl_to_open() {
            add("amqp/ssl", address, Arc::clone(&tls))?;
        }
    }
    if opened.is_empty() {
        bail!("no listener is configured: set listeners.tcp.default or listeners.ssl.default");
    }
    Ok(opened)
}

fn tls_files(settings: &Settings) -> anyhow::Result<TlsFiles> {
    let tls = &settings.tls;
    let file = |key: &str, value: &Option<String>| {
        value
            .clone()
            .map(PathBuf::from)
            .with_context(|| format!("listeners.ssl needs ssl_options.{key}"))
    };
    Ok(TlsFiles {
        certfile: file("certfile", &tls.certfile)?,
        keyfile: file("keyfile", &tls.keyfile)?,
        cacertfile: tls.cacertfile.clone().map(PathBuf::from),
        verify_peer: tls.verify_peer,
        fail_if_no_peer_cert: tls.fail_if_no_peer_cert,
        tls12: tls.versions.contains(&TlsVersion::Tls12),
        tls13: tls.versions.contains(&TlsVersion::Tls13),
        login_from: LoginFrom::configured(&settings.auth),
    })
}

/// Raises the soft limit of open files as far as it goes; returns what holds.
fn raise_file_limit() -> u64 {
    match rlimit::increase_nofile_limit(FILES_WANTED) {
        Ok(limit) => {
            if limit < FILES_WANTED {
                tracing::warn!(
                    "this process may open {limit} files, which bounds its connections; \
                     {FILES_WANTED} are advised (raise the hard limit, ulimit -Hn)"
                );
            }
            limit
        }
        Err(error) => {
            tracing::warn!("cannot raise the limit of open files: {error}");
            0
        }
    }
}

/// What tells the process to stop. Caught from here on: a broker that is told while it still starts
/// ends in order once it runs.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn catch() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn wait(&mut self, asked: &Notify) {
        tokio::select! {
            _ = self.terminate.recv() => tracing::info!("stopping: SIGTERM"),
            _ = self.interrupt.recv() => tracing::info!("stopping: SIGINT"),
            // Logged where it is asked.
            () = asked.notified() => {}
        }
    }
}
