//! Changes of one thing about a user or a virtual host, below `/api/leveret`: each is a single
//! operation of the broker, so that two operators at once cannot undo each other's work by writing
//! back what they had read before.
//!
//! `PUT users/NAME` and `PUT vhosts/NAME` add and never change: 201, or 204 where there was one of
//! that name. What stands below a name is changed where it is there, or else 404.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::put;

use super::{users, vhosts};
use crate::management::answer;
use crate::management::auth::Caller;
use crate::management::body::Body;
use crate::management::error::ApiError;
use crate::management::segments::{Segments, short};
use crate::management::state::SharedApi;

type Answered = Result<StatusCode, ApiError>;

/// The routes.
pub fn routes() -> Router<SharedApi> {
    Router::new()
        .route("/api/leveret/users/{user}", put(add_user))
        .route("/api/leveret/users/{user}/password", put(set_password))
        .route("/api/leveret/users/{user}/tags", put(set_tags))
        .route(
            "/api/leveret/vhosts/{vhost}",
            put(add_vhost).patch(amend_vhost),
        )
}

async fn add_user(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments(name): Segments<String>,
    body: Body,
) -> Answered {
    caller.require_administrator()?;
    short("user", &name)?;
    let tags = body.get("tags").map(users::tags).transpose()?;
    let password = users::password(&body)?;
    let created = api
        .broker
        .admin_add_user(&name, password, tags.unwrap_or_default())?;
    answer::put(&api.broker, created).await
}

async fn set_password(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments(name): Segments<String>,
    body: Body,
) -> Answered {
    caller.require_administrator()?;
    api.broker
        .admin_change_password(&name, users::password(&body)?)?;
    answer::done(&api.broker).await
}

async fn set_tags(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments(name): Segments<String>,
    body: Body,
) -> Answered {
    caller.require_administrator()?;
    let tags = body.get("tags").map(users::tags).transpose()?;
    let tags = tags.ok_or_else(|| ApiError::bad_request("tags_not_present"))?;
    api.broker.admin_set_user_tags(&name, tags)?;
    answer::done(&api.broker).await
}

async fn add_vhost(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments(name): Segments<String>,
    body: Body,
) -> Answered {
    caller.require_administrator()?;
    short("vhost", &name)?;
    let created = api.broker.admin_add_vhost(&name, vhosts::change(&body)?)?;
    answer::put(&api.broker, created).await
}

async fn amend_vhost(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments(name): Segments<String>,
    body: Body,
) -> Answered {
    caller.require_administrator()?;
    api.broker
        .admin_amend_vhost(&name, vhosts::change(&body)?)?;
    answer::done(&api.broker).await
}
