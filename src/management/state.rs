//! What every handler is given.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::api::redrive::Works;
use super::auth::{Damping, Sessions};
use super::error::ApiError;
use super::facts::NodeFacts;
use super::operations::Operations;
use super::streams::Streams;
use crate::broker::Broker;
use crate::config::Settings;

/// The API's state; axum's `State` holds it.
pub type SharedApi = Arc<Api>;

/// Everything that handlers read.
#[derive(Debug)]
pub struct Api {
    /// The broker.
    pub broker: Arc<Broker>,
    /// The configuration in effect.
    pub settings: Settings,
    /// What the node told about itself.
    pub node: NodeFacts,
    /// When the process started.
    pub started: Instant,
    /// The node itself, once it serves its operator.
    pub operations: OnceLock<Arc<dyn Operations>>,
    /// Logins of the pages.
    pub sessions: Sessions,
    /// Who has guessed passwords.
    pub damping: Damping,
    /// Messages on their way from one queue to another.
    pub redrives: Works,
    /// Answers without an end.
    pub streams: Streams,
    stopping: watch::Sender<bool>,
}

impl Api {
    /// A state for a node whose listeners are open.
    pub fn new(
        broker: Arc<Broker>,
        settings: Settings,
        node: NodeFacts,
        started: Instant,
    ) -> SharedApi {
        let minutes = settings.management.login_session_timeout_min;
        Arc::new(Self {
            sessions: Sessions::new(Duration::from_secs(minutes * 60)),
            damping: Damping::default(),
            redrives: Works::default(),
            streams: Streams::default(),
            broker,
            settings,
            node,
            started,
            operations: OnceLock::new(),
            stopping: watch::Sender::new(false),
        })
    }

    /// The name clients see for the cluster: a global parameter where one was set, the
    /// configuration's, the node's name.
    pub fn cluster_name(&self) -> String {
        let configured = || self.settings.node.cluster_name.clone();
        let chosen = self.broker.cluster_name().or_else(configured);
        chosen.unwrap_or_else(|| self.node.name.clone())
    }

    /// Ends when every change of definitions so far outlives a crash; fails where the store does.
    pub async fn settled(&self) -> Result<(), ApiError> {
        if self.broker.definitions_durable().await {
            return Ok(());
        }
        Err(ApiError::unavailable("the store has failed"))
    }

    /// Ends when the log's entry with this ticket outlives a crash; fails where the store does.
    pub async fn stored(&self, ticket: u64) -> Result<(), ApiError> {
        if self.broker.durable(ticket).await {
            return Ok(());
        }
        Err(ApiError::unavailable("the store has failed"))
    }

    /// Ends answers that have no end of their own, and lets connections finish their request.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Ends when the node stops.
    pub async fn stopped(&self) {
        // The sender lives as long as this state, so that waiting cannot fail.
        let _ = self.stopping.subscribe().wait_for(|stop| *stop).await;
    }
}
