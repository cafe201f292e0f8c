//! How changes of the configuration are answered: nothing is promised before it is on disk.

use axum::http::StatusCode;

use super::error::ApiError;
use crate::broker::Broker;
use crate::broker::admin::{AdminError, Created};

impl From<AdminError> for ApiError {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::NotFound => Self::not_found(),
            AdminError::NoVhost => Self::missing("vhost_not_found"),
            AdminError::Invalid(reason) | AdminError::Refused(reason) => Self::bad_request(reason),
            AdminError::Precondition(reason) => Self::precondition_failed(reason),
        }
    }
}

/// 201 for what is new, 204 for what was there, once it outlives a crash.
pub async fn put(broker: &Broker, created: Created) -> Result<StatusCode, ApiError> {
    done(broker).await?;
    Ok(if created.0 {
        StatusCode::CREATED
    } else {
        StatusCode::NO_CONTENT
    })
}

/// 204, once the change outlives a crash.
pub async fn done(broker: &Broker) -> Result<StatusCode, ApiError> {
    if broker.definitions_durable().await {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::unavailable(
            "the change is in force, but the store has failed: it will not outlive a restart",
        ))
    }
}

/// Runs what takes long (policies over every queue, imports) beside the threads that serve
/// connections.
pub async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.map_err(|_| ApiError::unavailable("the work was cut short"))
}
