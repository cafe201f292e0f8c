//! What a client asks for, built up by words.

use crate::wire::{Method, Props, Table, Value, method};

macro_rules! bits {
    ($ty:ident: $($(#[$doc:meta])* $name:ident = $field:literal),*) => {
        impl $ty { $(
            $(#[$doc])*
            pub fn $name(mut self) -> Self {
                self.method = self.method.set($field, true);
                self
            }
        )*
            /// The method as it will be sent.
            pub fn method(&self) -> Method {
                self.method.clone()
            }
        }
    };
}

macro_rules! args {
    ($ty:ident) => {
        impl $ty {
            /// Adds one argument.
            pub fn arg(mut self, key: &str, value: impl Into<Value>) -> Self {
                let table = self.method.table("arguments").clone().with(key, value);
                self.method = self.method.set("arguments", table);
                self
            }
            /// Sets all arguments.
            pub fn args(mut self, table: Table) -> Self {
                self.method = self.method.set("arguments", table);
                self
            }
        }
    };
}

/// queue.declare; without further words neither durable, exclusive nor auto-delete.
#[derive(Clone, Debug)]
pub struct Queue {
    method: Method,
}
impl Queue {
    /// A declaration of `name`; empty asks for a server-named queue.
    pub fn new(name: impl AsRef<str>) -> Self {
        Self {
            method: method("queue.declare").set("queue", name.as_ref()),
        }
    }
}
bits!(Queue:
    /// Only asks whether it exists.
    passive = "passive",
    /// Survives a restart.
    durable = "durable",
    /// For this connection only.
    exclusive = "exclusive",
    /// Goes with its last consumer.
    auto_delete = "auto-delete",
    /// Asks for no answer.
    nowait = "nowait");
args!(Queue);

/// exchange.declare; without further words neither durable nor auto-delete.
#[derive(Clone, Debug)]
pub struct Exchange {
    method: Method,
}
impl Exchange {
    /// A declaration of `name` with a type.
    pub fn new(name: impl AsRef<str>, kind: &str) -> Self {
        Self {
            method: method("exchange.declare")
                .set("exchange", name.as_ref())
                .set("type", kind),
        }
    }
}
bits!(Exchange:
    /// Only asks whether it exists.
    passive = "passive",
    /// Survives a restart.
    durable = "durable",
    /// Goes with the last binding from it.
    auto_delete = "auto-delete",
    /// Cannot be published to.
    internal = "internal",
    /// Asks for no answer.
    nowait = "nowait");
args!(Exchange);

/// basic.consume; manual acknowledgements unless `no_ack`.
#[derive(Clone, Debug)]
pub struct Consume {
    method: Method,
}
impl Consume {
    /// A consumer on `queue`, its tag named by the broker.
    pub fn new(queue: impl AsRef<str>) -> Self {
        Self {
            method: method("basic.consume").set("queue", queue.as_ref()),
        }
    }
    /// Names the consumer.
    pub fn tag(mut self, tag: impl AsRef<str>) -> Self {
        self.method = self.method.set("consumer-tag", tag.as_ref());
        self
    }
}
bits!(Consume:
    /// Deliveries need no acknowledgement.
    no_ack = "no-ack",
    /// No other consumer may be on the queue.
    exclusive = "exclusive",
    /// Not own messages; RabbitMQ ignores it.
    no_local = "no-local",
    /// Asks for no answer.
    nowait = "nowait");
args!(Consume);

/// basic.publish with its content.
#[derive(Clone, Debug)]
pub struct Publish {
    method: Method,
    /// Properties.
    pub props: Props,
    /// Body.
    pub body: Vec<u8>,
}
impl Publish {
    /// An empty message to `exchange` with `key`.
    pub fn new(exchange: impl AsRef<str>, key: impl AsRef<str>) -> Self {
        Self {
            method: method("basic.publish")
                .set("exchange", exchange.as_ref())
                .set("routing-key", key.as_ref()),
            props: Props::new(),
            body: Vec::new(),
        }
    }
    /// An empty message to a queue, by the default exchange.
    pub fn to_queue(queue: impl AsRef<str>) -> Self {
        Self::new("", queue)
    }
    /// Sets the body.
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }
    /// Sets the properties.
    pub fn props(mut self, props: Props) -> Self {
        self.props = props;
        self
    }
}
bits!(Publish:
    /// Comes back when no queue takes it.
    mandatory = "mandatory",
    /// Comes back when no consumer takes it; RabbitMQ refuses it.
    immediate = "immediate");
