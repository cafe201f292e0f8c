//! Decides a login from credentials and the user the definitions hold under that name.
//!
//! The peer is told one text whatever the reason (RabbitMQ's 403); the reason is for the log.

use super::sasl::{Credentials, Proof};
use super::user::User;

/// Why a login was refused, in RabbitMQ's words for the log; the peer never sees it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginRefusal {
    /// Unknown user, wrong password, or a user without password.
    #[error("user '{0}' - invalid credentials")]
    InvalidCredentials(String),
    /// Blank passwords are refused before anything is compared.
    #[error("user '{0}' attempted to log in with a blank password, which is prohibited")]
    BlankPassword(String),
    /// A user of `loopback_users` from another machine.
    #[error("user '{0}' can only connect via localhost")]
    NotLoopback(String),
}

/// Checks `credentials` against `user`, the user of that name if there is one.
pub fn authenticate(user: Option<&User>, credentials: &Credentials) -> Result<(), LoginRefusal> {
    let name = || credentials.user.clone();
    match (&credentials.proof, user) {
        (Proof::Password(password), _) if password.is_empty() => {
            Err(LoginRefusal::BlankPassword(name()))
        }
        (_, None) => Err(LoginRefusal::InvalidCredentials(name())),
        (Proof::Password(password), Some(user)) => match &user.password {
            Some(hash) if hash.verify(password) => Ok(()),
            _ => Err(LoginRefusal::InvalidCredentials(name())),
        },
        // TLS verified the certificate; ANONYMOUS was switched on for exactly this user.
        (Proof::Certificate | Proof::Anonymous, Some(_)) => Ok(()),
    }
}

/// RabbitMQ's `loopback_users` rule: the listed users may log in from this machine only.
pub fn may_login_from(
    user: &str,
    peer_ip_is_loopback: bool,
    loopback_users: &[String],
) -> Result<(), LoginRefusal> {
    if peer_ip_is_loopback || !loopback_users.iter().any(|listed| listed == user) {
        Ok(())
    } else {
        Err(LoginRefusal::NotLoopback(user.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::password::{HashingAlgorithm, PasswordHash};

    fn alice() -> User {
        let hash = PasswordHash::make(HashingAlgorithm::Sha256, [1, 2, 3, 4], b"s3cret").unwrap();
        User {
            name: "alice".into(),
            password: Some(hash),
            tags: vec![],
        }
    }

    fn with(proof: Proof) -> Credentials {
        Credentials {
            user: "alice".into(),
            proof,
        }
    }

    fn password(text: &str) -> Credentials {
        with(Proof::Password(text.as_bytes().to_vec()))
    }

    #[test]
    fn the_right_password_logs_in() {
        assert_eq!(authenticate(Some(&alice()), &password("s3cret")), Ok(()));
    }

    #[test]
    fn unknown_user_and_wrong_password_read_the_same() {
        let unknown = authenticate(None, &password("s3cret")).unwrap_err();
        let wrong = authenticate(Some(&alice()), &password("secret")).unwrap_err();
        assert_eq!(unknown, wrong);
        assert_eq!(unknown.to_string(), "user 'alice' - invalid credentials");
    }

    #[test]
    fn a_blank_password_is_refused_whoever_asks() {
        for user in [None, Some(alice())] {
            let refusal = authenticate(user.as_ref(), &password("")).unwrap_err();
            assert_eq!(refusal, LoginRefusal::BlankPassword("alice".into()));
        }
    }

    #[test]
    fn a_user_without_password_needs_a_certificate() {
        let user = User {
            password: None,
            ..alice()
        };
        assert!(authenticate(Some(&user), &password("s3cret")).is_err());
        assert_eq!(authenticate(Some(&user), &with(Proof::Certificate)), Ok(()));
        assert!(authenticate(None, &with(Proof::Certificate)).is_err());
        assert!(authenticate(None, &with(Proof::Anonymous)).is_err());
    }

    #[test]
    fn loopback_users_are_held_to_this_machine() {
        let listed = vec!["guest".to_owned()];
        assert_eq!(may_login_from("guest", true, &listed), Ok(()));
        assert_eq!(may_login_from("alice", false, &listed), Ok(()));
        assert_eq!(may_login_from("guest", false, &[]), Ok(()));
        assert_eq!(
            may_login_from("guest", false, &listed)
                .unwrap_err()
                .to_string(),
            "user 'guest' can only connect via localhost"
        );
    }
}
