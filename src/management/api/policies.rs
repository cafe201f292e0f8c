//! Policies and operator policies: `/api/policies`, `/api/operator-policies`. Whoever may see a
//! virtual host sees its list; a policy is a policymaker's, an operator policy an administrator's.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use crate::broker::admin::PolicyView;
use crate::management::answer;
use crate::management::auth::Caller;
use crate::management::body::Body;
use crate::management::error::ApiError;
use crate::management::listing::Listing;
use crate::management::segments::{Segments, short};
use crate::management::state::{Api, SharedApi};

/// The routes.
pub fn routes() -> Router<SharedApi> {
    Router::new()
        .route("/api/policies", get(list::<false>))
        .route("/api/policies/{vhost}", get(of_vhost::<false>))
        .route(
            "/api/policies/{vhost}/{name}",
            get(one::<false>)
                .put(replace::<false>)
                .delete(remove::<false>),
        )
        .route("/api/operator-policies", get(list::<true>))
        .route("/api/operator-policies/{vhost}", get(of_vhost::<true>))
        .route(
            "/api/operator-policies/{vhost}/{name}",
            get(one::<true>).put(replace::<true>).delete(remove::<true>),
        )
}

fn item(view: &PolicyView) -> Value {
    json!({
        "vhost": view.vhost,
        "name": view.name,
        "pattern": view.pattern,
        "apply-to": view.apply_to,
        "definition": view.definition,
        "priority": view.priority,
    })
}

fn answer_list(listing: &Listing, items: Vec<Value>) -> Result<Json<Value>, ApiError> {
    Ok(Json(listing.answer(items, &["vhost", "name"])?))
}

async fn list<const OPERATOR: bool>(
    State(api): State<SharedApi>,
    caller: Caller,
    listing: Listing,
) -> Result<Json<Value>, ApiError> {
    let views = api.broker.admin_list_policies(OPERATOR, None);
    let seen = views
        .iter()
        .filter(|view| caller.has_access(&api.broker, &view.vhost));
    answer_list(&listing, seen.map(item).collect())
}

async fn of_vhost<const OPERATOR: bool>(
    State(api): State<SharedApi>,
    caller: Caller,
    listing: Listing,
    Segments(vhost): Segments<String>,
) -> Result<Json<Value>, ApiError> {
    caller.vhost(&api.broker, &vhost)?;
    let views = api.broker.admin_list_policies(OPERATOR, Some(&vhost));
    answer_list(&listing, views.iter().map(item).collect())
}

/// Who may look at one policy, or change it.
fn may_use<const OPERATOR: bool>(caller: &Caller, api: &Api, vhost: &str) -> Result<(), ApiError> {
    if OPERATOR {
        caller.require_administrator()?;
    } else {
        caller.require_policymaker()?;
    }
    if api.broker.vhost(vhost.as_bytes()).is_some() {
        caller.policymaker_in(&api.broker, vhost)?;
    }
    Ok(())
}

async fn one<const OPERATOR: bool>(
    State(api): State<SharedApi>,
    caller: Caller,
    listing: Listing,
    Segments((vhost, name)): Segments<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    may_use::<OPERATOR>(&caller, &api, &vhost)?;
    let view = api.broker.admin_get_policy(OPERATOR, &vhost, &name);
    let view = view.ok_or_else(ApiError::not_found)?;
    Ok(Json(listing.columns.apply(item(&view))))
}

/// What a body says of a policy.
#[derive(Debug, PartialEq)]
struct Wanted {
    pattern: String,
    apply_to: String,
    definition: Map<String, Value>,
    priority: i64,
}

impl Wanted {
    fn of(body: &Body) -> Result<Self, ApiError> {
        body.require(&["pattern", "definition"])?;
        let invalid =
            |what: String| ApiError::bad_request(format!("Validation failed\n\n{what}\n"));
        let pattern = match body.get("pattern") {
            Some(Value::String(text)) => text.clone(),
            other => {
                let shown = other.cloned().unwrap_or_default();
                return Err(invalid(format!(
                    "pattern should be a binary but was {shown}"
                )));
            }
        };
        let priority = match body.get("priority") {
            None | Some(Value::Null) => 0,
            Some(value) => body.integer("priority").ok().flatten().ok_or_else(|| {
                let shown = match value {
                    Value::String(text) => format!("<<\"{text}\">>"),
                    other => other.to_string(),
                };
                invalid(format!("priority should be a number, actually was {shown}"))
            })?,
        };
        Ok(Self {
            pattern,
            apply_to: body.text("apply-to")?.unwrap_or("all").to_owned(),
            definition: body.object("definition")?,
            priority,
        })
    }
}

async fn replace<const OPERATOR: bool>(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments((vhost, name)): Segments<(String, String)>,
    body: Body,
) -> Result<StatusCode, ApiError> {
    may_use::<OPERATOR>(&caller, &api, &vhost)?;
    short("policy", &name)?;
    let wanted = Wanted::of(&body)?;
    let shared = SharedApi::clone(&api);
    let put = move || {
        shared.broker.admin_put_policy(
            OPERATOR,
            &vhost,
            &name,
            &wanted.pattern,
            &wanted.apply_to,
            &wanted.definition,
            wanted.priority,
        )
    };
    let created = answer::aside(put).await??;
    answer::put(&api.broker, created).await
}

async fn remove<const OPERATOR: bool>(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments((vhost, name)): Segments<(String, String)>,
) -> Result<StatusCode, ApiError> {
    may_use::<OPERATOR>(&caller, &api, &vhost)?;
    let shared = SharedApi::clone(&api);
    answer::aside(move || shared.broker.admin_delete_policy(OPERATOR, &vhost, &name)).await??;
    answer::done(&api.broker).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(text: &str) -> Result<Wanted, ApiError> {
        Wanted::of(&Body::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn priority_and_kind_have_defaults_and_numbers_may_be_texts() {
        let plain = wanted(r#"{"pattern":"a","definition":{"max-length":1}}"#).unwrap();
        assert_eq!((plain.apply_to.as_str(), plain.priority), ("all", 0));
        let text = wanted(r#"{"pattern":"a","definition":{},"priority":"7"}"#).unwrap();
        assert_eq!(text.priority, 7);
    }

    #[test]
    fn what_is_wrong_is_said_in_rabbitmqs_words() {
        let refusal = |text: &str| wanted(text).unwrap_err();
        assert_eq!(
            refusal(r#"{"definition":{}}"#),
            ApiError::bad_request("[{key_missing,pattern}]")
        );
        assert_eq!(
            refusal(r#"{"pattern":5,"definition":{}}"#),
            ApiError::bad_request("Validation failed\n\npattern should be a binary but was 5\n")
        );
        assert_eq!(
            refusal(r#"{"pattern":"a","definition":{},"priority":"x"}"#),
            ApiError::bad_request(
                "Validation failed\n\npriority should be a number, actually was <<\"x\">>\n"
            )
        );
        assert!(wanted(r#"{"pattern":"a","definition":"x"}"#).is_err());
    }
}
