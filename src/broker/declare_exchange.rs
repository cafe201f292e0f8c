//! Declaring and deleting exchanges.

use std::sync::Arc;

use super::define::exchange_row;
use super::events::shown;
use super::exchange::{Exchange, ExchangePolicy, ExchangeSpec, exchange_subject};
use super::vhost::{Topology, Vhost};
use crate::amqp::AmqpError;
use crate::definitions::Command;
use crate::definitions::policy::{Kind, PolicySet};
use crate::exchange::{Destination, ExchangeType, check_arguments, unknown_type_text};
use crate::ids::Name;
use crate::queue::equivalence;

/// The exchange type called `name`. Unknown types are 503 as in RabbitMQ 3.10.
pub fn exchange_type(name: &[u8]) -> Result<ExchangeType, AmqpError> {
    ExchangeType::from_name(name).ok_or_else(|| AmqpError::command_invalid(unknown_type_text(name)))
}

impl Vhost {
    /// Declares an exchange, or checks that the one there is the same.
    pub fn declare_exchange(&self, spec: ExchangeSpec) -> Result<(), AmqpError> {
        check_arguments(spec.kind, &spec.arguments).map_err(|refusal| {
            let text = refusal.text(spec.name.as_bytes(), self.name.as_bytes());
            AmqpError::precondition_failed(text)
        })?;
        let mut topology = self.topology.lock();
        if let Some(current) = self.exchange(spec.name.as_bytes()) {
            return self.same_exchange(&current, &spec);
        }
        if topology.deleted {
            return Err(self.gone());
        }
        let row = spec.durable.then(|| exchange_row(&self.name, &spec));
        let exchange = Exchange::new(spec);
        exchange.set_policy(exchange_policy(&self.policies.load(), &exchange));
        note_alternate(&mut topology, &exchange);
        let name = exchange.name.clone();
        let told = [
            ("name", shown(&name)),
            ("vhost", shown(&self.name)),
            ("type", exchange.kind.name().into()),
            ("durable", exchange.durable.into()),
            ("auto_delete", exchange.auto_delete.into()),
            ("internal", exchange.internal.into()),
        ];
        self.exchanges.write().insert(name.clone(), exchange);
        self.journal.events.emit("exchange.created", told);
        if let Some(row) = row {
            self.journal.define(Command::DeclareExchange(row));
        }
        // Only now would a route that is looked up afresh find it.
        invalidate_users(&topology, &name);
        Ok(())
    }

    fn same_exchange(&self, current: &Exchange, spec: &ExchangeSpec) -> Result<(), AmqpError> {
        let subject = exchange_subject(spec.name.as_bytes(), &self.name);
        equivalence::text_field("type", &subject, spec.kind.name(), current.kind.name())?;
        equivalence::flag("durable", &subject, spec.durable, current.durable)?;
        equivalence::flag(
            "auto_delete",
            &subject,
            spec.auto_delete,
            current.auto_delete,
        )?;
        equivalence::flag("internal", &subject, spec.internal, current.internal)?;
        let names = ["alternate-exchange"].into_iter();
        equivalence::arguments(names, &subject, &spec.arguments, &current.arguments)
    }

    /// Deletes an exchange with all bindings from and to it; succeeds when there is none.
    pub fn delete_exchange(&self, name: &[u8], if_unused: bool) -> Result<(), AmqpError> {
        let mut topology = self.topology.lock();
        let Some(exchange) = self.exchange(name) else {
            return Ok(());
        };
        if if_unused && !exchange.bindings().is_empty() {
            let subject = exchange_subject(name, &self.name);
            return Err(AmqpError::precondition_failed(format!("{subject} in use")));
        }
        self.remove_exchange(&mut topology, &exchange);
        Ok(())
    }

    /// Takes an exchange out of every map. Auto-delete exchanges that lose their last binding by
    /// it go as well, one after the other.
    pub(super) fn remove_exchange(&self, topology: &mut Topology, first: &Arc<Exchange>) {
        let mut doomed = vec![Arc::clone(first)];
        while let Some(exchange) = doomed.pop() {
            if exchange.is_deleted() {
                continue;
            }
            exchange.mark_deleted();
            self.exchanges.write().remove(&exchange.name);
            let told = [
                ("name", shown(&exchange.name)),
                ("vhost", shown(&self.name)),
            ];
            self.journal.events.emit("exchange.deleted", told);
            if exchange.durable {
                self.journal.define(Command::DeleteExchange {
                    vhost: self.name.clone(),
                    name: exchange.name.clone(),
                });
            }
            forget_alternate(topology, &exchange);
            invalidate_users(topology, &exchange.name);
            for binding in exchange.bindings().iter() {
                forget_source(topology, binding.destination, &exchange.name, 1);
                self.tell_of_binding("binding.deleted", &exchange, &binding.to_binding());
            }
            let destination = Destination::Exchange(exchange.name.clone());
            doomed.extend(self.drop_bindings_to(topology, &destination));
        }
    }

    /// Removes every binding to `destination`; returns the auto-delete exchanges that have none
    /// left.
    pub(super) fn drop_bindings_to(
        &self,
        topology: &mut Topology,
        destination: &Destination,
    ) -> Vec<Arc<Exchange>> {
        let mut emptied = Vec::new();
        for name in topology
            .sources
            .remove(destination)
            .unwrap_or_default()
            .into_keys()
        {
            let Some(source) = self.exchange(name.as_bytes()) else {
                continue;
            };
            let mut bindings = (**source.bindings()).clone();
            for binding in bindings.remove_destination(destination) {
                self.tell_of_binding("binding.deleted", &source, &binding);
            }
            let empty = bindings.is_empty();
            source.set_bindings(bindings);
            if empty && source.auto_delete {
                emptied.push(source);
            }
        }
        emptied
    }
}

/// Routes through exchanges whose alternate is `name` change with it.
fn invalidate_users(topology: &Topology, name: &Name) {
    for user in topology.alternates.get(name).into_iter().flatten() {
        user.invalidate();
    }
}

/// Notes which exchange has this one for its alternate.
fn note_alternate(topology: &mut Topology, exchange: &Arc<Exchange>) {
    if let Some(alternate) = exchange.alternate() {
        let users = topology.alternates.entry(alternate).or_default();
        users.push(Arc::clone(exchange));
    }
}

fn forget_alternate(topology: &mut Topology, exchange: &Arc<Exchange>) {
    if let Some(alternate) = exchange.alternate()
        && let Some(users) = topology.alternates.get_mut(&alternate)
    {
        users.retain(|user| !Arc::ptr_eq(user, exchange));
        if users.is_empty() {
            topology.alternates.remove(&alternate);
        }
    }
}

/// What `policies` make of an exchange; `None` where none is for it.
fn exchange_policy(policies: &PolicySet, exchange: &Exchange) -> Option<ExchangePolicy> {
    let matched = policies.matching(Kind::Exchange, exchange.name.as_bytes());
    if matched.is_empty() {
        return None;
    }
    Some(ExchangePolicy {
        definition: matched.definition(),
        policy: matched.policy.map(|policy| policy.name.clone()),
        operator_policy: matched.operator.map(|policy| policy.name.clone()),
    })
}

/// Puts `policies` into force on an exchange, whatever it was under before.
pub(super) fn follow_policies(
    topology: &mut Topology,
    policies: &PolicySet,
    exchange: &Arc<Exchange>,
) {
    let policy = exchange_policy(policies, exchange);
    if exchange.is_deleted() || exchange.policy().as_deref() == policy.as_ref() {
        return;
    }
    forget_alternate(topology, exchange);
    exchange.set_policy(policy);
    note_alternate(topology, exchange);
}

/// Counts `count` bindings less from `source` to `destination`.
pub(super) fn forget_source(
    topology: &mut Topology,
    destination: &Destination,
    source: &Name,
    count: usize,
) {
    let Some(sources) = topology.sources.get_mut(destination) else {
        return;
    };
    if let Some(left) = sources.get_mut(source) {
        *left = left.saturating_sub(count);
        if *left == 0 {
            sources.remove(source);
        }
    }
    if sources.is_empty() {
        topology.sources.remove(destination);
    }
}
