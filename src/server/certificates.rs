//! TLS: certificates from PEM files, read again when they change, without a restart.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, version};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::tls_facts::facts;
use crate::auth::{LoginFrom, user_name_of_certificate};
use crate::broker::connections::TlsFacts;

/// How often the files are looked at.
const RELOAD_EVERY: Duration = Duration::from_secs(5);

/// Where certificates lie and what is asked of clients.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The chain of the server, PEM.
    pub certfile: PathBuf,
    /// Its private key, PEM.
    pub keyfile: PathBuf,
    /// Authorities that sign clients' certificates, PEM.
    pub cacertfile: Option<PathBuf>,
    /// Ask clients for a certificate.
    pub verify_peer: bool,
    /// Refuse clients without one.
    pub fail_if_no_peer_cert: bool,
    /// TLS 1.2 is allowed.
    pub tls12: bool,
    /// TLS 1.3 is allowed.
    pub tls13: bool,
    /// Where the user name of EXTERNAL stands in a certificate.
    pub login_from: LoginFrom,
}

/// What is wrong with a TLS configuration.
#[derive(Debug, thiserror::Error)]
#[error("TLS: {subject}: {reason}")]
pub struct TlsError {
    subject: String,
    reason: String,
}

fn refused(subject: impl ToString, reason: impl ToString) -> TlsError {
    TlsError {
        subject: subject.to_string(),
        reason: reason.to_string(),
    }
}

/// The TLS configuration of this moment.
#[derive(Debug)]
pub struct Certificates {
    files: TlsFiles,
    config: ArcSwap<ServerConfig>,
}

impl Certificates {
    /// Reads the files.
    pub fn load(files: TlsFiles) -> Result<Arc<Self>, TlsError> {
        let config = ArcSwap::from_pointee(build(&files)?);
        Ok(Arc::new(Self { files, config }))
    }

    /// The TLS handshake; returns the stream, the user name in the client's certificate, and what is
    /// shown of it.
    pub async fn accept(
        &self,
        stream: TcpStream,
        first: Vec<u8>,
    ) -> io::Result<(TlsStream<TcpStream>, Option<String>, TlsFacts)> {
        if !first.is_empty() {
            // A balancer that sends data in one packet with its header: rustls reads sockets only.
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "TLS octets in one segment with the PROXY header are not supported",
            ));
        }
        let acceptor = TlsAcceptor::from(self.config.load_full());
        let stream = acceptor.accept(stream).await?;
        let (_, connection) = stream.get_ref();
        let certificate = connection.peer_certificates().and_then(<[_]>::first);
        let user = certificate.and_then(|der| {
            user_name_of_certificate(der.as_ref(), self.files.login_from)
                .inspect_err(|error| tracing::warn!("client certificate names no user: {error}"))
                .ok()
        });
        let facts = facts(connection);
        Ok((stream, user, facts))
    }

    /// Reads the files again whenever one of them changes. A broken new file leaves the old
    /// configuration in force.
    pub async fn watch(self: Arc<Self>) {
        let mut seen = self.stamps();
        loop {
            tokio::time::sleep(RELOAD_EVERY).await;
            let now = self.stamps();
            if now == seen {
                continue;
            }
            seen = now;
            match build(&self.files) {
                Ok(config) => {
                    self.config.store(Arc::new(config));
                    tracing::info!("read the TLS certificates again");
                }
                Err(error) => tracing::error!("keeping the old TLS certificates: {error}"),
            }
        }
    }

    fn stamps(&self) -> Vec<Option<SystemTime>> {
        let files = [
            Some(&self.files.certfile),
            Some(&self.files.keyfile),
            self.files.cacertfile.as_ref(),
        ];
        files
            .into_iter()
            .flatten()
            .map(|path| {
                std::fs::metadata(path)
                    .and_then(|meta| meta.modified())
                    .ok()
            })
            .collect()
    }
}

fn build(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let chain = read_certificates(&files.certfile)?;
    let key = PrivateKeyDer::from_pem_file(&files.keyfile).map_err(|error| match error {
        rustls_pki_types::pem::Error::NoItemsFound => refused(
            files.keyfile.display(),
            "holds no private key that is not encrypted (ssl_options.keyfile)",
        ),
        error => refused(files.keyfile.display(), error),
    })?;
    let mut versions: Vec<&'static SupportedProtocolVersion> = Vec::new();
    if files.tls13 {
        versions.push(&version::TLS13);
    }
    if files.tls12 {
        versions.push(&version::TLS12);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions)
        .map_err(|error| refused("ssl_options.versions", error))?;
    let builder = if files.verify_peer {
        let path = files.cacertfile.as_ref().ok_or_else(|| {
            refused(
                "ssl_options.verify",
                "verify_peer needs ssl_options.cacertfile",
            )
        })?;
        let mut roots = RootCertStore::empty();
        for certificate in read_certificates(path)? {
            roots
                .add(certificate)
                .map_err(|error| refused(path.display(), error))?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let verifier = if files.fail_if_no_peer_cert {
            verifier
        } else {
            verifier.allow_unauthenticated()
        };
        let verifier = verifier
            .build()
            .map_err(|error| refused(path.display(), error))?;
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    builder
        .with_single_cert(chain, key)
        .map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => refused(
                files.keyfile.display(),
                "the key in ssl_options.keyfile does not belong to the certificate in \
                 ssl_options.certfile",
            ),
            error => refused(files.certfile.display(), error),
        })
}

fn read_certificates(path: &PathBuf) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)
        .map_err(|error| refused(path.display(), error))?
        .collect();
    let certificates = certificates.map_err(|error| refused(path.display(), error))?;
    if certificates.is_empty() {
        return Err(refused(path.display(), "holds no certificate"));
    }
    Ok(certificates)
}
