//! The `Authorization: Basic` header.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

/// A name and a password as they came.
#[derive(Clone, PartialEq, Eq)]
pub struct BasicCredentials {
    /// The user's name.
    pub user: String,
    /// The password, which `Debug` leaves out.
    pub password: Vec<u8>,
}

impl fmt::Debug for BasicCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BasicCredentials({:?})", self.user)
    }
}

/// Reads the header's value; `None` where it is of another scheme or malformed.
pub fn parse_basic(value: &[u8]) -> Option<BasicCredentials> {
    let text = std::str::from_utf8(value).ok()?;
    let (scheme, rest) = text.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let encoded = rest.trim();
    let octets = STANDARD
        .decode(encoded)
        .or_else(|_| STANDARD_NO_PAD.decode(encoded))
        .ok()?;
    let colon = octets.iter().position(|octet| *octet == b':')?;
    let (user, password) = octets.split_at_checked(colon)?;
    Some(BasicCredentials {
        user: String::from_utf8(user.to_vec()).ok()?,
        password: password.get(1..)?.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_begins_behind_the_first_colon() {
        let found = parse_basic(b"Basic dTpwOng6eQ==").unwrap();
        assert_eq!(
            (found.user.as_str(), found.password.as_slice()),
            ("u", &b"p:x:y"[..])
        );
        assert_eq!(parse_basic(b"basic  dTo").unwrap().password, b"");
    }

    #[test]
    fn anything_else_is_nobody() {
        for bad in ["", "Basic", "Basic ***", "Bearer dTpw", "Basic dXA="] {
            assert_eq!(parse_basic(bad.as_bytes()), None, "{bad}");
        }
    }
}
