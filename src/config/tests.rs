//! The configuration as a whole: layers in memory, faults and notices, the documented file.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::*;

/// Files in memory; a folder is what its files' paths say.
#[derive(Default)]
struct InMemory(BTreeMap<PathBuf, String>);

impl InMemory {
    fn with(files: &[(&str, &str)]) -> Self {
        let owned = |(path, text): &(&str, &str)| (PathBuf::from(path), (*text).to_owned());
        Self(files.iter().map(owned).collect())
    }
}

impl Files for InMemory {
    fn read(&self, path: &Path) -> io::Result<String> {
        self.0
            .get(path)
            .cloned()
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        // Backwards: the loader must sort.
        let inside = self
            .0
            .keys()
            .rev()
            .filter(|path| path.parent() == Some(folder));
        let paths: Vec<PathBuf> = inside.cloned().collect();
        if paths.is_empty() {
            Err(io::ErrorKind::NotFound.into())
        } else {
            Ok(paths)
        }
    }
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn from_text(text: &str) -> Result<Loaded, ConfigErrors> {
    let request = Request {
        file: Some("a.conf".into()),
        ..Request::default()
    };
    load(&request, &InMemory::with(&[("a.conf", text)]))
}

fn settings(text: &str) -> Settings {
    from_text(text).unwrap().settings
}

fn fault(text: &str) -> String {
    from_text(text).unwrap_err().to_string()
}

fn listener(ip: Option<&str>, port: u16) -> ListenerAddress {
    ListenerAddress {
        ip: ip.map(|ip| ip.parse().unwrap()),
        port,
    }
}

#[test]
fn without_any_file_the_defaults_hold() {
    let loaded = load(&Request::default(), &InMemory::default()).unwrap();
    assert_eq!(loaded.settings, Settings::default());
    assert!(loaded.notices.is_empty() && loaded.files.is_empty() && loaded.effective.is_empty());
    let s = loaded.settings;
    assert_eq!(
        s.listeners.tcp,
        [("default".to_owned(), listener(None, 5672))]
    );
    assert!(s.listeners.ssl.is_empty());
    assert_eq!(s.auth.mechanisms, ["PLAIN", "AMQPLAIN"]);
    assert_eq!(s.auth.loopback_users, ["guest"]);
    assert_eq!(s.auth.anonymous_login_user, None);
    assert_eq!(
        (s.defaults.user.as_str(), s.defaults.pass.as_str()),
        ("guest", "guest")
    );
    assert_eq!(s.defaults.user_tags, ["administrator"]);
    assert_eq!(
        (s.amqp.heartbeat_s, s.amqp.frame_max, s.amqp.channel_max),
        (60, 131_072, 2047)
    );
    assert_eq!(
        (s.amqp.initial_frame_max, s.amqp.max_message_size),
        (8192, 134_217_728)
    );
    assert_eq!(
        (s.amqp.connection_max, s.amqp.consumer_timeout_ms),
        (None, None)
    );
    assert_eq!(
        s.resources.vm_memory_high_watermark,
        MemoryLimit::Relative(0.4)
    );
    assert_eq!(s.resources.disk_free_limit, DiskLimit::Absolute(50_000_000));
    assert_eq!(s.tls.versions, [TlsVersion::Tls13, TlsVersion::Tls12]);
    assert_eq!((s.management.port, s.prometheus.port), (15_672, 15_692));
}

#[test]
fn every_layer_overrides_the_one_before() {
    let files = InMemory::with(&[
        (
            "/etc/l/leveret.conf",
            "heartbeat = 1\nframe_max = 5000\nchannel_max = 1\ndata_dir = f\n",
        ),
        (
            "/etc/l/conf.d/10-a.conf",
            "heartbeat = 2\nframe_max = 6000\n",
        ),
        ("/etc/l/conf.d/20-b.conf", "heartbeat = 3\n"),
        ("/etc/l/conf.d/notes.txt", "this is no configuration\n"),
    ]);
    let request = Request {
        default_file: Some("/etc/l/leveret.conf".into()),
        conf_d: Some("/etc/l/conf.d".into()),
        environment: owned(&[
            ("RABBITMQ_DEFAULT_USER", "env"),
            ("RABBITMQ_MNESIA_DIR", "e"),
        ]),
        set: vec!["data_dir=s".into(), "default_pass = p#w=x".into()],
        ..Request::default()
    };
    let loaded = load(&request, &files).unwrap();
    let s = &loaded.settings;
    assert_eq!(
        (s.amqp.heartbeat_s, s.amqp.frame_max, s.amqp.channel_max),
        (3, 6000, 1)
    );
    assert_eq!(
        (s.node.data_dir.as_str(), s.defaults.user.as_str()),
        ("s", "env")
    );
    assert_eq!(s.defaults.pass, "p#w=x");
    assert_eq!(loaded.files.len(), 3);
    let effective = |key: &str| {
        loaded
            .effective
            .iter()
            .find(|(k, ..)| k == key)
            .map(|(_, v, o)| (v.as_str(), o.as_str()))
    };
    assert_eq!(
        effective("heartbeat"),
        Some(("3", "/etc/l/conf.d/20-b.conf:1"))
    );
    assert_eq!(
        effective("default_user"),
        Some(("env", "environment RABBITMQ_DEFAULT_USER"))
    );
    assert_eq!(effective("default_pass"), Some(("********", "--set")));
}

#[test]
fn a_file_that_was_asked_for_must_be_there() {
    let missing = Request {
        file: Some("no.conf".into()),
        ..Request::default()
    };
    let error = load(&missing, &InMemory::default())
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("no.conf: cannot be read"), "{error}");
    let environment = owned(&[("RABBITMQ_CONFIG_FILE", "/x/rabbitmq")]);
    let missing = Request {
        environment,
        ..Request::default()
    };
    let error = load(&missing, &InMemory::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("/x/rabbitmq.conf: cannot be read"),
        "{error}"
    );
    let optional = Request {
        default_file: Some("no.conf".into()),
        conf_d: Some("no.d".into()),
        ..Request::default()
    };
    assert!(load(&optional, &InMemory::default()).is_ok());
}

#[test]
fn the_command_line_names_the_file_before_the_environment() {
    let files = InMemory::with(&[("a.conf", "heartbeat = 1"), ("b.conf", "heartbeat = 2")]);
    let environment = owned(&[("RABBITMQ_CONFIG_FILE", "b.conf")]);
    let request = Request {
        file: Some("a.conf".into()),
        environment,
        ..Request::default()
    };
    assert_eq!(load(&request, &files).unwrap().settings.amqp.heartbeat_s, 1);
}

#[test]
fn one_of_a_family_replaces_its_defaults() {
    let s = settings("listeners.tcp.one = 127.0.0.1:1\nlisteners.tcp.two = [::1]:2\n");
    let tcp = [
        ("one".to_owned(), listener(Some("127.0.0.1"), 1)),
        ("two".to_owned(), listener(Some("::1"), 2)),
    ];
    assert_eq!(s.listeners.tcp_to_open(), tcp);
    let none = settings("listeners.tcp.one = 1\nlisteners.tcp = none\n");
    assert!(none.listeners.tcp_to_open().is_empty());

    assert_eq!(
        settings("loopback_users.guest = false")
            .auth
            .loopback_users
            .len(),
        0
    );
    assert_eq!(
        settings("loopback_users.bob = true").auth.loopback_users,
        ["bob"]
    );
    assert_eq!(
        settings(r"loopback_users.a\.b = true").auth.loopback_users,
        ["a.b"]
    );
    let none = settings("loopback_users = none\nloopback_users.guest = true\n");
    assert!(none.auth.loopback_users.is_empty());

    let mechanisms = "auth_mechanisms.10 = AMQPLAIN\nauth_mechanisms.2 = EXTERNAL\n";
    assert_eq!(
        settings(mechanisms).auth.mechanisms,
        ["EXTERNAL", "AMQPLAIN"]
    );
    let tags = settings("default_user_tags.management = true\ndefault_user_tags.x = false");
    assert_eq!(tags.defaults.user_tags, ["management"]);
}

#[test]
fn relative_wins_over_absolute_unless_the_layer_is_higher() {
    let both =
        "vm_memory_high_watermark.absolute = 1GiB\nvm_memory_high_watermark.relative = 0.6\n";
    assert_eq!(
        settings(both).resources.vm_memory_high_watermark,
        MemoryLimit::Relative(0.6)
    );
    let absolute = settings("vm_memory_high_watermark.absolute = 1GiB");
    assert_eq!(
        absolute.resources.vm_memory_high_watermark,
        MemoryLimit::Absolute(1 << 30)
    );
    let request = Request {
        file: Some("a.conf".into()),
        set: vec!["disk_free_limit.absolute=1GB".into()],
        ..Request::default()
    };
    let files = InMemory::with(&[("a.conf", "disk_free_limit.relative = 1.5")]);
    let s = load(&request, &files).unwrap().settings;
    assert_eq!(
        s.resources.disk_free_limit,
        DiskLimit::Absolute(1_000_000_000)
    );
}

#[test]
fn an_unknown_key_names_its_place_and_the_nearest() {
    assert_eq!(
        fault("\n\nhartbeat = 1\n"),
        "a.conf:3: unknown key 'hartbeat' (did you mean 'heartbeat'?)"
    );
    assert_eq!(
        fault("what.is.this = 1"),
        "a.conf:1: unknown key 'what.is.this'"
    );
    let request = Request {
        set: vec!["listener.tcp.x=1".into()],
        ..Request::default()
    };
    assert_eq!(
        load(&request, &InMemory::default())
            .unwrap_err()
            .to_string(),
        "--set: unknown key 'listener.tcp.x' (did you mean 'listeners.tcp.x'?)"
    );
}

#[test]
fn a_wrong_value_names_place_value_and_what_is_allowed() {
    assert_eq!(
        fault("heartbeat = fast"),
        "a.conf:1: heartbeat = fast is not allowed; allowed: seconds, 0 to 65535 (0: no heartbeats)"
    );
    let request = Request {
        environment: owned(&[("RABBITMQ_NODE_PORT", "tcp://10.0.0.1:5672")]),
        ..Request::default()
    };
    let error = load(&request, &InMemory::default())
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("environment RABBITMQ_NODE_PORT: listeners.tcp.default = tcp://"));
    let secret = fault("default_pass = ''\n");
    assert!(secret.contains("********"), "{secret}");
}

#[test]
fn all_faults_come_at_once() {
    let error = from_text("rubbish\nheartbeat = x\nnosuch = 1\n").unwrap_err();
    assert_eq!(error.0.len(), 3);
    assert_eq!(error.to_string().lines().count(), 3);
    let set = Request {
        set: vec!["novalue".into(), "=x".into()],
        ..Request::default()
    };
    assert_eq!(load(&set, &InMemory::default()).unwrap_err().0.len(), 2);
}

#[test]
fn keys_without_effect_are_accepted_and_noted() {
    let loaded = from_text(
        "raft.wal_max_size_bytes = 1\nmqtt.listeners.tcp.1 = 1883\nprometheus.tcp.idle_timeout = 1\n\
         log.ra.file = x\nssl_options.password = hush\n",
    )
    .unwrap();
    let notices: Vec<String> = loaded.notices.iter().map(ToString::to_string).collect();
    assert_eq!(notices.len(), 5, "{notices:?}");
    assert!(
        notices
            .iter()
            .any(|n| n.starts_with("a.conf:1: raft.wal_max_size_bytes is for"))
    );
    assert!(notices.iter().all(|n| !n.contains("hush")));
}

/// The keys that container images, charts and operators write most.
#[test]
fn configurations_of_the_field_start() {
    let image = from_text("loopback_users.guest = false\nlog.console = true\n").unwrap();
    assert!(image.notices.is_empty() && image.settings.auth.loopback_users.is_empty());
    let chart = from_text(
        "## Username and password\ndefault_user = user\ndefault_pass = 'CHANGE#ME'\n\
         cluster_name = rabbit\nlisteners.tcp.default = 5672\ndefault_vhost = /\n\
         default_permissions.configure = .*\ndisk_free_limit.relative = 1.0\n\
         cluster_partition_handling = autoheal\nqueue_master_locator = min-masters\n\
         cluster_formation.peer_discovery_backend = rabbit_peer_discovery_k8s\n\
         cluster_formation.k8s.host = kubernetes.default\nmanagement.tcp.ip = 0.0.0.0\n\
         auth_backends.1 = internal\nload_definitions = /app/d.json\n",
    )
    .unwrap();
    assert_eq!(chart.settings.defaults.pass, "CHANGE#ME");
    assert_eq!(
        chart.settings.resources.disk_free_limit,
        DiskLimit::Relative(1.0)
    );
    assert_eq!(
        chart.settings.defaults.load_definitions.as_deref(),
        Some("/app/d.json")
    );
    let older = settings("management.load_definitions = /d.json");
    assert_eq!(older.defaults.load_definitions.as_deref(), Some("/d.json"));
    let newer = "definitions.import_backend = local_filesystem\ndefinitions.local.path = /d\n";
    assert_eq!(
        settings(newer).defaults.load_definitions.as_deref(),
        Some("/d")
    );
    let both = format!("{newer}load_definitions = /own\n");
    assert_eq!(
        settings(&both).defaults.load_definitions.as_deref(),
        Some("/own")
    );
    assert!(fault("definitions.import_backend = https").contains("local_filesystem"));
}

#[test]
fn keys_that_do_not_go_together_are_refused() {
    assert!(fault("listeners.ssl.1 = 5671").contains("certfile"));
    let tls = "listeners.ssl.1 = 5671\nssl_options.certfile = c\nssl_options.keyfile = k\n";
    assert_eq!(
        settings(tls).listeners.ssl_to_open(),
        [("1".to_owned(), listener(None, 5671))]
    );
    assert!(fault(&format!("{tls}ssl_options.verify = verify_peer")).contains("cacertfile"));
    assert!(fault("ssl_options.fail_if_no_peer_cert = true").contains("verify_peer"));
    assert!(fault("auth_mechanisms.1 = ANONYMOUS").contains("anonymous_login_user"));
    let anonymous = settings("auth_mechanisms.1 = ANONYMOUS\nanonymous_login_user = v\n");
    assert_eq!(anonymous.auth.anonymous_login_user.as_deref(), Some("v"));
    assert!(from_text("listeners.ssl.1 = 5671\nlisteners.ssl = none").is_ok());
}

#[test]
fn each_row_of_the_table_is_sound() {
    let mut names: Vec<&str> = all_keys().map(|row| row.name).collect();
    for row in all_keys() {
        assert!(
            row.doc.ends_with('.') && !row.allowed.is_empty(),
            "{}",
            row.name
        );
        let mut blank = Settings::blank();
        for (name, value) in row.defaults() {
            assert_eq!(
                (row.set)(&mut blank, "default", value),
                Some(()),
                "default of {name}"
            );
        }
        // No value of any key is taken whatever it is, save texts and patterns.
        let nonsense = (row.set)(&mut blank, "x", "\u{1}");
        let is_text = [
            "a text",
            "a path",
            "the path",
            "a regular",
            "a file name",
            "the name",
            "the value of",
            "an origin",
            "NAME",
        ];
        assert_eq!(
            nonsense.is_some(),
            is_text.iter().any(|word| row.allowed.starts_with(word)),
            "{}",
            row.name
        );
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "a name stands twice");
}

/// The file that packages install.
const DOCUMENTED: &str = include_str!("../../conf/leveret.conf");

#[test]
fn the_documented_file_as_it_is_sets_nothing() {
    let loaded = from_text(DOCUMENTED).unwrap();
    assert!(loaded.effective.is_empty(), "{:?}", loaded.effective);
}

/// `# key = value` is a default, `## key = value` an example of a key without one.
fn documented(prefix: &str) -> Vec<(String, String)> {
    DOCUMENTED
        .lines()
        .filter_map(|line| line.strip_prefix(prefix))
        .filter_map(|rest| rest.split_once(" = "))
        .filter(|(key, _)| !key.contains(' ') && !key.starts_with('#'))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn the_documented_file_holds_exactly_the_defaults() {
    let mut expected: Vec<(String, String)> = all_keys()
        .flat_map(Key::defaults)
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let mut found = documented("# ");
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    let text: Vec<String> = found
        .iter()
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    assert_eq!(settings(&text.join("\n")), Settings::default());
}

#[test]
fn the_documented_file_explains_every_key() {
    let examples: Vec<(String, String)> = [documented("# "), documented("## ")]
        .into_iter()
        .flatten()
        .collect();
    let flat = DOCUMENTED
        .lines()
        .map(|line| line.trim_start_matches('#').trim())
        .collect::<Vec<_>>()
        .join(" ");
    for row in all_keys() {
        let has_example = examples.iter().any(|(key, value)| {
            let parts = super::key::parts(key).unwrap();
            super::key::matches(row.name, &parts).is_some_and(|variable| {
                (row.set)(&mut Settings::blank(), variable, value).is_some()
            })
        });
        assert!(
            has_example,
            "{} has no line with an allowed value",
            row.name
        );
        assert!(
            flat.contains(row.doc),
            "{}: its sentence is missing: {}",
            row.name,
            row.doc
        );
        assert!(
            flat.contains(row.allowed),
            "{}: what it allows is missing",
            row.name
        );
    }
    // And nothing else.
    for (key, value) in &examples {
        let parts = super::key::parts(key).unwrap();
        let known = all_keys().any(|row| super::key::matches(row.name, &parts).is_some());
        assert!(known, "{key} = {value}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "(\\PC|[\\n='\"#.]){0,120}") {
        drop(from_text(&text));
    }

    #[test]
    fn no_value_panics(at in 0_usize..80, value in "\\PC{0,24}") {
        if let Some(row) = all_keys().nth(at) {
            let name = row.name.replace("$", "");
            drop(from_text(&format!("{name} = {value}\n")));
        }
    }

    #[test]
    fn no_command_line_panics(set in proptest::collection::vec("\\PC{0,24}", 0..4)) {
        drop(load(&Request { set, ..Request::default() }, &InMemory::default()));
    }

    #[test]
    fn no_environment_panics(value in "\\PC{0,24}", which in 0_usize..8) {
        let names = ["NODE_PORT", "NODE_IP_ADDRESS", "LOG", "LOGS", "CONFIG_FILE", "CONFIG_FILES",
            "DEFAULT_PASS", "SSL_X"];
        let environment = owned(&[(&format!("RABBITMQ_{}", names[which]), &value)]);
        drop(load(&Request { environment, ..Request::default() }, &InMemory::default()));
    }
}
