//! The caller of a request: everything a handler asks before it does something.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

use super::basic::parse_basic;
use crate::auth::{Access, Credentials, Proof, User, authenticate, may_login_from};
use crate::broker::{Broker, Vhost};
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
        let caller = identify(parts, api, &peer)?;
        if !accepts_json(&parts.headers) {
            return Err(ApiError::not_acceptable());
        }
        Ok(caller)
    }
}

fn identify(parts: &Parts, api: &Api, peer: &Peer) -> Result<Caller, ApiError> {
    if peer.operator {
        return Ok(Caller::operator());
    }
    let header = parts.headers.get(header::AUTHORIZATION);
    let Some(credentials) = header.and_then(|value| parse_basic(value.as_bytes())) else {
        return Err(ApiError::unauthenticated());
    };
    let proof = Proof::Password(credentials.password);
    let credentials = Credentials {
        user: credentials.user,
        proof,
    };
    Caller::log_in(api, &credentials, peer)
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

    /// Checks a name and a password, then whether the user may use the API from there.
    pub fn log_in(api: &Api, credentials: &Credentials, peer: &Peer) -> Result<Self, ApiError> {
        let tables = api.broker.users.tables();
        let user = tables.user(&credentials.user);
        if let Err(refusal) = authenticate(user.map(Arc::as_ref), credentials) {
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

    /// True when the user has permissions in the virtual host.
    pub fn has_access(&self, broker: &Broker, vhost: &str) -> bool {
        self.operator
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

    /// The virtual host of a path that is only looked at: monitors see every one.
    pub fn visible_vhost(&self, broker: &Broker, name: &str) -> Result<Arc<Vhost>, ApiError> {
        let vhost = broker
            .vhost(name.as_bytes())
            .ok_or_else(ApiError::not_found)?;
        self.demand(
            self.user.is_monitor() || self.has_access(broker, name),
            "User not authorised to access virtual host",
        )?;
        Ok(vhost)
    }

    /// The virtual hosts whose objects the user sees in lists, by name: those it may use, and for
    /// a monitor all.
    pub fn visible_vhosts(&self, broker: &Broker) -> Vec<Arc<Vhost>> {
        let mut vhosts = broker.vhosts();
        if !self.user.is_monitor() {
            vhosts.retain(|vhost| self.has_access(broker, &vhost.name.to_string()));
        }
        vhosts
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
