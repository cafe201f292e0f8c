//! The methods of AMQP 0-9-1 with RabbitMQ's extensions, as a table.

/// The type of one method field on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Packed with its neighbours into octets, lowest bit first.
    Bit,
    /// One octet.
    U8,
    /// Two octets.
    U16,
    /// Four octets.
    U32,
    /// Eight octets.
    U64,
    /// Length in one octet.
    ShortStr,
    /// Length in four octets.
    LongStr,
    /// A field table.
    Table,
}

/// One method: ids, name and fields in wire order.
#[derive(Debug)]
pub struct MethodSpec {
    /// Class id.
    pub class: u16,
    /// Method id.
    pub id: u16,
    /// `class.method` as in the specification.
    pub name: &'static str,
    /// Field names and types.
    pub fields: &'static [(&'static str, Kind)],
}

/// Every method this suite can speak.
pub fn all_methods() -> &'static [MethodSpec] {
    METHODS
}

use Kind::{Bit, LongStr, ShortStr, Table, U8, U16, U32, U64};

macro_rules! methods {
    ($($class:literal $id:literal $name:literal [$($field:literal : $kind:ident),*])*) => {
        const METHODS: &[MethodSpec] = &[
            $(MethodSpec { class: $class, id: $id, name: $name, fields: &[$(($field, $kind)),*] }),*
        ];
    };
}

methods! {
    10 10 "connection.start" ["version-major": U8, "version-minor": U8, "server-properties": Table, "mechanisms": LongStr, "locales": LongStr]
    10 11 "connection.start-ok" ["client-properties": Table, "mechanism": ShortStr, "response": LongStr, "locale": ShortStr]
    10 20 "connection.secure" ["challenge": LongStr]
    10 21 "connection.secure-ok" ["response": LongStr]
    10 30 "connection.tune" ["channel-max": U16, "frame-max": U32, "heartbeat": U16]
    10 31 "connection.tune-ok" ["channel-max": U16, "frame-max": U32, "heartbeat": U16]
    10 40 "connection.open" ["virtual-host": ShortStr, "reserved-1": ShortStr, "reserved-2": Bit]
    10 41 "connection.open-ok" ["reserved-1": ShortStr]
    10 50 "connection.close" ["reply-code": U16, "reply-text": ShortStr, "class-id": U16, "method-id": U16]
    10 51 "connection.close-ok" []
    10 60 "connection.blocked" ["reason": ShortStr]
    10 61 "connection.unblocked" []
    10 70 "connection.update-secret" ["new-secret": LongStr, "reason": ShortStr]
    10 71 "connection.update-secret-ok" []
    20 10 "channel.open" ["reserved-1": ShortStr]
    20 11 "channel.open-ok" ["reserved-1": LongStr]
    20 20 "channel.flow" ["active": Bit]
    20 21 "channel.flow-ok" ["active": Bit]
    20 40 "channel.close" ["reply-code": U16, "reply-text": ShortStr, "class-id": U16, "method-id": U16]
    20 41 "channel.close-ok" []
    30 10 "access.request" ["realm": ShortStr, "exclusive": Bit, "passive": Bit, "active": Bit, "write": Bit, "read": Bit]
    30 11 "access.request-ok" ["ticket": U16]
    40 10 "exchange.declare" ["ticket": U16, "exchange": ShortStr, "type": ShortStr, "passive": Bit, "durable": Bit, "auto-delete": Bit, "internal": Bit, "nowait": Bit, "arguments": Table]
    40 11 "exchange.declare-ok" []
    40 20 "exchange.delete" ["ticket": U16, "exchange": ShortStr, "if-unused": Bit, "nowait": Bit]
    40 21 "exchange.delete-ok" []
    40 30 "exchange.bind" ["ticket": U16, "destination": ShortStr, "source": ShortStr, "routing-key": ShortStr, "nowait": Bit, "arguments": Table]
    40 31 "exchange.bind-ok" []
    40 40 "exchange.unbind" ["ticket": U16, "destination": ShortStr, "source": ShortStr, "routing-key": ShortStr, "nowait": Bit, "arguments": Table]
    40 51 "exchange.unbind-ok" []
    50 10 "queue.declare" ["ticket": U16, "queue": ShortStr, "passive": Bit, "durable": Bit, "exclusive": Bit, "auto-delete": Bit, "nowait": Bit, "arguments": Table]
    50 11 "queue.declare-ok" ["queue": ShortStr, "message-count": U32, "consumer-count": U32]
    50 20 "queue.bind" ["ticket": U16, "queue": ShortStr, "exchange": ShortStr, "routing-key": ShortStr, "nowait": Bit, "arguments": Table]
    50 21 "queue.bind-ok" []
    50 30 "queue.purge" ["ticket": U16, "queue": ShortStr, "nowait": Bit]
    50 31 "queue.purge-ok" ["message-count": U32]
    50 40 "queue.delete" ["ticket": U16, "queue": ShortStr, "if-unused": Bit, "if-empty": Bit, "nowait": Bit]
    50 41 "queue.delete-ok" ["message-count": U32]
    50 50 "queue.unbind" ["ticket": U16, "queue": ShortStr, "exchange": ShortStr, "routing-key": ShortStr, "arguments": Table]
    50 51 "queue.unbind-ok" []
    60 10 "basic.qos" ["prefetch-size": U32, "prefetch-count": U16, "global": Bit]
    60 11 "basic.qos-ok" []
    60 20 "basic.consume" ["ticket": U16, "queue": ShortStr, "consumer-tag": ShortStr, "no-local": Bit, "no-ack": Bit, "exclusive": Bit, "nowait": Bit, "arguments": Table]
    60 21 "basic.consume-ok" ["consumer-tag": ShortStr]
    60 30 "basic.cancel" ["consumer-tag": ShortStr, "nowait": Bit]
    60 31 "basic.cancel-ok" ["consumer-tag": ShortStr]
    60 40 "basic.publish" ["ticket": U16, "exchange": ShortStr, "routing-key": ShortStr, "mandatory": Bit, "immediate": Bit]
    60 50 "basic.return" ["reply-code": U16, "reply-text": ShortStr, "exchange": ShortStr, "routing-key": ShortStr]
    60 60 "basic.deliver" ["consumer-tag": ShortStr, "delivery-tag": U64, "redelivered": Bit, "exchange": ShortStr, "routing-key": ShortStr]
    60 70 "basic.get" ["ticket": U16, "queue": ShortStr, "no-ack": Bit]
    60 71 "basic.get-ok" ["delivery-tag": U64, "redelivered": Bit, "exchange": ShortStr, "routing-key": ShortStr, "message-count": U32]
    60 72 "basic.get-empty" ["cluster-id": ShortStr]
    60 80 "basic.ack" ["delivery-tag": U64, "multiple": Bit]
    60 90 "basic.reject" ["delivery-tag": U64, "requeue": Bit]
    60 100 "basic.recover-async" ["requeue": Bit]
    60 110 "basic.recover" ["requeue": Bit]
    60 111 "basic.recover-ok" []
    60 120 "basic.nack" ["delivery-tag": U64, "multiple": Bit, "requeue": Bit]
    85 10 "confirm.select" ["nowait": Bit]
    85 11 "confirm.select-ok" []
    90 10 "tx.select" []
    90 11 "tx.select-ok" []
    90 20 "tx.commit" []
    90 21 "tx.commit-ok" []
    90 30 "tx.rollback" []
    90 31 "tx.rollback-ok" []
}
