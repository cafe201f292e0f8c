//! Bytes over TLS, by the openssl command: the suite has no TLS of its own.

use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// How a client does TLS.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The authority that the server's certificate must be of.
    pub ca: PathBuf,
    /// The client's own certificate and its key.
    pub own: Option<(PathBuf, PathBuf)>,
}

/// A connection; it ends when this is dropped.
pub struct Secure(Child);

impl Secure {
    /// Connects. What fails in TLS shows as the end of what is read.
    pub fn connect(host: &str, port: u16, tls: &Tls) -> std::io::Result<Self> {
        let mut command = Command::new("openssl");
        command
            .args(["s_client", "-quiet", "-verify_return_error", "-connect"])
            .arg(format!("{host}:{port}"))
            .arg("-CAfile")
            .arg(&tls.ca);
        if let Some((certificate, key)) = &tls.own {
            command.arg("-cert").arg(certificate).arg("-key").arg(key);
        }
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self(child))
    }
    /// Where to write and where to read; once.
    pub fn ends(&mut self) -> std::io::Result<(ChildStdin, ChildStdout)> {
        match (self.0.stdin.take(), self.0.stdout.take()) {
            (Some(input), Some(output)) => Ok((input, output)),
            _ => Err(std::io::Error::other("openssl has no pipes")),
        }
    }
}

impl Drop for Secure {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
