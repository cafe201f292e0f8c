//! The typed configuration. Durations are milliseconds (`_ms`) unless the name says seconds
//! (`_s`), sizes are bytes.
//!
//! The defaults stand in the key table, not here: [`Settings::default`] applies that table. The
//! parts on their own start out blank.

use std::net::IpAddr;

use super::log_settings::LogSettings;

/// Everything that can be configured.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The node itself.
    pub node: NodeSettings,
    /// Where AMQP clients connect.
    pub listeners: ListenerSettings,
    /// Certificates and versions of the TLS listeners.
    pub tls: TlsSettings,
    /// How clients log in.
    pub auth: AuthSettings,
    /// What an empty broker starts with.
    pub defaults: DefaultObjects,
    /// Limits of the protocol.
    pub amqp: AmqpSettings,
    /// Memory and disk.
    pub resources: ResourceSettings,
    /// Logs.
    pub log: LogSettings,
    /// The management API.
    pub management: ManagementSettings,
    /// The metrics endpoint.
    pub prometheus: PrometheusSettings,
}

/// The node itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NodeSettings {
    /// The node's name; unset: `leveret@` and the host name.
    pub name: Option<String>,
    /// Where everything is stored.
    pub data_dir: String,
    /// The cluster's name; unset: the node's name.
    pub cluster_name: Option<String>,
    /// `product` of the server properties.
    pub product_name: String,
    /// `version` of the server properties; clients branch on it.
    pub product_version: String,
}

/// An address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenerAddress {
    /// `None`: every address, IPv6 and IPv4.
    pub ip: Option<IpAddr>,
    /// 0: one the system chooses.
    pub port: u16,
}

/// Where AMQP clients connect.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListenerSettings {
    /// Plain TCP, in the order of their names.
    pub tcp: Vec<(String, ListenerAddress)>,
    /// `listeners.tcp = none`: none of them is opened.
    pub tcp_none: bool,
    /// TLS, in the order of their names.
    pub ssl: Vec<(String, ListenerAddress)>,
    /// `listeners.ssl = none`.
    pub ssl_none: bool,
    /// Each connection begins with a PROXY protocol header (version 1 or 2).
    pub proxy_protocol: bool,
    /// Time from the first byte to `connection.open-ok`.
    pub handshake_timeout_ms: u64,
    /// Time for the TLS handshake.
    pub ssl_handshake_timeout_ms: u64,
    /// Socket options of accepted connections and listeners.
    pub tcp_options: TcpOptions,
}

impl ListenerSettings {
    /// The plain listeners to open.
    pub fn tcp_to_open(&self) -> &[(String, ListenerAddress)] {
        if self.tcp_none { &[] } else { &self.tcp }
    }

    /// The TLS listeners to open.
    pub fn ssl_to_open(&self) -> &[(String, ListenerAddress)] {
        if self.ssl_none { &[] } else { &self.ssl }
    }
}

/// Socket options.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TcpOptions {
    /// Connections that may wait to be accepted.
    pub backlog: u32,
    /// Send small packets at once.
    pub nodelay: bool,
    /// The system probes idle connections.
    pub keepalive: bool,
    /// Send buffer; unset: the system's.
    pub sndbuf: Option<u64>,
    /// Receive buffer; unset: the system's.
    pub recbuf: Option<u64>,
    /// `close` waits for, or throws away, what is unsent.
    pub linger_on: bool,
    /// How long it waits; 0 throws away and resets the connection.
    pub linger_timeout_s: u16,
    /// A write that takes longer ends the connection; unset: the heartbeat decides.
    pub send_timeout_ms: Option<u64>,
}

/// A TLS version this broker speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// Certificates and versions of the TLS listeners.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TlsSettings {
    /// PEM file of the authorities that client certificates are checked against.
    pub cacertfile: Option<String>,
    /// PEM file of the server's certificate chain.
    pub certfile: Option<String>,
    /// PEM file of its private key.
    pub keyfile: Option<String>,
    /// Ask clients for a certificate and check it.
    pub verify_peer: bool,
    /// Refuse clients without certificate.
    pub fail_if_no_peer_cert: bool,
    /// The versions offered.
    pub versions: Vec<TlsVersion>,
}

/// Where the user name stands in a client certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CertificateLogin {
    /// The whole subject.
    #[default]
    DistinguishedName,
    /// Its common name.
    CommonName,
    /// A subject alternative name.
    SubjectAlternativeName,
}

/// Which subject alternative names are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CertificateSan {
    /// Host names.
    #[default]
    Dns,
    /// IP addresses.
    Ip,
    /// E-mail addresses.
    Email,
    /// URIs.
    Uri,
}

/// How clients log in.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AuthSettings {
    /// SASL mechanisms by name, in the order they are offered.
    pub mechanisms: Vec<String>,
    /// What EXTERNAL takes for the user name.
    pub ssl_cert_login_from: CertificateLogin,
    /// Which alternative name, where that is one.
    pub ssl_cert_login_san_type: CertificateSan,
    /// Which of several, from 0.
    pub ssl_cert_login_san_index: usize,
    /// The user of ANONYMOUS; unset: no anonymous logins.
    pub anonymous_login_user: Option<String>,
    /// Users that may log in from this machine only.
    pub loopback_users: Vec<String>,
    /// RabbitMQ's module name of the hash for new passwords.
    pub password_hashing_module: String,
}

/// What an empty broker starts with.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DefaultObjects {
    /// Name of the first user.
    pub user: String,
    /// Its password.
    pub pass: String,
    /// Its tags.
    pub user_tags: Vec<String>,
    /// The first virtual host.
    pub vhost: String,
    /// Its permission to configure.
    pub configure: String,
    /// Its permission to write.
    pub write: String,
    /// Its permission to read.
    pub read: String,
    /// Definitions file, or folder of such files, imported at start.
    pub load_definitions: Option<String>,
}

/// A queue type that can be the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QueueType {
    /// Classic.
    #[default]
    Classic,
    /// Quorum.
    Quorum,
}

/// Limits of the protocol.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AmqpSettings {
    /// Heartbeat offered to clients; 0 is none.
    pub heartbeat_s: u16,
    /// Largest frame after tuning.
    pub frame_max: u32,
    /// Largest frame before it.
    pub initial_frame_max: u32,
    /// Channels per connection; 0 is no limit.
    pub channel_max: u16,
    /// Largest message body.
    pub max_message_size: u64,
    /// Connections in all.
    pub connection_max: Option<u64>,
    /// Time a consumer has to acknowledge; unset: for ever.
    pub consumer_timeout_ms: Option<u64>,
    /// Type of queues declared without `x-queue-type`.
    pub default_queue_type: QueueType,
}

/// A share of the memory, or bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MemoryLimit {
    /// Of the memory available.
    Relative(f64),
    /// Bytes.
    Absolute(u64),
}

/// Free disk space, as a multiple of the memory or in bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DiskLimit {
    /// Times the memory available.
    Relative(f64),
    /// Bytes.
    Absolute(u64),
}

/// Memory and disk.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceSettings {
    /// Publishers are blocked above it.
    pub vm_memory_high_watermark: MemoryLimit,
    /// The memory that counts as available; unset: the machine's or the container's.
    pub total_memory_available: Option<u64>,
    /// Publishers are blocked below it.
    pub disk_free_limit: DiskLimit,
    /// Octets of a file of the commit log.
    pub segment_bytes: u32,
    /// Octets of the commit log beyond twice what lives in it.
    pub young_bytes: u64,
}

/// How much the management API tells of rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RatesMode {
    /// Rates of each object.
    #[default]
    Basic,
    /// Rates by pair of objects too.
    Detailed,
    /// None.
    None,
}

/// TLS of the management API, or of the metrics.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ManagementTls {
    /// Its port; unset: no TLS.
    pub port: Option<u16>,
    /// `None`: every address.
    pub ip: Option<IpAddr>,
    /// PEM file of the certificate chain; unset: the one of the AMQP listeners.
    pub certfile: Option<String>,
    /// PEM file of the private key; unset: the one of the AMQP listeners.
    pub keyfile: Option<String>,
    /// PEM file of the authorities that client certificates are checked against.
    pub cacertfile: Option<String>,
    /// Ask clients for a certificate and check it.
    pub verify_peer: bool,
    /// Refuse clients without certificate.
    pub fail_if_no_peer_cert: bool,
}

/// The management API and its pages.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ManagementSettings {
    /// Its port; 0: one the system chooses.
    pub port: u16,
    /// `None`: every address.
    pub ip: Option<IpAddr>,
    /// The same over TLS.
    pub tls: ManagementTls,
    /// What stands before every path: empty, or `/` and a path without a trailing one.
    pub path_prefix: String,
    /// Octets of the largest request body.
    pub max_body_bytes: u64,
    /// Minutes that a login to the pages lasts.
    pub login_session_timeout_min: u64,
    /// Milliseconds between two rounds of samples.
    pub statistics_interval_ms: u64,
    /// How much is told of rates.
    pub rates_mode: RatesMode,
    /// No rates in any answer.
    pub disable_stats: bool,
    /// Message counts of queues all the same.
    pub enable_queue_totals: bool,
    /// Origins of foreign pages that may use the API; `*` is everybody.
    pub cors_origins: Vec<String>,
    /// Seconds that browsers may remember an answer about origins.
    pub cors_max_age_s: u32,
    /// Content-Security-Policy in place of our own.
    pub csp: Option<String>,
    /// Strict-Transport-Security.
    pub hsts: Option<String>,
}

/// The metrics.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PrometheusSettings {
    /// Their port; 0: one the system chooses.
    pub port: u16,
    /// `None`: every address.
    pub ip: Option<IpAddr>,
    /// The same over TLS.
    pub tls: ManagementTls,
    /// Where they are: `/` and a path without a trailing one.
    pub path: String,
    /// Those of each object there, in place of the sums.
    pub return_per_object_metrics: bool,
}

impl Settings {
    /// Before the key table has filled it.
    pub(super) fn blank() -> Self {
        Self {
            node: NodeSettings::default(),
            listeners: ListenerSettings::default(),
            tls: TlsSettings::default(),
            auth: AuthSettings::default(),
            defaults: DefaultObjects::default(),
            amqp: AmqpSettings::default(),
            resources: ResourceSettings {
                vm_memory_high_watermark: MemoryLimit::Absolute(0),
                total_memory_available: None,
                disk_free_limit: DiskLimit::Absolute(0),
                segment_bytes: 64 * 1024 * 1024,
                young_bytes: 1024 * 1024 * 1024,
            },
            log: LogSettings::default(),
            management: ManagementSettings::default(),
            prometheus: PrometheusSettings::default(),
        }
    }
}
