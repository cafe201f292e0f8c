//! Expectations about closes: code, class, method and exact text.

use std::fmt;

use super::{Channel, Conn};
use crate::suite::{Result, fail};
use crate::wire::{Method, method};

/// What a close said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Reply code.
    pub code: u16,
    /// Reply text.
    pub text: String,
    /// Class and method that caused it.
    pub cause: (u16, u16),
}

impl Closed {
    /// Reads connection.close or channel.close.
    pub fn of(close: &Method) -> Self {
        Self {
            code: close.num("reply-code") as u16,
            text: close.str("reply-text"),
            cause: (close.num("class-id") as u16, close.num("method-id") as u16),
        }
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {:?} for {}.{}",
            self.code, self.text, self.cause.0, self.cause.1
        )
    }
}

/// What a reply text must be. `&str` and `String` convert to [`Text::Exact`].
#[derive(Clone, Debug)]
pub enum Text {
    /// `NAME - ` followed by exactly this, cut at 255 octets as RabbitMQ does.
    Exact(String),
    /// The whole text exactly, without the code's name in front.
    Whole(String),
    /// `NAME - ` followed by something that starts with this.
    Starts(String),
    /// The text contains this.
    Contains(String),
    /// Any text.
    Any,
}

impl Text {
    /// [`Text::Starts`].
    pub fn starts(text: impl Into<String>) -> Self {
        Text::Starts(text.into())
    }
    /// [`Text::Contains`].
    pub fn contains(text: impl Into<String>) -> Self {
        Text::Contains(text.into())
    }
}

impl From<&str> for Text {
    fn from(t: &str) -> Self {
        Text::Exact(t.into())
    }
}
impl From<String> for Text {
    fn from(t: String) -> Self {
        Text::Exact(t)
    }
}
impl From<&String> for Text {
    fn from(t: &String) -> Self {
        Text::Exact(t.clone())
    }
}

/// RabbitMQ's name of a reply code.
pub fn code_name(code: u16) -> &'static str {
    match code {
        200 => "OK",
        311 => "CONTENT_TOO_LARGE",
        312 => "NO_ROUTE",
        313 => "NO_CONSUMERS",
        320 => "CONNECTION_FORCED",
        402 => "INVALID_PATH",
        403 => "ACCESS_REFUSED",
        404 => "NOT_FOUND",
        405 => "RESOURCE_LOCKED",
        406 => "PRECONDITION_FAILED",
        501 => "FRAME_ERROR",
        502 => "SYNTAX_ERROR",
        503 => "COMMAND_INVALID",
        504 => "CHANNEL_ERROR",
        505 => "UNEXPECTED_FRAME",
        506 => "RESOURCE_ERROR",
        530 => "NOT_ALLOWED",
        540 => "NOT_IMPLEMENTED",
        541 => "INTERNAL_ERROR",
        _ => "UNKNOWN",
    }
}

/// `NAME - text`, cut at 255 octets with "..." as RabbitMQ does.
pub fn reply_text(code: u16, text: &str) -> String {
    let whole = format!("{} - {text}", code_name(code));
    if whole.len() <= 255 {
        return whole;
    }
    let mut cut = 252;
    while !whole.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{}...", &whole[..cut])
}

fn check(got: &Closed, code: u16, cause: (u16, u16), text: &Text) -> Result<()> {
    let text_ok = match text {
        Text::Exact(t) => got.text == reply_text(code, t),
        Text::Whole(t) => got.text == *t,
        Text::Starts(t) => got.text.starts_with(&format!("{} - {t}", code_name(code))),
        Text::Contains(t) => got.text.contains(t.as_str()),
        Text::Any => true,
    };
    if got.code == code && got.cause == cause && text_ok {
        return Ok(());
    }
    fail(format!(
        "closed with {got}; expected {code} {text:?} for {}.{}",
        cause.0, cause.1
    ))
}

impl Conn {
    /// Waits for connection.close with exactly this and answers close-ok.
    pub fn expect_close(&self, code: u16, cause: (u16, u16), text: impl Into<Text>) -> Result<()> {
        let got = self.read_close()?;
        check(&got, code, cause, &text.into())?;
        self.send(0, &method("connection.close-ok"))
    }
    /// Waits for connection.close with one of these codes, any text and cause.
    pub fn expect_close_code(&self, codes: &[u16]) -> Result<Closed> {
        let got = self.read_close()?;
        if !codes.contains(&got.code) {
            return fail(format!("closed with {got}; expected one of {codes:?}"));
        }
        self.send(0, &method("connection.close-ok"))?;
        Ok(got)
    }
    /// Waits for connection.close, without answering it.
    pub fn read_close(&self) -> Result<Closed> {
        match self.closed() {
            Some(closed) => Ok(closed),
            None => Ok(Closed::of(&self.wait_method(0, "connection.close")?)),
        }
    }
}

impl Channel {
    /// Waits for channel.close with exactly this and answers close-ok; the
    /// channel number may then be opened again.
    pub fn expect_close(&self, code: u16, cause: (u16, u16), text: impl Into<Text>) -> Result<()> {
        let close = self.conn.wait_method(self.id, "channel.close")?;
        check(&Closed::of(&close), code, cause, &text.into())?;
        self.conn.send(self.id, &method("channel.close-ok"))
    }
    /// Waits for channel.close with one of these codes, any text.
    pub fn expect_close_any(&self, codes: &[u16], cause: (u16, u16)) -> Result<()> {
        let got = Closed::of(&self.conn.wait_method(self.id, "channel.close")?);
        if !codes.contains(&got.code) || got.cause != cause {
            return fail(format!("closed with {got}; expected one of {codes:?}"));
        }
        self.conn.send(self.id, &method("channel.close-ok"))
    }
    /// Sends `method` and expects that it closes the channel.
    pub fn refused(&self, m: &Method, code: u16, text: impl Into<Text>) -> Result<()> {
        self.send(m)?;
        self.expect_close(code, m.ids(), text)
    }
    /// Sends `method` and expects that it closes the connection.
    pub fn refused_hard(&self, m: &Method, code: u16, text: impl Into<Text>) -> Result<()> {
        self.send(m)?;
        self.conn.expect_close(code, m.ids(), text)
    }
}
