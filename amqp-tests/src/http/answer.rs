//! What a server answered.

use super::{Json, parse};
use crate::suite::{Result, fail};

/// Status, headers and body of one answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The request it answers, for failures: method and path.
    pub request: String,
    /// The status code.
    pub status: u16,
    /// Names in lower case, in the order they came.
    pub headers: Vec<(String, String)>,
    /// The body as it was framed; a content-encoding is not undone.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of this name (given in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }
    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
    /// The body as JSON; a failure names the request.
    pub fn json(&self) -> Result<Json> {
        match parse::json(&self.text()) {
            Ok(value) => Ok(value),
            Err(why) => fail(format!("{}: {why}: {}", self.request, self.text())),
        }
    }
    /// Fails unless the status is this.
    pub fn expect(self, status: u16) -> Result<Self> {
        if self.status == status {
            return Ok(self);
        }
        fail(format!(
            "{}: {} is not {status}: {}",
            self.request,
            self.status,
            self.text()
        ))
    }
    /// Fails unless it has this status and a body `{"error": .., "reason": ..}`
    /// with exactly these two texts.
    pub fn refused(self, status: u16, error: &str, reason: &str) -> Result<()> {
        let answer = self.expect(status)?;
        let body = answer.json()?;
        let told = (body["error"].text(), body["reason"].text());
        if told == (error, reason) {
            return Ok(());
        }
        fail(format!(
            "{}: {} instead of {error:?}, {reason:?}",
            answer.request,
            answer.text()
        ))
    }
}
