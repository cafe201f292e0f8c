//! Opens the store of a data folder, puts what it holds into the broker, and closes it at the end.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;

use crate::broker::Broker;
use crate::broker::keeper::{Keeper, wait_durable};
use crate::broker::reader::Reader;
use crate::broker::recovery::{Disks, RecoverError, Recovered, recover};
use crate::config::{DiskLimit, ResourceSettings};
use crate::definitions::{Definitions, Recovery};
use crate::limits::LOG_BUFFER;
use crate::store::StoreError;
use crate::store::bodies::Bodies;
use crate::store::io::{CountedDisk, Disk, RealDisk};
use crate::store::log::{Log, LogOptions};

/// The exit status of a node whose store has failed: what it could not write it must not go on
/// without.
const STORE_FAILED: i32 = 74;

/// An open store.
#[derive(Debug)]
pub struct Store {
    keeper: Keeper,
    log: Arc<Log>,
    bodies: Arc<Bodies>,
    definitions: Arc<Definitions>,
    /// Nothing had been defined in it before.
    pub is_new: bool,
}

impl Store {
    /// Recovers what the folder holds and puts it into `broker`, which then keeps it there.
    pub fn open(
        folder: &Path,
        broker: &Arc<Broker>,
        resources: &ResourceSettings,
    ) -> anyhow::Result<Self> {
        let started = Instant::now();
        let log_folder = folder.join("log");
        std::fs::create_dir_all(&log_folder)
            .with_context(|| format!("cannot make the folder {}", log_folder.display()))?;
        let counted =
            |folder| CountedDisk::new(RealDisk::new(folder), Arc::clone(broker.observer.io()));
        let log_disk: Arc<dyn Disk> = Arc::new(counted(log_folder));
        let index_folder = folder.join("index");
        std::fs::create_dir_all(&index_folder)
            .with_context(|| format!("cannot make the folder {}", index_folder.display()))?;
        let index: Arc<dyn Disk> = Arc::new(counted(index_folder));
        let mut octets = 0;
        let mut shown = Instant::now();
        let recovered = recover(
            broker,
            &Disks {
                log: log_disk,
                index: Arc::clone(&index),
            },
            LogOptions {
                segment_bytes: resources.segment_bytes,
                buffer_bytes: LOG_BUFFER,
                reserve_bytes: reserve(resources),
            },
            Recovery::open(folder)?,
            |definitions| Ok(definitions.finish()?.0),
            &mut |done, total| {
                octets = done;
                if shown.elapsed().as_secs() >= 1 {
                    shown = Instant::now();
                    let (done, total) = (done >> 20, total >> 20);
                    tracing::info!("recovering: {done} of {total} MiB of the log read");
                }
            },
        );
        let Recovered {
            log,
            bodies,
            definitions,
            restored,
            is_new,
        } = recovered.map_err(|error| match error {
            RecoverError::Store(error) => in_folder(folder, error),
            RecoverError::Definitions(error) => error.into(),
        })?;
        log.on_failure(|error| {
            tracing::error!("the store has failed, and the node ends: {error}");
            eprintln!("leveret: the store has failed: {error}");
            std::process::exit(STORE_FAILED);
        });
        log.start().context("cannot start the log's thread")?;
        bodies.start().context("cannot start the bodies' thread")?;
        Reader::start(broker).context("cannot start the reader's thread")?;
        tracing::info!(
            "store: {} durable queues with {} messages recovered from {} MiB of log in {} ms",
            restored.queues,
            restored.messages,
            octets >> 20,
            started.elapsed().as_millis()
        );
        let keeper = Keeper::start(broker, index, resources.young_bytes)
            .context("cannot start the keeper's thread")?;
        Ok(Self {
            keeper,
            log,
            bodies,
            definitions,
            is_new,
        })
    }

    /// Waits until everything that has been defined so far is durable.
    pub fn keep_definitions(&self, broker: &Broker) -> anyhow::Result<()> {
        wait_durable(&self.log, broker.journal.last_definition()).context("the store")
    }

    /// Writes what is left and closes.
    pub fn close(&mut self, broker: &Broker) -> anyhow::Result<()> {
        broker.reader.stop();
        self.bodies.stop();
        self.keeper.stop();
        let stopped = self.log.stop();
        self.definitions.durable_to(self.log.durable());
        self.definitions.close();
        stopped.context("the store could not be closed")
    }
}

/// What the log keeps free: files that are allocated ahead must not be what fills the disk.
pub fn reserve(resources: &ResourceSettings) -> u64 {
    free_limit(resources).saturating_add(3 * u64::from(resources.segment_bytes))
}

/// Free octets of the disk below which publishers are blocked.
pub(super) fn free_limit(resources: &ResourceSettings) -> u64 {
    match resources.disk_free_limit {
        DiskLimit::Absolute(octets) => octets,
        // A share of the memory; far below 2^53.
        DiskLimit::Relative(share) => (super::memory::available(resources) as f64 * share) as u64,
    }
}

/// Says which store it is, and what can be done about one that is damaged.
fn in_folder(folder: &Path, error: StoreError) -> anyhow::Error {
    let folder = folder.display();
    let context = match error {
        StoreError::Damaged { .. } | StoreError::Refused(_) => format!(
            "the store in {folder} cannot be used as it is. Restore it from a backup, or see what can \
             still be read: `leveretctl store check --data-dir {folder}` tells it and changes nothing, \
             `leveretctl store repair --data-dir {folder}` keeps it. What was found"
        ),
        _ => format!("the store in {folder}"),
    };
    anyhow::Error::new(error).context(context)
}
