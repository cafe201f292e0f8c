//! Users: `/api/users`, their passwords, tags and permissions.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::permissions;
use crate::auth::user::split_tags;
use crate::auth::{HashingAlgorithm, PasswordHash};
use crate::broker::admin::{NewPassword, UserView};
use crate::management::answer;
use crate::management::auth::{Administrator, Caller};
use crate::management::body::Body;
use crate::management::error::ApiError;
use crate::management::listing::Listing;
use crate::management::segments::{Segments, short};
use crate::management::state::{Api, SharedApi};

/// The routes.
pub fn routes() -> Router<SharedApi> {
    Router::new()
        .route("/api/users", get(list))
        .route("/api/users/without-permissions", get(without_permissions))
        .route("/api/users/bulk-delete", post(delete_many))
        .route("/api/users/{user}", get(one).put(replace).delete(remove))
        .route("/api/users/{user}/permissions", get(permissions_of))
        .route("/api/users/{user}/topic-permissions", get(topics_of))
        .route("/api/auth/hash_password/{password}", get(hash_of_path))
        .route("/api/auth/hash_password", post(hash_of_body))
}

fn item(user: &UserView) -> Value {
    let limits: Map<String, Value> = user
        .limits
        .named()
        .into_iter()
        .map(|(name, limit)| (name, json!(limit)))
        .collect();
    // A user without password carries the algorithm that its next one will have.
    let algorithm = user
        .password
        .as_ref()
        .map_or(HashingAlgorithm::default(), PasswordHash::algorithm);
    json!({
        "name": user.name,
        "password_hash": user.password.as_ref().map(PasswordHash::to_base64).unwrap_or_default(),
        "hashing_algorithm": algorithm.name(),
        "tags": user.tags,
        "limits": limits,
    })
}

fn answer_list(listing: &Listing, users: &[UserView]) -> Result<Json<Value>, ApiError> {
    let items = users.iter().map(item).collect();
    Ok(Json(listing.answer(items, &["name"])?))
}

async fn list(
    State(api): State<SharedApi>,
    _: Administrator,
    listing: Listing,
) -> Result<Json<Value>, ApiError> {
    answer_list(&listing, &api.broker.admin_list_users())
}

async fn without_permissions(
    State(api): State<SharedApi>,
    _: Administrator,
    listing: Listing,
) -> Result<Json<Value>, ApiError> {
    answer_list(&listing, &api.broker.admin_users_without_permissions())
}

/// A user of a path, for an administrator.
fn find(api: &Api, caller: &Caller, name: &str) -> Result<UserView, ApiError> {
    caller.require_administrator()?;
    let user = api.broker.admin_get_user(name);
    user.ok_or_else(ApiError::not_found)
}

async fn one(
    State(api): State<SharedApi>,
    caller: Caller,
    listing: Listing,
    Segments(name): Segments<String>,
) -> Result<Json<Value>, ApiError> {
    let user = find(&api, &caller, &name)?;
    Ok(Json(listing.columns.apply(item(&user))))
}

/// Tags as a list of texts, or as one with commas.
pub(super) fn tags(value: &Value) -> Result<Vec<String>, ApiError> {
    let refused = || ApiError::bad_value("tags_not_a_list", value);
    match value {
        Value::String(text) => Ok(split_tags(text)),
        Value::Array(items) => items
            .iter()
            .map(|item| match item.as_str() {
                Some(tag) => Ok(tag.trim().to_owned()),
                None => Err(refused()),
            })
            .collect(),
        _ => Err(refused()),
    }
}

/// The password a body asks for: in the clear, as a hash, or none.
pub(super) fn password(body: &Body) -> Result<NewPassword, ApiError> {
    let algorithm = match body.text("hashing_algorithm")? {
        None => HashingAlgorithm::default(),
        Some(name) => {
            HashingAlgorithm::from_name(name).map_err(|e| ApiError::bad_request(e.to_string()))?
        }
    };
    match (body.text("password")?, body.text("password_hash")?) {
        (Some(_), Some(_)) => Err(ApiError::bad_request(
            "both_password_and_password_hash_are_provided",
        )),
        (Some(password), None) => Ok(NewPassword::Clear(password.to_owned())),
        (None, Some(text)) => match PasswordHash::parse(algorithm, text) {
            Ok(Some(hash)) => Ok(NewPassword::Hash(hash)),
            Ok(None) => Ok(NewPassword::None),
            Err(error) => Err(ApiError::bad_request(format!(
                "not_base64: {text} ({error})"
            ))),
        },
        // RabbitMQ hashes an empty password here; neither lets anybody in by password.
        (None, None) => Ok(NewPassword::None),
    }
}

async fn replace(
    State(api): State<SharedApi>,
    _: Administrator,
    Segments(name): Segments<String>,
    body: Body,
) -> Result<StatusCode, ApiError> {
    short("user", &name)?;
    let tags = match body.get("tags") {
        Some(value) => tags(value)?,
        None => return Err(ApiError::bad_request("tags_not_present")),
    };
    let created = api.broker.admin_put_user(&name, password(&body)?, tags)?;
    answer::put(&api.broker, created).await
}

async fn remove(
    State(api): State<SharedApi>,
    _: Administrator,
    Segments(name): Segments<String>,
) -> Result<StatusCode, ApiError> {
    api.broker.admin_delete_user(&name)?;
    answer::done(&api.broker).await
}

/// All of them or, where one is not there, none.
async fn delete_many(
    State(api): State<SharedApi>,
    _: Administrator,
    body: Body,
) -> Result<StatusCode, ApiError> {
    body.require(&["users"])?;
    let names = match body.get("users") {
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect::<Option<Vec<String>>>(),
        _ => None,
    };
    let names = names.ok_or_else(|| ApiError::bad_request("users must be a list of names"))?;
    for name in &names {
        if api.broker.admin_get_user(name).is_none() {
            return Err(ApiError::bad_request(format!("no_such_user: {name}")));
        }
    }
    for name in &names {
        match api.broker.admin_delete_user(name) {
            // Named twice, or deleted by somebody else meanwhile: it is gone as asked.
            Ok(()) | Err(crate::broker::admin::AdminError::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    answer::done(&api.broker).await
}

async fn permissions_of(
    State(api): State<SharedApi>,
    caller: Caller,
    listing: Listing,
    Segments(name): Segments<String>,
) -> Result<Json<Value>, ApiError> {
    find(&api, &caller, &name)?;
    permissions::answer(&api, &listing, None, Some(&name))
}

async fn topics_of(
    State(api): State<SharedApi>,
    caller: Caller,
    listing: Listing,
    Segments(name): Segments<String>,
) -> Result<Json<Value>, ApiError> {
    find(&api, &caller, &name)?;
    permissions::answer_topics(&api, &listing, None, Some(&name))
}

fn hashed(api: &Api, password: &str) -> Result<Json<Value>, ApiError> {
    let hash = crate::broker::admin::hash_password(api.broker.options.hashing, password.as_bytes())
        .map_err(ApiError::bad_request)?;
    Ok(Json(json!({ "ok": hash.to_base64() })))
}

async fn hash_of_path(
    State(api): State<SharedApi>,
    _: Administrator,
    Segments(password): Segments<String>,
) -> Result<Json<Value>, ApiError> {
    hashed(&api, &password)
}

/// The same without the password in an address, which proxies may log.
async fn hash_of_body(
    State(api): State<SharedApi>,
    _: Administrator,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    body.require(&["password"])?;
    let password = body.text("password")?.unwrap_or_default();
    hashed(&api, password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_come_as_text_or_list() {
        assert_eq!(tags(&json!("a, b")).unwrap(), ["a", "b"]);
        assert_eq!(tags(&json!(["a", "b"])).unwrap(), ["a", "b"]);
        assert_eq!(tags(&json!("")).unwrap(), Vec::<String>::new());
        assert!(tags(&json!(5)).is_err() && tags(&json!([5])).is_err());
    }

    #[test]
    fn passwords_come_in_three_forms() {
        let of = |text: &str| password(&Body::parse(text.as_bytes()).unwrap());
        assert_eq!(
            of(r#"{"password":"x"}"#),
            Ok(NewPassword::Clear("x".to_owned()))
        );
        assert_eq!(of(r#"{"password_hash":""}"#), Ok(NewPassword::None));
        assert_eq!(of("{}"), Ok(NewPassword::None));
        let hash = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR";
        let text = format!(r#"{{"password_hash":"{hash}"}}"#);
        let Ok(NewPassword::Hash(found)) = of(&text) else {
            panic!("no hash");
        };
        assert!(found.verify(b"test12"));
        for bad in [
            r#"{"password_hash":"!!!"}"#,
            r#"{"password":"x","password_hash":""}"#,
            r#"{"password":5}"#,
            r#"{"password_hash":"","hashing_algorithm":"nosuch"}"#,
        ] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
