//! Opens the management API's listeners, gives it its certificates and tells it about the node.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpStream;

use crate::auth::LoginFrom;
use crate::config::{Settings, TlsVersion};
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
            let (stream, _) = certificates.accept(stream, Vec::new()).await?;
            let stream: Box<dyn Connection> = Box::new(stream);
            Ok(stream)
        })
    }
}

/// Opens what `management.tcp` and `management.ssl` say; a busy port is an error that names it.
pub fn open(settings: &Settings, socket: &SocketOptions) -> anyhow::Result<Vec<Opened>> {
    let management = &settings.management;
    let mut opened = Vec::new();
    let own = &management.tls;
    let mut add = |protocol, ip, port, key: &str, tls: Option<Arc<dyn TlsAccept>>| {
        let listener = listen(ip, port, socket)
            .with_context(|| format!("the management API cannot start; {key} sets its port"))?;
        opened.push(Opened {
            facts: ListenerFacts {
                protocol,
                address: listener.local_addr()?,
                path: format!("{}/", management.path_prefix),
                certfile: tls
                    .as_ref()
                    .and_then(|_| file(&own.certfile, &settings.tls.certfile)),
                cacertfile: tls
                    .as_ref()
                    .and_then(|_| file(&own.cacertfile, &settings.tls.cacertfile)),
                open: OpenFlag::default(),
            },
            listening: Listening { listener, tls },
        });
        anyhow::Ok(())
    };
    add(
        "http",
        management.ip,
        management.port,
        "management.tcp.port",
        None,
    )?;
    if let Some(port) = management.tls.port {
        let certificates = Certificates::load(tls_files(settings)?)?;
        tokio::spawn(Arc::clone(&certificates).watch());
        let tls: Arc<dyn TlsAccept> = Arc::new(Encrypted(certificates));
        add(
            "https",
            management.tls.ip,
            port,
            "management.ssl.port",
            Some(tls),
        )?;
    }
    Ok(opened)
}

/// The API's own file, or that of the AMQP listeners.
fn file(own: &Option<String>, amqp: &Option<String>) -> Option<PathBuf> {
    own.as_ref().or(amqp.as_ref()).map(PathBuf::from)
}

fn tls_files(settings: &Settings) -> anyhow::Result<TlsFiles> {
    let (own, amqp) = (&settings.management.tls, &settings.tls);
    let needed = |key: &str, path: Option<PathBuf>| {
        path.with_context(|| format!("management.ssl.port needs management.ssl.{key}"))
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
