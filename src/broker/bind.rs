//! Binding and unbinding queues and exchanges.

use super::declare_exchange::forget_source;
use super::define::binding_row;
use super::events::shown;
use super::exchange::Exchange;
use super::vhost::Vhost;
use crate::amqp::AmqpError;
use crate::definitions::Command;
use crate::exchange::{Binding, Destination};

impl Vhost {
    /// Adds a binding from `source`; the same binding twice is one.
    pub fn bind(&self, source: &[u8], binding: &Binding) -> Result<(), AmqpError> {
        let mut topology = self.topology.lock();
        let exchange = self.existing_exchange(source)?;
        self.check_destination(&binding.destination)?;
        let mut bindings = (**exchange.bindings()).clone();
        let new = bindings
            .bind(binding)
            .map_err(|refusal| AmqpError::precondition_failed(refusal.to_string()))?;
        if topology.deleted {
            return Err(self.gone());
        }
        if new {
            exchange.set_bindings(bindings);
            self.tell_of_binding("binding.created", &exchange, binding);
            if self.outlives_restart(&exchange, &binding.destination) {
                let row = binding_row(&self.name, &exchange, binding);
                self.journal.define(Command::Bind(row));
            }
            let sources = topology
                .sources
                .entry(binding.destination.clone())
                .or_default();
            *sources.entry(exchange.name.clone()).or_default() += 1;
        }
        Ok(())
    }

    /// Removes a binding; succeeds when there is none, but source and destination must exist for
    /// RabbitMQ only when the binding does, so nothing else is checked.
    pub fn unbind(&self, source: &[u8], binding: &Binding) -> Result<(), AmqpError> {
        let mut topology = self.topology.lock();
        let Some(exchange) = self.exchange(source) else {
            return Ok(());
        };
        let mut bindings = (**exchange.bindings()).clone();
        if !bindings.unbind(binding) {
            return Ok(());
        }
        let empty = bindings.is_empty();
        exchange.set_bindings(bindings);
        self.tell_of_binding("binding.deleted", &exchange, binding);
        if self.outlives_restart(&exchange, &binding.destination) {
            let row = binding_row(&self.name, &exchange, binding);
            self.journal.define(Command::Unbind(row));
        }
        forget_source(&mut topology, &binding.destination, &exchange.name, 1);
        if empty && exchange.auto_delete {
            self.remove_exchange(&mut topology, &exchange);
        }
        Ok(())
    }

    pub(super) fn tell_of_binding(
        &self,
        event: &'static str,
        source: &Exchange,
        binding: &Binding,
    ) {
        let (name, kind) = match &binding.destination {
            Destination::Queue(name) => (name, "queue"),
            Destination::Exchange(name) => (name, "exchange"),
        };
        let told = [
            ("source_name", shown(&source.name)),
            ("destination_name", shown(name)),
            ("destination_kind", kind.into()),
            ("routing_key", shown(&binding.routing_key)),
            ("vhost", shown(&self.name)),
        ];
        self.journal.events.emit(event, told);
    }

    /// A binding does when both of its ends do.
    fn outlives_restart(&self, source: &Exchange, destination: &Destination) -> bool {
        source.durable
            && match destination {
                Destination::Queue(name) => self.queue(name.as_bytes()).is_some_and(|q| q.durable),
                Destination::Exchange(name) => {
                    self.exchange(name.as_bytes()).is_some_and(|x| x.durable)
                }
            }
    }

    fn check_destination(&self, destination: &Destination) -> Result<(), AmqpError> {
        match destination {
            Destination::Queue(name) => self.existing_queue(name.as_bytes()).map(drop),
            Destination::Exchange(name) => self.existing_exchange(name.as_bytes()).map(drop),
        }
    }
}
