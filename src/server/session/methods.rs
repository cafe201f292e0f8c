//! Methods on an open channel, off the hot path.

use std::sync::Arc;

use amq_protocol::protocol::AMQPClass;
use amq_protocol::protocol::{access, basic, channel, confirm, exchange, queue, tx};

use super::Session;
use super::channel::Channel;
use crate::amqp::method::Method;
use crate::amqp::{AmqpError, encode, method};

impl Session {
    /// `channel.open`; the channel is not open.
    pub(super) fn on_channel_open(&mut self, number: u16, payload: &[u8]) -> Result<(), AmqpError> {
        method::decode(payload)?;
        self.flush();
        let max = usize::from(self.tuning.channel_max);
        if max != 0 && self.channels.len() >= max {
            let text = format!(
                "number of channels opened ({}) has reached the negotiated channel_max ({max})",
                self.channels.len()
            );
            return Err(AmqpError::not_allowed(text));
        }
        let max = self.limits().channels_max();
        let Some(counted) = self.usage.open_channel(max) else {
            let (user, max) = (self.user_name(), max.unwrap_or_default());
            return Err(AmqpError::not_allowed(format!(
                "number of channels opened for user '{user}' has reached the maximum allowed user \
                 limit of ({max})"
            )));
        };
        let channel = Channel {
            _counted: Some(counted),
            ..Channel::new(number)
        };
        self.traffic.open_channel(Arc::clone(&channel.stats));
        self.broker.churn.channel_created.add(1);
        self.emit("channel.created", Some(number));
        self.channels.insert(number, channel);
        encode::channel_open_ok(self.out.buffer(), number);
        Ok(())
    }

    /// Any other method on an open channel.
    pub(super) fn on_method(&mut self, channel: u16, method: Method) -> Result<(), AmqpError> {
        let id = method.id;
        let table = method.table;
        match method.class {
            AMQPClass::Channel(channel::AMQPMethod::Open(_)) => {
                Err(AmqpError::channel_error("second 'channel.open' seen"))
            }
            AMQPClass::Channel(channel::AMQPMethod::Flow(flow)) => {
                if !flow.active {
                    return Err(AmqpError::not_implemented("active=false"));
                }
                encode::channel_flow_ok(self.out.buffer(), channel, true);
                Ok(())
            }
            AMQPClass::Channel(channel::AMQPMethod::Close(_)) => {
                self.on_channel_close(channel);
                Ok(())
            }
            AMQPClass::Access(access::AMQPMethod::Request(_)) => {
                encode::access_request_ok(self.out.buffer(), channel);
                Ok(())
            }
            AMQPClass::Exchange(exchange::AMQPMethod::Declare(m)) => {
                self.on_exchange_declare(channel, &m, table)
            }
            AMQPClass::Exchange(exchange::AMQPMethod::Delete(m)) => {
                self.on_exchange_delete(channel, &m)
            }
            AMQPClass::Exchange(exchange::AMQPMethod::Bind(m)) => {
                self.on_exchange_bind(channel, &m, table)
            }
            AMQPClass::Exchange(exchange::AMQPMethod::Unbind(m)) => {
                self.on_exchange_unbind(channel, &m, table)
            }
            AMQPClass::Queue(queue::AMQPMethod::Declare(m)) => {
                self.on_queue_declare(channel, &m, table)
            }
            AMQPClass::Queue(queue::AMQPMethod::Bind(m)) => self.on_queue_bind(channel, &m, table),
            AMQPClass::Queue(queue::AMQPMethod::Unbind(m)) => {
                self.on_queue_unbind(channel, &m, table)
            }
            AMQPClass::Queue(queue::AMQPMethod::Purge(m)) => self.on_queue_purge(channel, &m),
            AMQPClass::Queue(queue::AMQPMethod::Delete(m)) => self.on_queue_delete(channel, &m),
            AMQPClass::Basic(basic::AMQPMethod::Qos(m)) => {
                self.on_qos(channel, &m, method.prefetch_size)
            }
            AMQPClass::Basic(basic::AMQPMethod::Consume(m)) => self.on_consume(channel, &m, &table),
            AMQPClass::Basic(basic::AMQPMethod::Cancel(m)) => self.on_cancel(channel, &m),
            AMQPClass::Basic(basic::AMQPMethod::Get(m)) => self.on_get(channel, &m),
            AMQPClass::Basic(basic::AMQPMethod::Recover(m)) => {
                self.on_recover(channel, m.requeue, true)
            }
            AMQPClass::Basic(basic::AMQPMethod::RecoverAsync(m)) => {
                self.on_recover(channel, m.requeue, false)
            }
            AMQPClass::Tx(tx::AMQPMethod::Select(_)) => self.on_tx_select(channel),
            AMQPClass::Tx(tx::AMQPMethod::Commit(_)) => self.on_tx_commit(channel),
            AMQPClass::Tx(tx::AMQPMethod::Rollback(_)) => self.on_tx_rollback(channel),
            AMQPClass::Confirm(confirm::AMQPMethod::Select(m)) => {
                self.on_confirm_select(channel, m.nowait)
            }
            _ => Err(AmqpError::command_invalid("unimplemented method").caused_by(id)),
        }
    }
}
