//! The 14 properties of class basic, and a received content.

use super::{Reader, Table, Writer};
use crate::suite::Result;

/// The basic properties; `None` is a property that is absent.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "the fields are the specification's properties")]
pub struct Props {
    pub content_type: Option<Vec<u8>>,
    pub content_encoding: Option<Vec<u8>>,
    pub headers: Option<Table>,
    pub delivery_mode: Option<u8>,
    pub priority: Option<u8>,
    pub correlation_id: Option<Vec<u8>>,
    pub reply_to: Option<Vec<u8>>,
    pub expiration: Option<Vec<u8>>,
    pub message_id: Option<Vec<u8>>,
    pub timestamp: Option<u64>,
    pub kind: Option<Vec<u8>>,
    pub user_id: Option<Vec<u8>>,
    pub app_id: Option<Vec<u8>>,
    pub cluster_id: Option<Vec<u8>>,
}

macro_rules! short_props {
    ($($(#[$doc:meta])* $name:ident),*) => { $(
        $(#[$doc])*
        pub fn $name(mut self, v: impl AsRef<[u8]>) -> Self {
            self.$name = Some(v.as_ref().to_vec());
            self
        }
    )* };
}

impl Props {
    /// No property at all.
    pub fn new() -> Self {
        Self::default()
    }
    /// delivery-mode 2.
    pub fn persistent() -> Self {
        Self::new().delivery_mode(2)
    }
    short_props!(
        /// Sets content-type.
        content_type,
        /// Sets content-encoding.
        content_encoding,
        /// Sets correlation-id.
        correlation_id,
        /// Sets reply-to.
        reply_to,
        /// Sets expiration.
        expiration,
        /// Sets message-id.
        message_id,
        /// Sets user-id.
        user_id,
        /// Sets app-id.
        app_id,
        /// Sets cluster-id.
        cluster_id
    );
    /// Sets type.
    pub fn kind(mut self, v: impl AsRef<[u8]>) -> Self {
        self.kind = Some(v.as_ref().to_vec());
        self
    }
    /// Sets headers.
    pub fn headers(mut self, v: Table) -> Self {
        self.headers = Some(v);
        self
    }
    /// Adds one header.
    pub fn header(mut self, key: &str, value: impl Into<super::Value>) -> Self {
        let table = self.headers.take().unwrap_or_default();
        self.headers = Some(table.with(key, value));
        self
    }
    /// Sets delivery-mode.
    pub fn delivery_mode(mut self, v: u8) -> Self {
        self.delivery_mode = Some(v);
        self
    }
    /// Sets priority.
    pub fn priority(mut self, v: u8) -> Self {
        self.priority = Some(v);
        self
    }
    /// Sets timestamp.
    pub fn timestamp(mut self, v: u64) -> Self {
        self.timestamp = Some(v);
        self
    }
    /// Property flags and values, as in a content header after the body size.
    pub fn encode(&self) -> Vec<u8> {
        let mut flags = 0u16;
        let mut w = Writer::new();
        let mut short = |bit: u16, v: &Option<Vec<u8>>, w: &mut Writer| {
            if let Some(v) = v {
                flags |= 1 << bit;
                w.short_str(v);
            }
        };
        short(15, &self.content_type, &mut w);
        short(14, &self.content_encoding, &mut w);
        if let Some(t) = &self.headers {
            t.encode(&mut w);
        }
        if let Some(v) = self.delivery_mode {
            w.u8(v);
        }
        if let Some(v) = self.priority {
            w.u8(v);
        }
        short(10, &self.correlation_id, &mut w);
        short(9, &self.reply_to, &mut w);
        short(8, &self.expiration, &mut w);
        short(7, &self.message_id, &mut w);
        if let Some(v) = self.timestamp {
            w.u64(v);
        }
        short(5, &self.kind, &mut w);
        short(4, &self.user_id, &mut w);
        short(3, &self.app_id, &mut w);
        short(2, &self.cluster_id, &mut w);
        for (bit, set) in [
            (13, self.headers.is_some()),
            (12, self.delivery_mode.is_some()),
            (11, self.priority.is_some()),
            (6, self.timestamp.is_some()),
        ] {
            flags |= u16::from(set) << bit;
        }
        let mut out = Writer::new();
        out.u16(flags).raw(&w.0);
        out.0
    }
    /// Reads property flags and values.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes);
        let flags = r.u16()?;
        let on = |bit: u16| flags >> bit & 1 == 1;
        let short = |bit: u16, r: &mut Reader<'_>| -> Result<Option<Vec<u8>>> {
            on(bit).then(|| Ok(r.short_str()?.to_vec())).transpose()
        };
        Ok(Self {
            content_type: short(15, &mut r)?,
            content_encoding: short(14, &mut r)?,
            headers: on(13).then(|| Table::decode(&mut r)).transpose()?,
            delivery_mode: on(12).then(|| r.u8()).transpose()?,
            priority: on(11).then(|| r.u8()).transpose()?,
            correlation_id: short(10, &mut r)?,
            reply_to: short(9, &mut r)?,
            expiration: short(8, &mut r)?,
            message_id: short(7, &mut r)?,
            timestamp: on(6).then(|| r.u64()).transpose()?,
            kind: short(5, &mut r)?,
            user_id: short(4, &mut r)?,
            app_id: short(3, &mut r)?,
            cluster_id: short(2, &mut r)?,
        })
    }
}

/// A received content.
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    /// Flags and properties exactly as they came.
    pub raw_props: Vec<u8>,
    /// The same, decoded.
    pub props: Props,
    /// The body.
    pub body: Vec<u8>,
    /// Sizes of the body frames it came in.
    pub body_frames: Vec<usize>,
}
