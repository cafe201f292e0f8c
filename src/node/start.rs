//! Start and stop, in order.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::operate::Operator;
use super::store::{Store, free_limit};
use super::{banner, control, data_dir, logging, management, memory};
use crate::amqp::{Table, Value};
use crate::auth::{HashingAlgorithm, LoginFrom, Mechanism, Permissions, User};
use crate::broker::admin::{Progress, Scope, VhostChange, hash_password};
use crate::broker::exchange::INTERNAL_USER;
use crate::broker::log_exchange::LogExchange;
use crate::broker::observe::sampler;
use crate::broker::timer::Timer;
use crate::broker::{Broker, Options};
use crate::config::{ListenerAddress, Loaded, QueueType, Settings, TlsVersion};
use crate::connection::Tuning;
use crate::management::server::serve;
use crate::management::transport::Transport;
use crate::management::{Api, ListenerFacts, NodeFacts, OpenFlag};
use crate::queue::QueueKind;
use crate::server::certificates::{Certificates, TlsFiles};
use crate::server::listener::{Acceptor, SocketOptions, accept_loop, listen};
use crate::server::session::SessionOptions;

/// How long connections have to close in order after SIGTERM.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// Open files a broker for 5,000 connections wants.
const FILES_WANTED: u64 = 65_536;

/// Objects of a definitions file after which the log says how far its import has come.
const PROGRESS_EVERY: usize = 10_000;

/// Runs a broker until it is told to stop.
pub async fn run(loaded: Loaded) -> anyhow::Result<()> {
    let settings = &loaded.settings;
    let started = Instant::now();
    let folder = data_dir::open(Path::new(&settings.node.data_dir))?;
    let name = node_name(settings);
    let logs = logging::start(&settings.log, &folder.path, &host_name())?;
    tokio::spawn(logging::reopen_on_hangup(Arc::clone(&logs)));
    banner::begin(&name, &loaded, &logs.locations(), &folder.path);
    for notice in &loaded.notices {
        tracing::warn!("{notice}");
    }
    let files = raise_file_limit();
    let broker = build_broker(settings);
    logging::keep_events(&settings.log, &folder.path, &broker)?;
    let log_files = logs.locations();
    broker.introduce(&name, logs);
    banner::limits(settings, broker.alarms.memory_limit(), files);
    let session = session_options(settings)?;
    let signals = StopSignals::catch()?;
    let mut store = Store::open(&folder.path, &broker, &settings.resources)?;
    broker
        .alarms
        .set_disk_limit(free_limit(&settings.resources));
    prepare(&broker, settings, store.is_new)?;
    store.keep_definitions(&broker)?;
    let socket_options = socket_options(settings);
    let opened = open_listeners(&broker, settings, &session, &socket_options)?;
    let pages = management::open(settings, &socket_options)?;
    let metrics = management::open_metrics(settings, &socket_options)?;
    let mut listeners = Vec::new();
    for opened in &opened {
        listeners.push(opened.facts.clone());
    }
    let http = pages.iter().chain(&metrics);
    listeners.extend(http.map(|opened| opened.facts.clone()));
    listeners.iter().for_each(banner::listener);
    let api = Api::new(
        Arc::clone(&broker),
        settings.clone(),
        NodeFacts {
            name,
            listeners,
            data_dir: folder.path.clone(),
            config_files: loaded.files.clone(),
            log_files,
            files_max: files,
        },
        started,
    );
    let socket = control::open(&folder.path)?;
    tokio::spawn(Timer::run(Arc::clone(&broker)));
    if let Some(feed) = broker.logs().and_then(|logs| logs.feed()) {
        let (broker, feed) = (Arc::clone(&broker), Arc::clone(feed));
        let publisher = LogExchange::open(broker, feed, &settings.defaults.vhost);
        tokio::spawn(publisher.run());
    }
    tokio::spawn(memory::watch(Arc::clone(&broker)));
    let asked_to_stop = Arc::new(Notify::new());
    let operator = Operator::new(Arc::clone(&broker), &loaded, Arc::clone(&asked_to_stop));
    // Nobody else sets it.
    let _ = api.operations.set(Arc::new(operator));
    tokio::spawn(control::serve(socket, Transport::new(Arc::clone(&api))));
    let every = Duration::from_millis(settings.management.statistics_interval_ms);
    tokio::spawn(sampler::run(Arc::clone(&broker), every));
    let mut accepting = Vec::new();
    for opened in opened {
        let up = opened.facts.open.accepting();
        accepting.push(tokio::spawn(async move {
            accept_loop(opened.listener, opened.acceptor).await;
            drop(up);
        }));
    }
    accepting.extend(serve_http(pages, &Transport::new(Arc::clone(&api))));
    accepting.extend(serve_http(
        metrics,
        &Transport::of_metrics(Arc::clone(&api)),
    ));
    banner::ready(&["rabbitmq_prometheus", "rabbitmq_management"]);
    signals.wait(&asked_to_stop).await;
    for task in accepting {
        task.abort();
    }
    api.stop();
    stop(&broker).await;
    let closed = store.close(&broker);
    let _ = std::fs::remove_file(control::socket_path(&folder.path));
    closed?;
    tracing::info!("stopped");
    Ok(())
}

fn build_broker(settings: &Settings) -> Arc<Broker> {
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
fn prepare(broker: &Broker, settings: &Settings, is_new: bool) -> anyhow::Result<()> {
    let defaults = &settings.defaults;
    if is_new {
        let change = VhostChange {
            description: Some("Default virtual host".to_owned()),
            ..VhostChange::default()
        };
        broker
            .admin_put_vhost(&defaults.vhost, change)
            .context("default_vhost")?;
        let permissions = Permissions::new(&defaults.configure, &defaults.write, &defaults.read)
            .context("default_permissions")?;
        let password = hash_password(broker.options.hashing, defaults.pass.as_bytes())
            .map_err(|reason| anyhow::anyhow!("default_pass: {reason}"))?;
        let user = User {
            name: defaults.user.clone(),
            password: Some(password),
            tags: defaults.user_tags.clone(),
        };
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
    let mut said = 0;
    let mut report = |progress: Progress| {
        if progress.done >= said + PROGRESS_EVERY {
            said = progress.done;
            tracing::info!(
                "{}: {} of {} objects are in",
                path.display(),
                progress.done,
                progress.total
            );
        }
    };
    let scope = Scope::Broker { default_vhost };
    let warnings = broker
        .import_definitions(&text, scope, INTERNAL_USER, &mut report)
        .with_context(|| format!("load_definitions: {}", path.display()))?;
    for warning in warnings {
        tracing::warn!("{}: {warning}", path.display());
    }
    tracing::info!("loaded definitions from {}", path.display());
    Ok(())
}

fn session_options(settings: &Settings) -> anyhow::Result<Arc<SessionOptions>> {
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
struct Opened {
    facts: ListenerFacts,
    listener: TcpListener,
    acceptor: Arc<Acceptor>,
}

fn serve_http(opened: Vec<management::Opened>, transport: &Transport) -> Vec<JoinHandle<()>> {
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

fn socket_options(settings: &Settings) -> SocketOptions {
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

fn open_listeners(
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

    async fn wait(mut self, asked: &Notify) {
        tokio::select! {
            _ = self.terminate.recv() => tracing::info!("stopping: SIGTERM"),
            _ = self.interrupt.recv() => tracing::info!("stopping: SIGINT"),
            // Logged where it is asked.
            () = asked.notified() => {}
        }
    }
}

/// Closes every connection with 320 and waits a little for their answers.
async fn stop(broker: &Broker) {
    broker.connections.close_all("shutdown");
    let deadline = Instant::now() + STOP_WITHIN;
    while broker.connections.sessions() > 0 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
