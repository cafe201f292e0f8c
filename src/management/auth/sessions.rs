//! Logins of the pages: a random token in a cookie that scripts cannot read.
//!
//! A session holds as long as its user has the password it was opened with. A cookie goes along by
//! itself, so a request that changes something must also carry a header that no foreign page can
//! set ([`OWN_PAGE`]); the cookie stays within the site besides.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName, Method, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::auth::{PasswordHash, User};
use crate::broker::Broker;
use crate::management::error::ApiError;

/// The header that our own pages send along.
pub const OWN_PAGE: HeaderName = HeaderName::from_static("x-leveret-ui");

/// The cookie.
const COOKIE: &str = "leveret_session";

/// Octets of a token.
const TOKEN_BYTES: usize = 32;

/// Sessions at a time; beyond it the one that ends soonest goes.
const SESSIONS_MAX: usize = 4_096;

struct Session {
    user: String,
    password: Option<PasswordHash>,
    ends: Instant,
}

/// The open sessions, by the digest of their token: comparing digests tells nobody a token.
pub struct Sessions {
    open: Mutex<HashMap<[u8; 32], Session>>,
    lifetime: Duration,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sessions({})", self.open.lock().len())
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

impl Sessions {
    /// No session yet; each lasts `lifetime`.
    pub fn new(lifetime: Duration) -> Self {
        Self {
            open: Mutex::default(),
            lifetime,
        }
    }

    /// Opens a session for a user who has just logged in; returns its token.
    pub fn open(&self, user: &User) -> String {
        let octets: [u8; TOKEN_BYTES] = rand::random();
        let token = URL_SAFE_NO_PAD.encode(octets);
        let now = Instant::now();
        let mut open = self.open.lock();
        open.retain(|_, session| session.ends > now);
        if open.len() >= SESSIONS_MAX {
            let soonest = open.iter().min_by_key(|(_, session)| session.ends);
            if let Some(key) = soonest.map(|(key, _)| *key) {
                open.remove(&key);
            }
        }
        open.insert(
            digest(&token),
            Session {
                user: user.name.clone(),
                password: user.password.clone(),
                ends: now + self.lifetime,
            },
        );
        token
    }

    /// The user of the session with this token, as it is now; `None` when the session has ended or
    /// the user's password is another one.
    pub fn user(&self, token: &str, broker: &Broker) -> Option<Arc<User>> {
        let open = self.open.lock();
        let session = open
            .get(&digest(token))
            .filter(|session| session.ends > Instant::now())?;
        let tables = broker.users.tables();
        let user = tables.user(&session.user)?;
        (user.password == session.password).then(|| Arc::clone(user))
    }

    /// Ends a session.
    pub fn close(&self, token: &str) {
        self.open.lock().remove(&digest(token));
    }

    /// The `Set-Cookie` value that hands `token` to the browser, for what lies below `prefix`.
    pub fn cookie(&self, token: &str, prefix: &str, tls: bool) -> String {
        set_cookie(token, prefix, tls, self.lifetime.as_secs())
    }

    /// The `Set-Cookie` value that takes it back.
    pub fn no_cookie(prefix: &str, tls: bool) -> String {
        set_cookie("", prefix, tls, 0)
    }
}

fn set_cookie(token: &str, prefix: &str, tls: bool, seconds: u64) -> String {
    let secure = if tls { "; Secure" } else { "" };
    format!(
        "{COOKIE}={token}; Path={prefix}/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
    )
}

/// The token that a request brings along.
pub fn session_token(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(header::COOKIE).into_iter();
    let cookies = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'));
    cookies
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find(|(name, token)| *name == COOKIE && !token.is_empty())
        .map(|(_, token)| token.to_owned())
}

/// What changes something needs more than the cookie.
pub fn check_origin(method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
    if method.is_safe() || headers.contains_key(OWN_PAGE) {
        return Ok(());
    }
    Err(ApiError::not_authorised(
        "a request with a session cookie needs the header X-Leveret-UI",
    ))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;
    use crate::auth::HashingAlgorithm;
    use crate::broker::Options;
    use crate::queue::QueueKind;

    fn broker() -> Arc<Broker> {
        Broker::new(Options {
            max_message_size: 1 << 20,
            memory_limit: u64::MAX,
            consumer_timeout_ms: None,
            hashing: HashingAlgorithm::Sha256,
            default_kind: QueueKind::Classic,
        })
    }

    fn user(salt: u8) -> User {
        let hash = PasswordHash::make(HashingAlgorithm::Sha256, [salt; 4], b"x").unwrap();
        User {
            name: "u".to_owned(),
            password: Some(hash),
            tags: vec!["management".to_owned()],
        }
    }

    #[test]
    fn a_session_holds_until_it_is_closed_or_the_password_changes() {
        let broker = broker();
        broker.users.change(|tables| tables.put_user(user(1)));
        let sessions = Sessions::new(Duration::from_secs(60));
        let token = sessions.open(&user(1));
        assert_eq!(sessions.user(&token, &broker).unwrap().name, "u");
        assert!(sessions.user("nosuch", &broker).is_none());
        broker.users.change(|tables| tables.put_user(user(2)));
        assert!(sessions.user(&token, &broker).is_none());
        let token = sessions.open(&user(2));
        sessions.close(&token);
        assert!(sessions.user(&token, &broker).is_none());
        let short = Sessions::new(Duration::ZERO);
        let token = short.open(&user(2));
        assert!(short.user(&token, &broker).is_none());
    }

    #[test]
    fn there_are_never_too_many() {
        let sessions = Sessions::new(Duration::from_secs(60));
        for _ in 0..SESSIONS_MAX + 5 {
            sessions.open(&user(1));
        }
        assert_eq!(sessions.open.lock().len(), SESSIONS_MAX);
    }

    #[test]
    fn the_cookie_is_closed_to_scripts_and_other_sites() {
        let sessions = Sessions::new(Duration::from_secs(60));
        assert_eq!(
            sessions.cookie("t", "/mq", true),
            "leveret_session=t; Path=/mq/; Max-Age=60; HttpOnly; SameSite=Strict; Secure"
        );
        assert!(Sessions::no_cookie("", false).contains("leveret_session=; Path=/; Max-Age=0;"));
        let mut headers = HeaderMap::new();
        headers.insert(
            header::COOKIE,
            HeaderValue::from_static("a=b; leveret_session=tok; c"),
        );
        assert_eq!(session_token(&headers).as_deref(), Some("tok"));
    }

    #[test]
    fn changes_by_cookie_need_our_own_header() {
        let mut headers = HeaderMap::new();
        assert!(check_origin(&Method::GET, &headers).is_ok());
        assert!(check_origin(&Method::DELETE, &headers).is_err());
        headers.insert(OWN_PAGE, HeaderValue::from_static("leveret"));
        assert!(check_origin(&Method::DELETE, &headers).is_ok());
    }
}
