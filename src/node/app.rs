//! The broker within the process: everything that `stop_app` ends and `start_app` makes anew, on a
//! runtime of its own, so that nothing of it is left behind.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, Runtime};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::operate::Operator;
use super::start::{
    build_broker, open_listeners, prepare, serve_http, session_options, socket_options,
};
use super::store::{Store, free_limit};
use super::{banner, logging, management, memory};
use crate::broker::Broker;
use crate::broker::log_exchange::LogExchange;
use crate::broker::observe::sampler;
use crate::broker::timer::Timer;
use crate::config::Loaded;
use crate::logs::Logs;
use crate::management::gate::{Gate, Phase};
use crate::management::transport::Transport;
use crate::management::{Api, NodeFacts, SharedApi};
use crate::server::listener::accept_loop;

/// How long connections have to close in order.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// How long work that is under way has to end when the runtime goes.
const RUNTIME_WITHIN: Duration = Duration::from_secs(5);

/// What the process has for every broker that it starts.
#[derive(Debug, Clone)]
pub struct Process {
    /// The node's name.
    pub name: String,
    /// The data folder, which is locked.
    pub data_dir: PathBuf,
    /// The log.
    pub logs: Arc<Logs>,
    /// Files that the process may open.
    pub files: u64,
    /// When it started.
    pub started: Instant,
    /// Notified when an operator wants it to end.
    pub asked_to_stop: Arc<Notify>,
}

/// A broker that runs.
pub struct App {
    runtime: Runtime,
    broker: Arc<Broker>,
    api: SharedApi,
    store: Store,
    accepting: Vec<JoinHandle<()>>,
}

impl App {
    /// Recovers what the data folder holds, opens the listeners and serves. Blocks meanwhile.
    /// Before anybody is accepted, `gate` knows that the broker runs.
    pub fn start(process: &Process, loaded: &Loaded, gate: &Gate) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        let entered = runtime.enter();
        let settings = &loaded.settings;
        banner::begin(
            &process.name,
            loaded,
            &process.logs.locations(),
            &process.data_dir,
        );
        for notice in &loaded.notices {
            tracing::warn!("{notice}");
        }
        let broker = build_broker(settings);
        logging::keep_events(&settings.log, &process.data_dir, &broker)?;
        broker.introduce(&process.name, Arc::clone(&process.logs));
        banner::limits(settings, broker.alarms.memory_limit(), process.files);
        let mut store = Store::open(&process.data_dir, &broker, &settings.resources)?;
        let served = serve(process, loaded, &broker, &store, gate);
        drop(entered);
        match served {
            Ok((api, accepting)) => Ok(Self {
                runtime,
                broker,
                api,
                store,
                accepting,
            }),
            Err(error) => {
                runtime.shutdown_timeout(RUNTIME_WITHIN);
                // What kept it from serving is what the operator has to hear.
                let _ = store.close(&broker);
                Err(error)
            }
        }
    }

    /// Closes every connection with 320 and a little later the store. Blocks meanwhile.
    pub fn stop(mut self) -> anyhow::Result<()> {
        for task in &self.accepting {
            task.abort();
        }
        self.api.stop();
        self.runtime.block_on(close_connections(&self.broker));
        // From here on nothing but the store's own threads works on the broker.
        self.runtime.shutdown_timeout(RUNTIME_WITHIN);
        self.store.close(&self.broker)
    }
}

/// What listens and who accepts there.
type Serving = (SharedApi, Vec<JoinHandle<()>>);

/// Fills a recovered broker with what is configured, opens the listeners and serves.
fn serve(
    process: &Process,
    loaded: &Loaded,
    broker: &Arc<Broker>,
    store: &Store,
    gate: &Gate,
) -> anyhow::Result<Serving> {
    let settings = &loaded.settings;
    let session = session_options(settings)?;
    broker
        .alarms
        .set_disk_limit(free_limit(&settings.resources));
    prepare(broker, settings, store.is_new)?;
    store.keep_definitions(broker)?;
    let socket_options = socket_options(settings);
    let opened = open_listeners(broker, settings, &session, &socket_options)?;
    let pages = management::open(settings, &socket_options)?;
    let metrics = management::open_metrics(settings, &socket_options)?;
    let amqp = opened.iter().map(|opened| &opened.facts);
    let http = pages.iter().chain(&metrics).map(|opened| &opened.facts);
    let listeners: Vec<_> = amqp.chain(http).cloned().collect();
    listeners.iter().for_each(banner::listener);
    let api = Api::new(
        Arc::clone(broker),
        settings.clone(),
        NodeFacts {
            name: process.name.clone(),
            listeners,
            data_dir: process.data_dir.clone(),
            config_files: loaded.files.clone(),
            log_files: process.logs.locations(),
            files_max: process.files,
        },
        process.started,
    );
    let stop = Arc::clone(&process.asked_to_stop);
    let operator = Operator::new(Arc::clone(broker), loaded, stop);
    // Nobody else sets it.
    let _ = api.operations.set(Arc::new(operator));
    tokio::spawn(Timer::run(Arc::clone(broker)));
    if let Some(feed) = process.logs.feed() {
        let (broker, feed) = (Arc::clone(broker), Arc::clone(feed));
        let publisher = LogExchange::open(broker, feed, &settings.defaults.vhost);
        tokio::spawn(publisher.run());
    }
    tokio::spawn(memory::watch(Arc::clone(broker)));
    let every = Duration::from_millis(settings.management.statistics_interval_ms);
    tokio::spawn(sampler::run(Arc::clone(broker), every));
    let transport = Transport::new(Arc::clone(&api));
    gate.set(Phase::Running(
        Box::new(transport.clone()),
        Handle::current(),
    ));
    let mut accepting = Vec::new();
    for opened in opened {
        let up = opened.facts.open.accepting();
        accepting.push(tokio::spawn(async move {
            accept_loop(opened.listener, opened.acceptor).await;
            drop(up);
        }));
    }
    accepting.extend(serve_http(pages, &transport));
    accepting.extend(serve_http(
        metrics,
        &Transport::of_metrics(Arc::clone(&api)),
    ));
    banner::ready(&["rabbitmq_prometheus", "rabbitmq_management"]);
    Ok((api, accepting))
}

/// Asks all of them to close, and waits a little for their answers.
async fn close_connections(broker: &Broker) {
    broker.connections.close_all("shutdown");
    let deadline = Instant::now() + STOP_WITHIN;
    while broker.connections.sessions() > 0 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
