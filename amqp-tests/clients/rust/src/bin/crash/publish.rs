//! Publishers: persistent messages with a window of open confirms, or in
//! transactions, until the connection is lost.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lapin::{
    BasicProperties, Confirmation, Connection, ConnectionProperties, PublisherConfirm,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};

use crate::body::Id;
use crate::ledger::Ledger;
use crate::topology::{BATCH, Family, family_of};

/// The ledger as all tasks share it.
pub type Shared = Arc<Mutex<Ledger>>;

/// Open confirms of a publisher.
const WINDOW: usize = 200;
/// How long after the loss of the connection a confirm may be waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Locks the ledger; what it holds stays usable after a panic elsewhere.
pub fn lock(ledger: &Shared) -> std::sync::MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(|e| e.into_inner())
}

/// Opens a connection.
pub async fn connect(url: &str) -> lapin::Result<Connection> {
    let properties = ConnectionProperties::default().with_connection_name("crash".into());
    Connection::connect(url, properties).await
}

/// Publishes as `publisher` until the connection is lost.
pub async fn publish(url: String, ledger: Shared, publisher: u16, cycle: u32) {
    let mut open = VecDeque::new();
    // The end of the connection is how every cycle ends.
    match family_of(publisher) {
        Some(family) if family.tx => {
            let _ = transact(&url, &ledger, family, publisher, cycle).await;
        }
        Some(family) => {
            let _ = run(&url, &ledger, family, publisher, cycle, &mut open).await;
        }
        None => {}
    }
    for (id, confirm) in open {
        if let Ok(Ok(outcome)) = tokio::time::timeout(PATIENCE, confirm).await {
            note(&ledger, id, &outcome);
        }
    }
}

fn note(ledger: &Shared, id: Id, outcome: &Confirmation) {
    match outcome {
        Confirmation::Ack(_) => lock(ledger).confirm(id, true),
        Confirmation::Nack(_) => lock(ledger).confirm(id, false),
        Confirmation::NotRequested => {}
    }
}

async fn run(
    url: &str,
    ledger: &Shared,
    family: &Family,
    publisher: u16,
    cycle: u32,
    open: &mut VecDeque<(Id, PublisherConfirm)>,
) -> lapin::Result<()> {
    let connection = connect(url).await?;
    let channel = connection.create_channel().await?;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await?;
    for seq in 0.. {
        let id = Id {
            publisher,
            cycle,
            seq,
        };
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_priority(id.priority());
        let body = id.body();
        lock(ledger).publish(id);
        let sent = channel.basic_publish(
            family.exchange.into(),
            family.key.into(),
            BasicPublishOptions::default(),
            &body,
            properties,
        );
        open.push_back((id, sent.await?));
        if open.len() >= WINDOW
            && let Some((id, confirm)) = open.pop_front()
        {
            note(ledger, id, &confirm.await?);
        }
    }
    Ok(())
}

/// Commits batches; commit-ok confirms all of its batch.
async fn transact(
    url: &str,
    ledger: &Shared,
    family: &Family,
    publisher: u16,
    cycle: u32,
) -> lapin::Result<()> {
    let connection = connect(url).await?;
    let channel = connection.create_channel().await?;
    channel.tx_select().await?;
    for batch in 0.. {
        let ids = (0..BATCH).map(|n| Id {
            publisher,
            cycle,
            seq: batch * BATCH + n,
        });
        for id in ids.clone() {
            let body = id.body();
            lock(ledger).publish(id);
            let sent = channel.basic_publish(
                family.exchange.into(),
                family.key.into(),
                BasicPublishOptions::default(),
                &body,
                BasicProperties::default().with_delivery_mode(2),
            );
            drop(sent.await?);
        }
        channel.tx_commit().await?;
        ids.for_each(|id| lock(ledger).confirm(id, true));
    }
    Ok(())
}
