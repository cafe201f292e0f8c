//! A change of the definitions, as the log records it.
//!
//! # Format, version 1
//!
//! ```text
//! payload   version: 1 octet, command
//! command   tag: 1 octet, length of the body: LEB128, body
//! put       key: octet string, value: octet string      (as `rows` writes them)
//! delete    the parts of the key, octet strings
//! batch     commands, one after the other; none of them a batch
//! ```
//!
//! It grows without a new version: bodies and values get fields at their end only, which older
//! readers leave and newer ones take defaults for (see [`super::codec`]). A tag that a reader does
//! not know is an error, since to leave a change out would make another state of it. The version
//! changes only if the shape above does.

use super::codec::{CodecError, Fields, put_number, put_octets};
use super::rows::{
    BindingRow, ExchangeRow, GlobalParameterRow, ParameterRow, PermissionRow, PolicyRow, QueueRow,
    Row, TopicPermissionRow, UserRow, VhostRow, key_of,
};
use crate::ids::Name;

/// The version of the format that this broker writes and reads.
pub const VERSION: u8 = 1;

/// A change that was decided. Applying it decides nothing: what it deletes may be gone, what it
/// puts replaces what is there.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the fields are the parts of a key")]
pub enum Command {
    /// Adds or changes a virtual host.
    PutVhost(VhostRow),
    /// Deletes a virtual host with everything in it.
    DeleteVhost { name: Name },
    /// Adds or changes a user.
    PutUser(UserRow),
    /// Deletes a user with its permissions.
    DeleteUser { name: String },
    /// Sets what a user may do in a host.
    SetPermission(PermissionRow),
    /// Closes a host to a user.
    ClearPermission { vhost: Name, user: String },
    /// Sets what keys a user may use with a topic exchange.
    SetTopicPermission(TopicPermissionRow),
    /// Removes that, for one exchange or, without one, for all of the host.
    ClearTopicPermission {
        vhost: Name,
        user: String,
        exchange: Option<Name>,
    },
    /// Adds or changes a durable exchange.
    DeclareExchange(ExchangeRow),
    /// Deletes an exchange with all bindings from it and to it.
    DeleteExchange { vhost: Name, name: Name },
    /// Adds or changes a durable queue. Another id than the one there stands for a new queue in
    /// place of the old one, whose bindings go.
    DeclareQueue(QueueRow),
    /// Deletes a queue with all bindings to it.
    DeleteQueue { id: u64 },
    /// Adds a binding; where the same one is there, that stays.
    Bind(BindingRow),
    /// Removes a binding.
    Unbind(BindingRow),
    /// Sets a parameter of a virtual host.
    PutParameter(ParameterRow),
    /// Clears one.
    DeleteParameter {
        vhost: Name,
        component: String,
        name: String,
    },
    /// Sets a parameter of the broker.
    PutGlobalParameter(GlobalParameterRow),
    /// Clears one.
    DeleteGlobalParameter { name: String },
    /// Adds or changes a policy.
    PutPolicy(PolicyRow),
    /// Deletes one.
    DeletePolicy { vhost: Name, name: String },
    /// Changes that go together: all or none survives.
    Batch(Vec<Command>),
}

/// Stored numbers of the commands: they never change and none is used twice.
mod tag {
    pub const PUT_VHOST: u8 = 1;
    pub const DELETE_VHOST: u8 = 2;
    pub const PUT_USER: u8 = 3;
    pub const DELETE_USER: u8 = 4;
    pub const SET_PERMISSION: u8 = 5;
    pub const CLEAR_PERMISSION: u8 = 6;
    pub const SET_TOPIC_PERMISSION: u8 = 7;
    pub const CLEAR_TOPIC_PERMISSION: u8 = 8;
    pub const DECLARE_EXCHANGE: u8 = 9;
    pub const DELETE_EXCHANGE: u8 = 10;
    pub const DECLARE_QUEUE: u8 = 11;
    pub const DELETE_QUEUE: u8 = 12;
    pub const BIND: u8 = 13;
    pub const UNBIND: u8 = 14;
    pub const PUT_PARAMETER: u8 = 15;
    pub const DELETE_PARAMETER: u8 = 16;
    pub const PUT_GLOBAL_PARAMETER: u8 = 17;
    pub const DELETE_GLOBAL_PARAMETER: u8 = 18;
    pub const PUT_POLICY: u8 = 19;
    pub const DELETE_POLICY: u8 = 20;
    pub const BATCH: u8 = 21;
}

impl Command {
    /// The payload of its record in the log.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        self.write(&mut out);
        out
    }

    /// The command of a payload.
    pub fn decode(payload: &[u8]) -> Result<Self, CodecError> {
        let mut fields = Fields::new(payload);
        match fields.octet()? {
            VERSION => {}
            other => return Err(CodecError::Version(other, VERSION)),
        }
        let command = read_any(&mut fields)?;
        if fields.is_empty() {
            Ok(command)
        } else {
            Err(CodecError::Trailing)
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::PutVhost(row) => write_row(out, tag::PUT_VHOST, row),
            Self::DeleteVhost { name } => write_key(out, tag::DELETE_VHOST, &[name.as_bytes()]),
            Self::PutUser(row) => write_row(out, tag::PUT_USER, row),
            Self::DeleteUser { name } => write_key(out, tag::DELETE_USER, &[name.as_bytes()]),
            Self::SetPermission(row) => write_row(out, tag::SET_PERMISSION, row),
            Self::ClearPermission { vhost, user } => {
                let key = [vhost.as_bytes(), user.as_bytes()];
                write_key(out, tag::CLEAR_PERMISSION, &key);
            }
            Self::SetTopicPermission(row) => write_row(out, tag::SET_TOPIC_PERMISSION, row),
            Self::ClearTopicPermission {
                vhost,
                user,
                exchange,
            } => {
                let mut key = vec![vhost.as_bytes(), user.as_bytes()];
                key.extend(exchange.as_ref().map(Name::as_bytes));
                write_key(out, tag::CLEAR_TOPIC_PERMISSION, &key);
            }
            Self::DeclareExchange(row) => write_row(out, tag::DECLARE_EXCHANGE, row),
            Self::DeleteExchange { vhost, name } => {
                let key = [vhost.as_bytes(), name.as_bytes()];
                write_key(out, tag::DELETE_EXCHANGE, &key);
            }
            Self::DeclareQueue(row) => write_row(out, tag::DECLARE_QUEUE, row),
            Self::DeleteQueue { id } => {
                let mut body = Vec::new();
                put_number(&mut body, *id);
                write_body(out, tag::DELETE_QUEUE, &body);
            }
            Self::Bind(row) => write_row(out, tag::BIND, row),
            Self::Unbind(row) => write_row(out, tag::UNBIND, row),
            Self::PutParameter(row) => write_row(out, tag::PUT_PARAMETER, row),
            Self::DeleteParameter {
                vhost,
                component,
                name,
            } => {
                let key = [vhost.as_bytes(), component.as_bytes(), name.as_bytes()];
                write_key(out, tag::DELETE_PARAMETER, &key);
            }
            Self::PutGlobalParameter(row) => write_row(out, tag::PUT_GLOBAL_PARAMETER, row),
            Self::DeleteGlobalParameter { name } => {
                write_key(out, tag::DELETE_GLOBAL_PARAMETER, &[name.as_bytes()]);
            }
            Self::PutPolicy(row) => write_row(out, tag::PUT_POLICY, row),
            Self::DeletePolicy { vhost, name } => {
                let key = [vhost.as_bytes(), name.as_bytes()];
                write_key(out, tag::DELETE_POLICY, &key);
            }
            Self::Batch(commands) => {
                let mut body = Vec::new();
                commands
                    .iter()
                    .for_each(|command| command.write_flat(&mut body));
                write_body(out, tag::BATCH, &body);
            }
        }
    }

    /// Writes a command within a batch; a batch in it goes by what it holds.
    fn write_flat(&self, out: &mut Vec<u8>) {
        match self {
            Self::Batch(commands) => commands.iter().for_each(|command| command.write_flat(out)),
            command => command.write(out),
        }
    }
}

fn write_body(out: &mut Vec<u8>, tag: u8, body: &[u8]) {
    out.push(tag);
    put_octets(out, body);
}

fn write_row<R: Row>(out: &mut Vec<u8>, tag: u8, row: &R) {
    write_body(out, tag, &key_of(&[&row.key(), &row.value()]));
}

fn write_key(out: &mut Vec<u8>, tag: u8, key: &[&[u8]]) {
    write_body(out, tag, &key_of(key));
}

fn read_any(fields: &mut Fields<'_>) -> Result<Command, CodecError> {
    let tag = fields.octet()?;
    let mut body = Fields::new(fields.octets()?);
    if tag != tag::BATCH {
        return read_one(tag, &mut body);
    }
    let mut commands = Vec::new();
    while !body.is_empty() {
        let tag = body.octet()?;
        let mut inner = Fields::new(body.octets()?);
        commands.push(read_one(tag, &mut inner)?);
    }
    Ok(Command::Batch(commands))
}

fn read_row<R: Row>(body: &mut Fields<'_>) -> Result<R, CodecError> {
    R::read(body.octets()?, body.octets()?)
}

fn read_one(tag: u8, body: &mut Fields<'_>) -> Result<Command, CodecError> {
    Ok(match tag {
        tag::PUT_VHOST => Command::PutVhost(read_row(body)?),
        tag::DELETE_VHOST => Command::DeleteVhost { name: body.name()? },
        tag::PUT_USER => Command::PutUser(read_row(body)?),
        tag::DELETE_USER => Command::DeleteUser { name: body.text()? },
        tag::SET_PERMISSION => Command::SetPermission(read_row(body)?),
        tag::CLEAR_PERMISSION => Command::ClearPermission {
            vhost: body.name()?,
            user: body.text()?,
        },
        tag::SET_TOPIC_PERMISSION => Command::SetTopicPermission(read_row(body)?),
        tag::CLEAR_TOPIC_PERMISSION => Command::ClearTopicPermission {
            vhost: body.name()?,
            user: body.text()?,
            exchange: if body.is_empty() {
                None
            } else {
                Some(body.name()?)
            },
        },
        tag::DECLARE_EXCHANGE => Command::DeclareExchange(read_row(body)?),
        tag::DELETE_EXCHANGE => Command::DeleteExchange {
            vhost: body.name()?,
            name: body.name()?,
        },
        tag::DECLARE_QUEUE => Command::DeclareQueue(read_row(body)?),
        tag::DELETE_QUEUE => Command::DeleteQueue { id: body.number()? },
        tag::BIND => Command::Bind(read_row(body)?),
        tag::UNBIND => Command::Unbind(read_row(body)?),
        tag::PUT_PARAMETER => Command::PutParameter(read_row(body)?),
        tag::DELETE_PARAMETER => Command::DeleteParameter {
            vhost: body.name()?,
            component: body.text()?,
            name: body.text()?,
        },
        tag::PUT_GLOBAL_PARAMETER => Command::PutGlobalParameter(read_row(body)?),
        tag::DELETE_GLOBAL_PARAMETER => Command::DeleteGlobalParameter { name: body.text()? },
        tag::PUT_POLICY => Command::PutPolicy(read_row(body)?),
        tag::DELETE_POLICY => Command::DeletePolicy {
            vhost: body.name()?,
            name: body.text()?,
        },
        tag::BATCH => return Err(CodecError::NestedBatch),
        other => return Err(CodecError::UnknownCommand(other)),
    })
}
