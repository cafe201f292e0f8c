//! The operator's socket in the data folder: the management API over a unix socket. Who connects
//! is not asked for a password: the system names the process at the other end, and root and the
//! broker's own user may do everything, everyone else nothing.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use crate::limits;
use crate::management::Peer;
use crate::management::gate::Gate;
use crate::management::server::{Answers, serve_connection};

/// Where the socket of the broker with this data folder is.
pub fn socket_path(data_dir: &Path) -> PathBuf {
    data_dir.join("leveret.sock")
}

/// Opens the socket; the folder's lock is held, so an old one is nobody's.
pub fn open(data_dir: &Path) -> anyhow::Result<UnixListener> {
    let path = socket_path(data_dir);
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).with_context(|| {
        format!(
            "cannot listen on {} (a socket's path has 107 octets at most)",
            path.display()
        )
    })?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
        .with_context(|| format!("cannot restrict {}", path.display()))?;
    Ok(listener)
}

/// Answers until the task is dropped or the node stops.
pub async fn serve(listener: UnixListener, gate: Arc<Gate>) {
    let room = Arc::new(Semaphore::new(limits::CONTROL_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = gate.stopped() => return,
        };
        match accepted {
            Ok((stream, _)) if is_operator(&stream) => {
                let gate = Arc::clone(&gate);
                tokio::spawn(async move {
                    serve_connection(stream, Peer::operator(), gate).await;
                    drop(place);
                });
            }
            Ok((stream, _)) => drop(stream),
            Err(error) => {
                // Out of file descriptors, mostly: those in use will be closed, so go on.
                tracing::error!("operator's socket: cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Whether root or this process's user is at the other end.
fn is_operator(stream: &UnixStream) -> bool {
    match stream.peer_cred() {
        Ok(peer) => {
            let own = rustix::process::geteuid().as_raw();
            let allowed = may_operate(peer.uid(), own);
            if !allowed {
                tracing::warn!(
                    "operator's socket: user id {} was refused; root and user id {own} may",
                    peer.uid()
                );
            }
            allowed
        }
        Err(error) => {
            tracing::warn!("operator's socket: the system does not say who connects: {error}");
            false
        }
    }
}

fn may_operate(peer: u32, own: u32) -> bool {
    peer == 0 || peer == own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_the_service_user_may_operate() {
        assert!(may_operate(0, 999));
        assert!(may_operate(999, 999));
        assert!(!may_operate(1000, 999));
        assert!(!may_operate(999, 0));
    }

    #[tokio::test]
    async fn only_its_owner_may_open_the_socket() {
        let folder = tempfile::tempdir().unwrap();
        let listener = open(folder.path()).unwrap();
        let path = socket_path(folder.path());
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let (client, accepted) = tokio::join!(UnixStream::connect(&path), listener.accept());
        assert!(client.is_ok());
        // This test is at both ends.
        assert!(is_operator(&accepted.unwrap().0));
    }
}
