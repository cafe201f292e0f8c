//! The caller of a request: everything a handler asks before it does something.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

use super::basic::parse_basic;
use super::sessions::{OWN_PAGE, check_origin, session_token};
use crate::auth::{Access, Credentials, Proof, User, authenticate, may_login_from};
use crate::broker::{Broker, Vhost};
use crate::management::cors::check_site;
use crate::management::error::ApiError;
use crate::management::server::Peer;
use crate::management::state::{Api, SharedApi};
use crate::management::transport::accepts_json;

/// Who the operator of this machine is, in logs and in `user_who_performed_action`.
const OPERATOR: &str = "rmq-cli";

/// A user that may use the API.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The user, with its tags.
    pub user: Arc<User>,
    /// Came through the operator's socket: everything is allowed.
    pub operator: bool,
}

/// Every handler that answers with JSON takes its caller first, as an extractor. That also checks
/// that the client accepts JSON, after the login as RabbitMQ does.
impl FromRequestParts<SharedApi> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &SharedApi) -> Result<Self, ApiError> {
        let peer = parts.extensions.get::<Peer>().copied().unwrap_or_default();
        let caller = identify(parts, api, &peer).await?;
        if !accepts_json(&parts.headers) {
            return Err(ApiError::not_acceptable());
        }
        Ok(caller)
    }
}

/// A caller that is an administrator; others are refused before anything else of the request is read.
#[derive(Debug, Clone)]
pub struct Administrator(pub Caller);

impl FromRequestParts<SharedApi> for Administrator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &SharedApi) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, api).await?;
        caller.require_administrator()?;
        Ok(Self(caller))
    }
}

async fn identify(parts: &Parts, api: &Api, peer: &Peer) -> Result<Caller, ApiError> {
    if peer.operator {
        return Ok(Caller::operator());
    }
    let headers = &parts.headers;
    check_site(
        &parts.method,
        headers,
        &api.settings.management.cors_origins,
    )?;
    if let Some(header) = headers.get(header::AUTHORIZATION) {
        let Some(credentials) = parse_basic(header.as_bytes()) else {
            return Err(ApiError::unauthenticated());
        };
        let credentials = Credentials {
            user: credentials.user,
            proof: Proof::Password(credentials.password),
        };
        return Caller::log_in(api, &credentials, peer).await;
    }
    if let Some(token) = session_token(headers) {
        check_origin(&parts.method, headers)?;
        let user = api.sessions.user(&token, &api.broker);
        let user = user.ok_or_else(ApiError::session_ended)?;
        return Caller::admit(api, user, peer);
    }
    // A page asks for a login itself; the browser's own window would stand in its way.
    if headers.contains_key(OWN_PAGE) {
        return Err(ApiError::session_ended());
    }
    Err(ApiError::unauthenticated())
}

impl Caller {
    /// The operator of this machine.
    pub fn operator() -> Self {
        Self {
            user: Arc::new(User {
                name: OPERATOR.to_owned(),
                password: None,
                tags: vec!["administrator".to_owned()],
            }),
            operator: true,
        }
    }

    /// Checks a name and a password, then whether the user may use the API from there. Those who
    /// have guessed wrong before wait first.
    pub async fn log_in(
        api: &Api,
        credentials: &Credentials,
        peer: &Peer,
    ) -> Result<Self, ApiError> {
        let turn = api.damping.turn(peer.address, &credentials.user)?;
        turn.wait().await;
        let tables = api.broker.users.tables();
        let user = tables.user(&credentials.user);
        let outcome = authenticate(user.map(Arc::as_ref), credentials);
        turn.end(outcome.is_ok());
        let address = peer.address.map(|address| address.ip());
        let attempts = &api.broker.auth_attempts;
        attempts.note_http(address, &credentials.user, outcome.is_ok());
        if let Err(refusal) = outcome {
            tracing::warn!("HTTP access denied: {refusal}");
            return Err(ApiError::login_failed());
        }
        let Some(user) = user.cloned() else {
            return Err(ApiError::login_failed());
        };
        Self::admit(api, user, peer)
    }

    /// A user who has proved to be it: may it use the API, from there?
    pub fn admit(api: &Api, user: Arc<User>, peer: &Peer) -> Result<Self, ApiError> {
        let loopback_users = &api.settings.auth.loopback_users;
        let denied = |reason: &'static str| {
            tracing::warn!("HTTP access denied: user '{}' - {reason}", user.name);
            ApiError::not_authorised(reason)
        };
        if may_login_from(&user.name, peer.is_loopback(), loopback_users).is_err() {
            return Err(denied("User can only log in via localhost"));
        }
        if !user.is_management_user() {
            return Err(denied("Not management user"));
        }
        Ok(Self {
            user,
            operator: false,
        })
    }

    /// The same caller as it is now, for answers that go on: `None` when the user is gone, has another
    /// password or may not use the API any more.
    pub fn again(&self, api: &Api) -> Option<Self> {
        if self.operator {
            return Some(self.clone());
        }
        let tables = api.broker.users.tables();
        let user = tables.user(self.name())?;
        let same = user.password == self.user.password && user.is_management_user();
        same.then(|| Self {
            user: Arc::clone(user),
            operator: false,
        })
    }

    /// The user's name.
    pub fn name(&self) -> &str {
        &self.user.name
    }

    fn demand(&self, holds: bool, reason: &'static str) -> Result<(), ApiError> {
        if holds {
            return Ok(());
        }
        tracing::warn!("HTTP access denied: user '{}' - {reason}", self.name());
        Err(ApiError::not_authorised(reason))
    }

    /// Administrators only.
    pub fn require_administrator(&self) -> Result<(), ApiError> {
        self.demand(self.user.is_administrator(), "Not administrator user")
    }

    /// Those who may see every node, connection and channel.
    pub fn require_monitor(&self) -> Result<(), ApiError> {
        self.demand(self.user.is_monitor(), "Not monitor user")
    }

    /// Those who may set policies and parameters.
    pub fn require_policymaker(&self) -> Result<(), ApiError> {
        self.demand(
            self.user.is_policymaker(),
            "User not authorised to access object",
        )
    }

    /// True when the user sees what is in the virtual host: an administrator does everywhere,
    /// others where they have permissions.
    pub fn has_access(&self, broker: &Broker, vhost: &str) -> bool {
        self.user.is_administrator()
            || broker
                .users
                .tables()
                .permissions(&self.user.name, vhost)
                .is_some()
    }

    /// The virtual host of a path, which must be there (404) and open to the user (401).
    pub fn vhost(&self, broker: &Broker, name: &str) -> Result<Arc<Vhost>, ApiError> {
        let vhost = broker
            .vhost(name.as_bytes())
            .ok_or_else(ApiError::not_found)?;
        self.demand(
            self.has_access(broker, name),
            "User not authorised to access virtual host",
        )?;
        Ok(vhost)
    }

    /// The virtual host of a path to put something into: where it is missing, another 404.
    pub fn put_vhost(&self, broker: &Broker, name: &str) -> Result<Arc<Vhost>, ApiError> {
        if broker.vhost(name.as_bytes()).is_none() {
            return Err(ApiError::missing("vhost_not_found"));
        }
        self.vhost(broker, name)
    }

    /// The virtual host of a path about which monitors may know too, where they have no permissions.
    pub fn monitored_vhost(&self, broker: &Broker, name: &str) -> Result<Arc<Vhost>, ApiError> {
        if self.user.is_monitor() {
            return broker
                .vhost(name.as_bytes())
                .ok_or_else(ApiError::not_found);
        }
        self.vhost(broker, name)
    }

    /// The virtual hosts whose objects the user sees in lists, by name.
    pub fn visible_vhosts(&self, broker: &Broker) -> Vec<Arc<Vhost>> {
        let mut vhosts = broker.vhosts();
        vhosts.retain(|vhost| self.has_access(broker, &vhost.name.to_string()));
        vhosts
    }

    /// Those who may set policies and parameters, in this virtual host: it must be there and open.
    pub fn policymaker_in(&self, broker: &Broker, name: &str) -> Result<Arc<Vhost>, ApiError> {
        let vhost = broker
            .vhost(name.as_bytes())
            .ok_or_else(ApiError::not_found)?;
        self.demand(
            self.user.is_policymaker() && self.has_access(broker, name),
            "User not authorised to access object",
        )?;
        Ok(vhost)
    }

    /// The user's AMQP permissions, as a channel checks them: `name` is empty for the default
    /// exchange.
    pub fn permit(
        &self,
        broker: &Broker,
        vhost: &str,
        access: Access,
        name: &str,
    ) -> Result<(), ApiError> {
        if self.operator {
            return Ok(());
        }
        let checked = if name.is_empty() { "amq.default" } else { name };
        let tables = broker.users.tables();
        let allowed = tables
            .permissions(&self.user.name, vhost)
            .is_some_and(|permissions| permissions.allows(access, checked.as_bytes()));
        if allowed {
            Ok(())
        } else {
            Err(ApiError::access_refused())
        }
    }
}
