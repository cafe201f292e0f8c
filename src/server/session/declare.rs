//! Exchanges, queues and bindings.

use amq_protocol::protocol::{exchange, queue};

use super::Session;
use crate::amqp::{AmqpError, Table, Value, encode};
use crate::auth::Access;
use crate::broker::declare_exchange::exchange_type;
use crate::broker::declare_queue::{Declared, QuorumAsked, check_quorum};
use crate::broker::exchange::ExchangeSpec;
use crate::broker::reply_to::{REPLY_TO, is_reply_name};
use crate::broker::shared_queue::{QueueSpec, queue_subject};
use crate::exchange::{Binding, Destination};
use crate::ids::Name;
use crate::queue::{QueueArguments, QueueKind};

/// RabbitMQ takes carriage returns and line feeds out of declared names.
fn clean(name: &str) -> Vec<u8> {
    name.bytes()
        .filter(|b| *b != b'\r' && *b != b'\n')
        .collect()
}

/// The binding that an exchange.bind or exchange.unbind names.
fn exchange_binding(destination: &str, key: &str, arguments: Table) -> Binding {
    Binding {
        destination: Destination::exchange(&clean(destination)),
        routing_key: Name::new(key.as_bytes()),
        arguments,
    }
}

fn count(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn refuse_default_exchange(name: &[u8]) -> Result<(), AmqpError> {
    if name.is_empty() {
        return Err(AmqpError::access_refused(
            "operation not permitted on the default exchange",
        ));
    }
    Ok(())
}

impl Session {
    /// Answers with a method that has no arguments, unless the client asked for none.
    fn ok(&mut self, channel: u16, nowait: bool, id: (u16, u16)) {
        self.wait_for(self.broker.journal.last_definition());
        if !nowait {
            encode::plain(self.out.buffer(), channel, id.0, id.1);
        }
    }

    pub(super) fn on_exchange_declare(
        &mut self,
        channel: u16,
        method: &exchange::Declare,
        arguments: Table,
    ) -> Result<(), AmqpError> {
        let vhost = self.host()?;
        let name = clean(method.exchange.as_str());
        if method.passive {
            refuse_default_exchange(&name)?;
            vhost.existing_exchange(&name)?;
        } else {
            let kind = exchange_type(method.kind.as_str().as_bytes())?;
            refuse_default_exchange(&name)?;
            self.permit_exchange(Access::Configure, &name)?;
            if vhost.exchange(&name).is_none() && name.starts_with(b"amq.") {
                let name = String::from_utf8_lossy(&name);
                return Err(AmqpError::access_refused(format!(
                    "exchange name '{name}' contains reserved prefix 'amq.*'"
                )));
            }
            if let Some(alternate) = arguments
                .get(b"alternate-exchange")
                .and_then(Value::as_long_string)
            {
                self.permit_exchange(Access::Read, &name)?;
                self.permit_exchange(Access::Write, alternate)?;
            }
            vhost.declare_exchange(ExchangeSpec {
                name: Name::new(&name),
                kind,
                durable: method.durable,
                auto_delete: method.auto_delete,
                internal: method.internal,
                arguments,
                declared_by: Name::from(self.user_name()),
            })?;
        }
        self.ok(channel, method.nowait, (40, 11));
        Ok(())
    }

    pub(super) fn on_exchange_delete(
        &mut self,
        channel: u16,
        method: &exchange::Delete,
    ) -> Result<(), AmqpError> {
        let vhost = self.host()?;
        let name = clean(method.exchange.as_str());
        refuse_default_exchange(&name)?;
        if name.starts_with(b"amq.") {
            let name = String::from_utf8_lossy(&name);
            return Err(AmqpError::access_refused(format!(
                "deletion of system exchange '{name}' in vhost '{}' not allowed",
                vhost.name
            )));
        }
        self.permit_exchange(Access::Configure, &name)?;
        vhost.delete_exchange(&name, method.if_unused)?;
        self.ok(channel, method.nowait, (40, 21));
        Ok(())
    }

    pub(super) fn on_exchange_bind(
        &mut self,
        channel: u16,
        method: &exchange::Bind,
        arguments: Table,
    ) -> Result<(), AmqpError> {
        let (to, key) = (method.destination.as_str(), method.routing_key.as_str());
        let binding = exchange_binding(to, key, arguments);
        self.bind(&clean(method.source.as_str()), &binding)?;
        self.ok(channel, method.nowait, (40, 31));
        Ok(())
    }

    pub(super) fn on_exchange_unbind(
        &mut self,
        channel: u16,
        method: &exchange::Unbind,
        arguments: Table,
    ) -> Result<(), AmqpError> {
        let (to, key) = (method.destination.as_str(), method.routing_key.as_str());
        let binding = exchange_binding(to, key, arguments);
        self.unbind(&clean(method.source.as_str()), &binding)?;
        self.ok(channel, method.nowait, (40, 51));
        Ok(())
    }

    pub(super) fn on_queue_bind(
        &mut self,
        channel: u16,
        method: &queue::Bind,
        arguments: Table,
    ) -> Result<(), AmqpError> {
        let name = self.named_queue(channel, method.queue.as_str())?;
        let key = self.binding_key(channel, method.queue.as_str(), method.routing_key.as_str())?;
        let binding = Binding {
            destination: Destination::queue(&name),
            routing_key: key,
            arguments,
        };
        self.bind(&clean(method.exchange.as_str()), &binding)?;
        self.ok(channel, method.nowait, (50, 21));
        Ok(())
    }

    pub(super) fn on_queue_unbind(
        &mut self,
        channel: u16,
        method: &queue::Unbind,
        arguments: Table,
    ) -> Result<(), AmqpError> {
        let name = self.named_queue(channel, method.queue.as_str())?;
        let key = self.binding_key(channel, method.queue.as_str(), method.routing_key.as_str())?;
        let binding = Binding {
            destination: Destination::queue(&name),
            routing_key: key,
            arguments,
        };
        self.unbind(&clean(method.exchange.as_str()), &binding)?;
        self.ok(channel, false, (50, 51));
        Ok(())
    }

    /// An empty key with an empty queue name stands for the queue's name, as the specification
    /// has it.
    fn binding_key(&self, channel: u16, queue: &str, key: &str) -> Result<Name, AmqpError> {
        if queue.is_empty() && key.is_empty() {
            return Ok(Name::new(&self.named_queue(channel, queue)?));
        }
        Ok(Name::new(key.as_bytes()))
    }

    fn bind(&mut self, source: &[u8], binding: &Binding) -> Result<(), AmqpError> {
        let vhost = self.host()?;
        self.permit_bind(source, binding)?;
        self.check_owner(binding)?;
        vhost.bind(source, binding)
    }

    fn unbind(&mut self, source: &[u8], binding: &Binding) -> Result<(), AmqpError> {
        let vhost = self.host()?;
        self.permit_bind(source, binding)?;
        self.check_owner(binding)?;
        vhost.unbind(source, binding)
    }

    fn check_owner(&self, binding: &Binding) -> Result<(), AmqpError> {
        if let Destination::Queue(name) = &binding.destination
            && let Some(queue) = self.host()?.queue(name.as_bytes())
        {
            queue.check_access(self.id)?;
        }
        Ok(())
    }

    fn permit_bind(&mut self, source: &[u8], binding: &Binding) -> Result<(), AmqpError> {
        let name = binding.destination.name().as_bytes();
        match &binding.destination {
            Destination::Queue(_) => self.permit_queue(Access::Write, name)?,
            Destination::Exchange(_) => {
                refuse_default_exchange(name)?;
                self.permit_exchange(Access::Write, name)?;
            }
        }
        refuse_default_exchange(source)?;
        self.permit_exchange(Access::Read, source)?;
        if let Some(exchange) = self.host()?.exchange(source) {
            self.permit_topic(Access::Read, &exchange, binding.routing_key.as_bytes())?;
        }
        Ok(())
    }

    /// The queue that a method names: an empty name is the last one declared on the channel.
    pub(super) fn named_queue(&self, channel: u16, name: &str) -> Result<Vec<u8>, AmqpError> {
        if !name.is_empty() {
            return Ok(clean(name));
        }
        let last = self
            .channels
            .get(&channel)
            .and_then(|state| state.last_queue.as_ref());
        match last {
            Some(name) => Ok(name.as_bytes().to_vec()),
            None => Err(AmqpError::not_found("no previously declared queue")),
        }
    }

    pub(super) fn on_queue_declare(
        &mut self,
        channel: u16,
        method: &queue::Declare,
        arguments: Table,
    ) -> Result<(), AmqpError> {
        let vhost = self.host()?;
        let asked = clean(method.queue.as_str());
        if is_reply_name(&asked) {
            return self.declare_reply_queue(channel, &asked, method.nowait);
        }
        if method.passive {
            // Unlike in other methods an empty name does not stand for the last queue here.
            let queue = vhost.existing_queue(&asked)?;
            queue.check_access(self.id)?;
            queue.touch(self.now);
            self.queue_declared(channel, &queue, method.nowait);
            return Ok(());
        }
        let name = if asked.is_empty() {
            self.server_name()
        } else {
            asked.clone()
        };
        let subject = queue_subject(&name, &vhost.name);
        self.permit_queue(Access::Configure, &name)?;
        let existing = vhost.queue(&name);
        if existing.is_none() && asked.starts_with(b"amq.") {
            let name = String::from_utf8_lossy(&asked);
            return Err(AmqpError::access_refused(format!(
                "queue name '{name}' contains reserved prefix 'amq.*'"
            )));
        }
        if let Some(queue) = &existing
            && queue.check_access(self.id).is_err()
        {
            self.take_over_or_refuse(queue)?;
        }
        if let Some(queue) = existing.filter(|queue| !queue.is_deleted()) {
            let declared = Declared {
                durable: method.durable,
                owner: method.exclusive.then_some(self.id),
                auto_delete: method.auto_delete,
                arguments: &arguments,
            };
            vhost.same_queue(&queue, &declared, self.id)?;
            queue.touch(self.now);
            self.queue_declared(channel, &queue, method.nowait);
            return Ok(());
        }
        let settings = QueueArguments::parse(&arguments, &subject, vhost.default_kind())?;
        if settings.kind == QueueKind::Quorum {
            let asked_for = QuorumAsked {
                durable: method.durable,
                exclusive: method.exclusive,
                auto_delete: method.auto_delete,
                nameless: asked.is_empty(),
            };
            check_quorum(&subject, &asked_for)?;
        }
        if let Some(exchange) = settings.dead_letter_exchange.as_deref() {
            self.permit_queue(Access::Read, &name)?;
            self.permit_exchange(Access::Write, exchange)?;
        }

        let spec = QueueSpec {
            name: Name::new(&name),
            durable: method.durable && !method.exclusive,
            owner: method.exclusive.then_some(self.id),
            auto_delete: method.auto_delete,
            arguments,
            settings,
            declared_by: Name::from(self.user_name()),
        };
        let (queue, _) = vhost.declare_queue(&self.broker, spec, self.id, self.now)?;
        self.queue_declared(channel, &queue, method.nowait);
        Ok(())
    }

    fn queue_declared(&mut self, channel: u16, queue: &crate::broker::SharedQueue, nowait: bool) {
        if let Some(state) = self.channels.get_mut(&channel) {
            state.last_queue = Some(queue.name.clone());
        }
        if let Some(vhost) = &self.vhost {
            vhost.churn.declared.add(1);
        }
        if queue.durable {
            self.wait_for(self.broker.journal.last_definition());
        }
        if !nowait {
            let status = queue.status();
            encode::queue_declare_ok(
                self.out.buffer(),
                channel,
                queue.name.as_bytes(),
                count(status.ready),
                count(status.consumers as u64),
            );
        }
    }

    /// A client that reconnects gets its exclusive queue's name back from a connection of its own
    /// that has fallen silent.
    fn take_over_or_refuse(
        &mut self,
        queue: &std::sync::Arc<crate::broker::SharedQueue>,
    ) -> Result<(), AmqpError> {
        let owner = queue.owner.unwrap_or_default();
        let peer = self.peer.address.map(|address| address.ip());
        let name = self.client.name.as_deref();
        if !self
            .broker
            .take_over(owner, self.user_name(), name, peer, self.now)
        {
            return Err(queue.locked());
        }
        self.host()?.delete_queue(queue, false, false).map(drop)
    }

    /// The pseudo-queue answers for the channel that waits behind it.
    fn declare_reply_queue(
        &mut self,
        channel: u16,
        name: &[u8],
        nowait: bool,
    ) -> Result<(), AmqpError> {
        if name != REPLY_TO && !self.broker.replies.is_open(name) {
            return Err(self.host()?.no_queue(name));
        }
        if !nowait {
            encode::queue_declare_ok(self.out.buffer(), channel, name, 0, 1);
        }
        Ok(())
    }

    fn server_name(&self) -> Vec<u8> {
        use base64::Engine;
        let random: [u8; 16] = rand::random();
        let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random);
        format!("amq.gen-{text}").into_bytes()
    }

    pub(super) fn on_queue_purge(
        &mut self,
        channel: u16,
        method: &queue::Purge,
    ) -> Result<(), AmqpError> {
        let name = self.named_queue(channel, method.queue.as_str())?;
        self.permit_queue(Access::Read, &name)?;
        let vhost = self.host()?;
        let queue = vhost.existing_queue(&name)?;
        queue.check_access(self.id)?;
        let purged = queue
            .purge(&self.broker)
            .ok_or_else(|| vhost.no_queue(&name))?;
        if queue.durable {
            self.wait_for(self.broker.journal.last_ticket());
        }
        if !method.nowait {
            encode::queue_count_ok(self.out.buffer(), channel, 31, count(purged));
        }
        Ok(())
    }

    pub(super) fn on_queue_delete(
        &mut self,
        channel: u16,
        method: &queue::Delete,
    ) -> Result<(), AmqpError> {
        let name = self.named_queue(channel, method.queue.as_str())?;
        self.permit_queue(Access::Configure, &name)?;
        let vhost = self.host()?;
        let mut deleted = 0;
        if let Some(queue) = vhost.queue(&name) {
            queue.check_access(self.id)?;
            if queue.settings.kind == QueueKind::Quorum && (method.if_unused || method.if_empty) {
                let what = if method.if_unused {
                    "if-unused"
                } else {
                    "if-empty"
                };
                return Err(AmqpError::not_implemented(format!(
                    "cannot delete {}. queue.delete operations with {what} flag set are not \
                     supported by quorum queues",
                    queue.subject()
                )));
            }
            deleted = vhost.delete_queue(&queue, method.if_unused, method.if_empty)?;
            self.wait_for(self.broker.journal.last_definition());
        }
        if !method.nowait {
            encode::queue_count_ok(self.out.buffer(), channel, 41, count(deleted));
        }
        Ok(())
    }
}
