//! What a peer is told when it, or its request, is refused.
//!
//! The reply code decides the consequence as in the specification (section 1.2): hard codes close
//! the connection, soft codes the channel. Texts are RabbitMQ's, prefixed with the code's name.

use std::borrow::Cow;

/// A reply code of AMQP 0-9-1 with its constant's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
#[expect(missing_docs, reason = "the names are the specification's constants")]
pub enum ReplyCode {
    Success = 200,
    NoRoute = 312,
    ConnectionForced = 320,
    AccessRefused = 403,
    NotFound = 404,
    ResourceLocked = 405,
    PreconditionFailed = 406,
    FrameError = 501,
    SyntaxError = 502,
    CommandInvalid = 503,
    ChannelError = 504,
    UnexpectedFrame = 505,
    ResourceError = 506,
    NotAllowed = 530,
    NotImplemented = 540,
    InternalError = 541,
}

impl ReplyCode {
    /// The constant as it stands in reply texts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "OK",
            Self::NoRoute => "NO_ROUTE",
            Self::ConnectionForced => "CONNECTION_FORCED",
            Self::AccessRefused => "ACCESS_REFUSED",
            Self::NotFound => "NOT_FOUND",
            Self::ResourceLocked => "RESOURCE_LOCKED",
            Self::PreconditionFailed => "PRECONDITION_FAILED",
            Self::FrameError => "FRAME_ERROR",
            Self::SyntaxError => "SYNTAX_ERROR",
            Self::CommandInvalid => "COMMAND_INVALID",
            Self::ChannelError => "CHANNEL_ERROR",
            Self::UnexpectedFrame => "UNEXPECTED_FRAME",
            Self::ResourceError => "RESOURCE_ERROR",
            Self::NotAllowed => "NOT_ALLOWED",
            Self::NotImplemented => "NOT_IMPLEMENTED",
            Self::InternalError => "INTERNAL_ERROR",
        }
    }

    /// Where the specification lets this code strike.
    pub fn level(self) -> Level {
        match self {
            Self::Success
            | Self::NoRoute
            | Self::AccessRefused
            | Self::NotFound
            | Self::ResourceLocked
            | Self::PreconditionFailed => Level::Channel,
            _ => Level::Connection,
        }
    }
}

/// What an error closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// `channel.close`.
    Channel,
    /// `connection.close`.
    Connection,
}

/// A refusal on its way to a peer: `channel.close` or `connection.close` with these fields.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct AmqpError {
    /// The reply code.
    pub code: ReplyCode,
    /// The reply text without the code's name.
    pub text: Cow<'static, str>,
    /// Class and method that caused it; zeros where no method did.
    pub method: (u16, u16),
    /// What it closes; differs from the code's own level for a refused login only.
    pub level: Level,
}

impl AmqpError {
    /// An error of `code` at its own level, with no method named yet.
    pub fn new(code: ReplyCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            text: text.into(),
            method: (0, 0),
            level: code.level(),
        }
    }

    /// The same error, caused by `method` unless one is named already.
    pub fn caused_by(mut self, method: (u16, u16)) -> Self {
        if self.method == (0, 0) {
            self.method = method;
        }
        self
    }

    /// The same error, closing the connection whatever its code.
    pub fn closing_connection(mut self) -> Self {
        self.level = Level::Connection;
        self
    }

    /// The reply text as RabbitMQ writes it: `NAME - text`, cut at 255 octets with an ellipsis.
    pub fn reply_text(&self) -> Vec<u8> {
        let full = format!("{} - {}", self.code.name(), self.text);
        cut_reply_text(full.into_bytes())
    }

    /// 404.
    pub fn not_found(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ReplyCode::NotFound, text)
    }

    /// 403.
    pub fn access_refused(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ReplyCode::AccessRefused, text)
    }

    /// 406.
    pub fn precondition_failed(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ReplyCode::PreconditionFailed, text)
    }

    /// 530.
    pub fn not_allowed(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ReplyCode::NotAllowed, text)
    }

    /// 540.
    pub fn not_implemented(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ReplyCode::NotImplemented, text)
    }

    /// 501.
    pub fn frame_error(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ReplyCode::FrameError, text)
    }

    /// 502.
    pub fn syntax_error(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ReplyCode::SyntaxError, text)
    }

    /// 503.
    pub fn command_invalid(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ReplyCode::CommandInvalid, text)
    }

    /// 504.
    pub fn channel_error(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ReplyCode::ChannelError, text)
    }

    /// 505.
    pub fn unexpected_frame(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ReplyCode::UnexpectedFrame, text)
    }
}

/// Cuts a reply text to the 255 octets of a short string, never inside a UTF-8 sequence.
fn cut_reply_text(mut text: Vec<u8>) -> Vec<u8> {
    const LONGEST: usize = 255;
    if text.len() > LONGEST {
        let mut at = LONGEST - 3;
        while at > 0 && text.get(at).is_some_and(|b| b & 0xC0 == 0x80) {
            at -= 1;
        }
        text.truncate(at);
        text.extend_from_slice(b"...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_reply_texts_are_cut_at_255_octets() {
        let error = AmqpError::not_found("x".repeat(400));
        let text = error.reply_text();
        assert_eq!(text.len(), 255);
        assert!(text.ends_with(b"..."));
        assert_eq!(
            AmqpError::not_found("no queue").reply_text(),
            b"NOT_FOUND - no queue"
        );
    }
}
