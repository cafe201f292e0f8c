//! Every path of the API and who answers it.

use axum::Router;
use axum::extract::DefaultBodyLimit;

use super::api;
use super::state::SharedApi;
use super::ui;

/// All routes. A resource's own stand in its file below `api`, with their full paths.
pub fn all(api: &SharedApi) -> Router {
    let body_max = usize::try_from(api.settings.management.max_body_bytes).unwrap_or(usize::MAX);
    Router::new()
        .merge(api::control::routes())
        .merge(api::amend::routes())
        .merge(api::aliveness::routes())
        .merge(api::auth_attempts::routes())
        .merge(api::bindings::routes())
        .merge(api::channels::routes())
        .merge(api::cluster::routes())
        .merge(api::connections::routes())
        .merge(api::consumers::routes())
        .merge(api::definitions::routes())
        .merge(api::events::routes())
        .merge(api::exchanges::routes())
        .merge(api::health::routes())
        .merge(api::limits::routes())
        .merge(api::login::routes())
        .merge(api::logs::routes())
        .merge(api::messages::routes())
        .merge(api::nodes::routes())
        .merge(api::overview::routes())
        .merge(api::parameters::routes())
        .merge(api::peek::routes())
        .merge(api::permissions::routes())
        .merge(api::policies::routes())
        .merge(api::redrive::routes())
        .merge(api::route::routes())
        .merge(api::unacked::routes())
        .merge(api::queues::routes())
        .merge(api::users::routes())
        .merge(api::vhosts::routes())
        .merge(api::whoami::routes())
        .merge(ui::routes(&api.settings.management.path_prefix))
        .layer(DefaultBodyLimit::max(body_max))
        .with_state(SharedApi::clone(api))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::auth::HashingAlgorithm;
    use crate::broker::{Broker, Options};
    use crate::config::Settings;
    use crate::management::{Api, NodeFacts};
    use crate::queue::QueueKind;

    /// Two resources with one path end the process at the start: here they end a test.
    #[test]
    fn every_path_has_one_answer() {
        let broker = Broker::new(Options {
            max_message_size: 1 << 20,
            memory_limit: u64::MAX,
            consumer_timeout_ms: None,
            hashing: HashingAlgorithm::Sha256,
            default_kind: QueueKind::Classic,
        });
        let facts = NodeFacts::default();
        let api = Api::new(broker, Settings::default(), facts, Instant::now());
        drop(all(&api));
    }
}
