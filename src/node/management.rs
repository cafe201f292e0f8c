//! Opens the listeners of the management API and the metrics, and gives them their certificates.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpStream;

use crate::auth::LoginFrom;
use crate::config::{ManagementTls, Settings, TlsVersion};
use crate::management::server::{Accepted, Connection};
use crate::management::{ListenerFacts, Listening, OpenFlag, TlsAccept};
use crate::server::certificates::{Certificates, TlsFiles};
use crate::server::listener::{SocketOptions, listen};

/// An open listener and how the node announces it.
pub struct Opened {
    /// For the API's list of listeners.
    pub facts: ListenerFacts,
    /// For the task that serves it.
    pub listening: Listening,
}

/// TLS with certificates that are read again when they change.
struct Encrypted(Arc<Certificates>);

impl TlsAccept for Encrypted {
    fn accept(&self, stream: TcpStream) -> Accepted {
        let certificates = Arc::clone(&self.0);
        Box::pin(async move {
            let (stream, _, _) = certificates.accept(stream, Vec::new()).await?;
            let stream: Box<dyn Connection> = Box::new(stream);
            Ok(stream)
        })
    }
}

/// A service over HTTP: the management API, or the metrics.
struct Service<'a> {
    /// What its keys begin with.
    key: &'static str,
    /// RabbitMQ's names of its protocols, plain and over TLS.
    protocols: (&'static str, &'static str),
    ip: Option<IpAddr>,
    port: u16,
    tls: &'a ManagementTls,
    path: String,
}

/// Opens what `management.tcp` and `management.ssl` say; a busy port is an error that names it.
pub fn open(settings: &Settings, socket: &SocketOptions) -> anyhow::Result<Vec<Opened>> {
    let management = &settings.management;
    let service = Service {
        key: "management",
        protocols: ("http", "https"),
        ip: management.ip,
        port: management.port,
        tls: &management.tls,
        path: format!("{}/", management.path_prefix),
    };
    service.open(settings, socket)
}

/// The same of `prometheus.tcp` and `prometheus.ssl`.
pub fn open_metrics(settings: &Settings, socket: &SocketOptions) -> anyhow::Result<Vec<Opened>> {
    let prometheus = &settings.prometheus;
    let service = Service {
        key: "prometheus",
        protocols: ("http/prometheus", "https/prometheus"),
        ip: prometheus.ip,
        port: prometheus.port,
        tls: &prometheus.tls,
        path: prometheus.path.clone(),
    };
    service.open(settings, socket)
}

impl Service<'_> {
    fn open(&self, settings: &Settings, socket: &SocketOptions) -> anyhow::Result<Vec<Opened>> {
        let (plain, encrypted) = self.protocols;
        let mut opened =
            vec![self.listener(settings, socket, (plain, "tcp"), (self.ip, self.port), None)?];
        if let Some(port) = self.tls.port {
            let certificates = Certificates::load(self.tls_files(settings)?)?;
            tokio::spawn(Arc::clone(&certificates).watch());
            let tls: Arc<dyn TlsAccept> = Arc::new(Encrypted(certificates));
            opened.push(self.listener(
                settings,
                socket,
                (encrypted, "ssl"),
                (self.tls.ip, port),
                Some(tls),
            )?);
        }
        Ok(opened)
    }

    fn listener(
        &self,
        settings: &Settings,
        socket: &SocketOptions,
        (protocol, kind): (&'static str, &str),
        (ip, port): (Option<IpAddr>, u16),
        tls: Option<Arc<dyn TlsAccept>>,
    ) -> anyhow::Result<Opened> {
        let key = self.key;
        let listener = listen(ip, port, socket).with_context(|| {
            format!("the {key} listener cannot start; {key}.{kind}.port sets its port")
        })?;
        let (own, amqp) = (self.tls, &settings.tls);
        let of_tls = |own, amqp| tls.as_ref().and_then(|_| file(own, amqp));
        Ok(Opened {
            facts: ListenerFacts {
                protocol,
                address: listener.local_addr()?,
                path: self.path.clone(),
                certfile: of_tls(&own.certfile, &amqp.certfile),
                cacertfile: of_tls(&own.cacertfile, &amqp.cacertfile),
                open: OpenFlag::default(),
            },
            listening: Listening { listener, tls },
        })
    }

    fn tls_files(&self, settings: &Settings) -> anyhow::Result<TlsFiles> {
        let (own, amqp) = (self.tls, &settings.tls);
        let service = self.key;
        let needed = |key: &str, path: Option<PathBuf>| {
            path.with_context(|| format!("{service}.ssl.port needs {service}.ssl.{key}"))
        };
        Ok(TlsFiles {
            certfile: needed("certfile", file(&own.certfile, &amqp.certfile))?,
            keyfile: needed("keyfile", file(&own.keyfile, &amqp.keyfile))?,
            cacertfile: file(&own.cacertfile, &amqp.cacertfile),
            verify_peer: own.verify_peer,
            fail_if_no_peer_cert: own.fail_if_no_peer_cert,
            tls12: amqp.versions.contains(&TlsVersion::Tls12),
            tls13: amqp.versions.contains(&TlsVersion::Tls13),
            login_from: LoginFrom::configured(&settings.auth),
        })
    }
}

/// The service's own file, or that of the AMQP listeners.
fn file(own: &Option<String>, amqp: &Option<String>) -> Option<PathBuf> {
    own.as_ref().or(amqp.as_ref()).map(PathBuf::from)
}
