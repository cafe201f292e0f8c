//! Keys of RabbitMQ that are accepted here without effect, each with the reason: a configuration
//! that served RabbitMQ must start this broker, and say what of it is idle.

use super::key;

const ERLANG: &str = "steers Erlang or RabbitMQ's internals; there is nothing like it here";
const CLUSTER: &str = "is for clustering, which is still to come";
const LATER: &str = "belongs to a part of the broker that is still to come";
const TLS: &str = "is left to the TLS library, which has safe defaults only";
const ROTATION: &str = "is not read; log.file.rotation.* is";
const COLOURS: &str = "is not read; lines are plain";
const CATEGORY: &str = "is not read; a category has a level here and no file, or logs nothing";

/// Names (a last `*` stands for one part or more) and why they have no effect.
const KNOWN: &[(&str, &str)] = &[
    ("definitions.*", LATER),
    ("management.*", LATER),
    ("management_agent.*", LATER),
    (
        "prometheus.*",
        "is not read; scrapes are answered as they come",
    ),
    ("mqtt.*", LATER),
    ("web_mqtt.*", LATER),
    ("stomp.*", LATER),
    ("web_stomp.*", LATER),
    ("stream.*", LATER),
    ("amqp1_0.*", LATER),
    ("federation.*", LATER),
    ("shovel.*", LATER),
    ("event_exchange.*", LATER),
    ("trust_store.*", LATER),
    ("aws.*", LATER),
    (
        "auth_backends.*",
        "is not read; users come from the broker's own definitions",
    ),
    ("auth_http.*", LATER),
    ("auth_ldap.*", LATER),
    ("auth_oauth2.*", LATER),
    ("auth_cache.*", LATER),
    ("auth_settings.*", LATER),
    ("credential_validator.*", LATER),
    ("cluster_formation.*", CLUSTER),
    ("cluster_partition_handling", CLUSTER),
    ("cluster_partition_handling.*", CLUSTER),
    ("cluster_keepalive_interval", CLUSTER),
    ("cluster_tags.*", CLUSTER),
    ("distribution.*", ERLANG),
    ("net_ticktime", ERLANG),
    ("node_tags.*", CLUSTER),
    ("queue_leader_locator", CLUSTER),
    ("queue_master_locator", CLUSTER),
    ("mirroring_sync_batch_size", CLUSTER),
    ("mirroring_sync_max_throughput", CLUSTER),
    ("raft.*", CLUSTER),
    ("quorum_queue.*", CLUSTER),
    ("default_policies.*", LATER),
    ("default_limits.*", LATER),
    ("collect_statistics", LATER),
    ("reverse_dns_lookups", LATER),
    ("motd_file", LATER),
    ("classic_queue.*", ERLANG),
    ("queue_index_embed_msgs_below", ERLANG),
    ("message_store_shutdown_timeout", ERLANG),
    ("mnesia_table_loading_retry_limit", ERLANG),
    ("mnesia_table_loading_retry_timeout", ERLANG),
    ("khepri.*", ERLANG),
    ("metadata_store.*", ERLANG),
    ("vm_memory_calculation_strategy", ERLANG),
    ("vm_memory_high_watermark_paging_ratio", ERLANG),
    ("memory_monitor_interval", ERLANG),
    ("background_gc_enabled", ERLANG),
    ("background_gc_target_interval", ERLANG),
    ("socket_writer.*", ERLANG),
    ("delegate_count", ERLANG),
    ("default_worker_pool_size", ERLANG),
    ("hipe_compile", ERLANG),
    ("num_acceptors.tcp", ERLANG),
    ("num_acceptors.ssl", ERLANG),
    ("vhost_restart_strategy", ERLANG),
    ("erlang.*", ERLANG),
    ("sysmon_handler.*", ERLANG),
    ("feature_flags.*", ERLANG),
    ("deprecated_features.*", ERLANG),
    ("tcp_listen_options", ERLANG),
    ("tcp_listen_options.*", ERLANG),
    ("ssl_options", TLS),
    (
        "ssl_options.password",
        "is not read; the private key must not be encrypted",
    ),
    ("ssl_options.*", TLS),
    ("ssl_allow_poodle_attack", TLS),
    ("log.console.use_colors", COLOURS),
    ("log.console.color_esc_seqs.*", COLOURS),
    ("log.default.rotation.*", ROTATION),
    ("log.journald.fields", "is fixed; every field is sent"),
    (
        "log.syslog.ssl_options.*",
        "is not read; use a local syslog daemon",
    ),
    (
        "log.syslog.multiline_mode",
        "is fixed; each line is a message",
    ),
    ("log.connection.*", CATEGORY),
    ("log.channel.*", CATEGORY),
    ("log.queue.*", CATEGORY),
    ("log.mirroring.*", CATEGORY),
    ("log.federation.*", CATEGORY),
    ("log.upgrade.*", CATEGORY),
    ("log.ra.*", CATEGORY),
    ("log.prelaunch.*", CATEGORY),
];

/// Why the key has no effect; `None` when RabbitMQ does not know it either.
pub fn reason(parts: &[String]) -> Option<&'static str> {
    KNOWN
        .iter()
        .find(|(name, _)| key::matches(name, parts).is_some())
        .map(|(_, reason)| *reason)
}

/// The names without a variable part, for the search of what a mistyped key meant.
pub fn names() -> impl Iterator<Item = &'static str> {
    KNOWN
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| !name.ends_with('*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every key of RabbitMQ 3.10.8's own schema and of its usual plugins, one a line.
    const RABBITMQ_KEYS: &str = include_str!("testdata/rabbitmq-3.10.8-keys.txt");

    #[test]
    fn every_key_of_rabbitmq_is_honoured_or_explained() {
        let mut count = 0;
        for name in RABBITMQ_KEYS.lines().filter(|line| !line.starts_with('#')) {
            let parts = key::parts(name).unwrap();
            let honoured =
                crate::config::all_keys().any(|row| key::matches(row.name, &parts).is_some());
            assert!(honoured || reason(&parts).is_some(), "{name}");
            count += 1;
        }
        assert!(count > 400, "{count}");
    }

    #[test]
    fn the_first_matching_reason_counts() {
        let reason = |name: &str| reason(&key::parts(name).unwrap());
        assert!(
            reason("ssl_options.password")
                .unwrap()
                .contains("encrypted")
        );
        assert_eq!(reason("ssl_options.ciphers.1"), Some(TLS));
        assert_eq!(reason("raft"), None);
        assert_eq!(reason("rafts.a"), None);
    }
}
