//! Transactions: publishes are routed at once and take effect at commit, acknowledgements too; all
//! of it or nothing.

use super::Session;
use super::channel::Mode;
use crate::amqp::{AmqpError, encode};
use crate::broker::batch::{Batch, Refusals};
use crate::broker::inbox::waking_once;
use crate::broker::journal::draft_ops;
use crate::broker::observe::channel_stats::ChannelMode;
use crate::broker::observe::exchange_counts::ExchangeTally;
use crate::channel::UnackedRun;
use crate::limits::TX_BYTES;
use crate::message::{Held, Record, record};
use crate::queue::Incoming;
use crate::queue::settle::Settlement;
use crate::store::batch::Draft;

/// What an open transaction holds.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    pub batch: Batch,
    /// Some message is kept over a restart.
    pub logged: bool,
    /// Records of mandatory messages that no queue takes.
    pub returns: Vec<Vec<u8>>,
    pub settles: Vec<(UnackedRun, Settlement)>,
    /// Its publishes, by exchange and together.
    pub tally: ExchangeTally,
    pub published: u64,
    /// Publishes that no queue takes and nobody wants back.
    pub dropped: u64,
    held: Held,
}

impl Transaction {
    /// Counts a publish of `octets` to `queues`; refuses what exceeds the bound.
    pub fn reserve(&mut self, octets: usize, queues: usize) -> Result<(), AmqpError> {
        self.held
            .add(octets + record::PREFIX + queues * size_of::<Incoming>());
        if self.held.octets() > TX_BYTES as u64 {
            return Err(AmqpError::precondition_failed(format!(
                "transaction holds more than {TX_BYTES} bytes"
            )));
        }
        Ok(())
    }
}

impl Session {
    pub(super) fn on_tx_select(&mut self, channel: u16) -> Result<(), AmqpError> {
        let Some(state) = self.channels.get_mut(&channel) else {
            return Ok(());
        };
        match state.mode {
            Mode::Plain => {
                state.mode = Mode::Tx(Box::default());
                state.stats.set_mode(ChannelMode::Transaction);
            }
            Mode::Tx(_) => {}
            Mode::Confirm(_) => {
                let text = "cannot switch from confirm to tx mode";
                return Err(AmqpError::precondition_failed(text));
            }
        }
        encode::plain(self.out.buffer(), channel, 90, 11);
        Ok(())
    }

    fn take_transaction(&mut self, channel: u16) -> Result<Transaction, AmqpError> {
        let mode = self.channels.get_mut(&channel).map(|state| {
            state.stats.uncommitted.set(0);
            state.stats.acks_uncommitted.set(0);
            &mut state.mode
        });
        match mode {
            Some(Mode::Tx(tx)) => Ok(std::mem::take(tx)),
            _ => Err(AmqpError::precondition_failed(
                "channel is not transactional",
            )),
        }
    }

    pub(super) fn on_tx_commit(&mut self, channel: u16) -> Result<(), AmqpError> {
        let mut tx = self.take_transaction(channel)?;
        for record in &tx.returns {
            let record = Record::read(record).unwrap_or_default();
            self.return_unroutable(channel, record.route, record.properties, record.body);
        }
        if !tx.batch.has_room() {
            // Nothing takes effect; what was acknowledged is with the channel again.
            self.restore(channel, tx.settles);
            return Err(AmqpError::precondition_failed("partial tx completion"));
        }

        // Every queue has said that it has room; it now takes what it is given.
        tx.batch.force();
        self.count_committed(channel, &mut tx);
        for (run, how) in &tx.settles {
            self.add_settle(run, *how);
        }
        let settles = std::mem::take(&mut self.settles);
        let ticket = waking_once(|| {
            let broker = &self.broker;
            let mut draft = Draft::default();
            let gate = broker.journal.enter();
            let mut asked = tx
                .batch
                .flush_drafting(self.now, &mut Refusals::default(), &mut draft);
            for (queue, runs) in settles {
                let mut effects = queue.settle_drafting(&runs, self.now);
                draft_ops(&mut draft, queue.id, &effects.journal);
                effects.journal.clear();
                asked.push((queue, effects));
            }
            let ticket = broker.journal.append(draft, Some(&self.inbox));
            for (queue, effects) in asked.iter_mut() {
                broker.carry_out(queue, std::mem::take(effects));
            }
            drop(gate);
            ticket
        });
        self.visit_parked();
        self.wait_for(ticket);
        encode::plain(self.out.buffer(), channel, 90, 21);
        Ok(())
    }

    pub(super) fn on_tx_rollback(&mut self, channel: u16) -> Result<(), AmqpError> {
        let tx = self.take_transaction(channel)?;
        self.restore(channel, tx.settles);
        encode::plain(self.out.buffer(), channel, 90, 31);
        Ok(())
    }

    /// What a transaction did counts from its commit on.
    fn count_committed(&mut self, channel: u16, tx: &mut Transaction) {
        self.tally.merge(&mut tx.tally);
        self.tally.flush();
        if let Some(state) = self.channels.get(&channel) {
            let stats = &state.stats;
            stats.publish.add(tx.published);
            stats.drop_unroutable.add(tx.dropped);
            let acks = tx.settles.iter().filter(|(_, how)| *how == Settlement::Ack);
            stats.ack.add(acks.map(|(run, _)| u64::from(run.len)).sum());
        }
    }

    /// Puts acknowledgements that did not take effect back among the unacknowledged, under their
    /// own tags.
    fn restore(&mut self, channel: u16, settles: Vec<(UnackedRun, Settlement)>) {
        if let Some(state) = self.channels.get_mut(&channel) {
            for (run, _) in settles {
                state.unacked.restore(run);
            }
            state.note_unacked();
        }
    }
}
