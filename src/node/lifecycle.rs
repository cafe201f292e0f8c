//! The broker within the process, started, stopped and reset as its operator wants it.

use std::sync::Arc;

use anyhow::Context;
use tokio::sync::mpsc;

use super::app::{App, Process};
use super::reset;
use crate::config::Loaded;
use crate::management::gate::{Asked, Gate, Identity, Phase, Unfulfilled, Wish};

/// Reads the configuration again; the error tells all that is wrong with it.
pub type Reload = Box<dyn Fn() -> Result<Loaded, String> + Send>;

/// The broker, or where it would be.
pub struct Lifecycle {
    process: Process,
    reload: Reload,
    gate: Arc<Gate>,
    wishes: mpsc::Receiver<Asked>,
    app: Option<App>,
}

impl Lifecycle {
    /// Without a broker yet, and the gate for the operator's socket.
    pub fn new(process: Process, loaded: &Loaded, reload: Reload) -> (Self, Arc<Gate>) {
        let node = &loaded.settings.node;
        let identity = Identity {
            name: process.name.clone(),
            product_name: node.product_name.clone(),
            product_version: node.product_version.clone(),
            started: process.started,
        };
        let (gate, wishes) = Gate::new(identity, Arc::clone(&process.asked_to_stop));
        let this = Self {
            process,
            reload,
            gate: Arc::clone(&gate),
            wishes,
            app: None,
        };
        (this, gate)
    }

    /// Starts the broker; does nothing where it runs.
    pub async fn start(&mut self, loaded: Loaded) -> anyhow::Result<()> {
        if self.app.is_some() {
            return Ok(());
        }
        self.gate.set(Phase::Booting);
        let (process, gate) = (self.process.clone(), Arc::clone(&self.gate));
        let started = tokio::task::spawn_blocking(move || {
            // One that failed must not be finished when new messages have come.
            reset::finish(&process.data_dir)?;
            App::start(&process, &loaded, &gate)
        })
        .await;
        match started.context("the start was cut short").flatten() {
            Ok(app) => {
                self.app = Some(app);
                Ok(())
            }
            Err(error) => {
                self.gate.set(Phase::Stopped);
                Err(error)
            }
        }
    }

    /// Stops the broker; does nothing where none runs.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        let Some(app) = self.app.take() else {
            return Ok(());
        };
        self.gate.set(Phase::Stopping);
        let stopped = tokio::task::spawn_blocking(move || app.stop()).await;
        self.gate.set(Phase::Stopped);
        stopped.context("the stop was cut short").flatten()
    }

    /// Waits for the next wish.
    pub async fn next_wish(&mut self) -> Option<Asked> {
        self.wishes.recv().await
    }

    /// Carries out a wish and answers who has it.
    pub async fn carry_out(&mut self, asked: Asked) {
        let done = match asked.wish {
            Wish::Start if self.app.is_some() => Ok(()),
            Wish::Start => self.start_anew().await.map_err(failed),
            Wish::Stop => {
                tracing::info!("the operator stops the broker");
                self.stop().await.map_err(failed)
            }
            Wish::Reset if self.app.is_some() => Err(Unfulfilled::Running),
            Wish::Reset => self.reset().await.map_err(failed),
        };
        if let Err(Unfulfilled::Failed(why)) = &done {
            tracing::error!("what the operator asked for was not done: {why}");
        }
        // Who asked may have gone.
        let _ = asked.answer.send(done);
    }

    /// With the configuration as it is now, but for what belongs to the process: data folder, node
    /// name and log.
    async fn start_anew(&mut self) -> anyhow::Result<()> {
        tracing::info!("the operator starts the broker");
        let loaded = (self.reload)().map_err(anyhow::Error::msg)?;
        self.start(loaded).await
    }

    async fn reset(&self) -> anyhow::Result<()> {
        tracing::info!("the operator resets the node: definitions and messages are deleted");
        let folder = self.process.data_dir.clone();
        let wiped = tokio::task::spawn_blocking(move || reset::begin(&folder)).await;
        wiped.context("the reset was cut short").flatten()
    }
}

fn failed(error: anyhow::Error) -> Unfulfilled {
    Unfulfilled::Failed(format!("{error:#}"))
}
