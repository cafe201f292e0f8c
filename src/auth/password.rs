//! RabbitMQ's salted password hashes: `base64(salt ++ digest(salt ++ password))`.
//!
//! Reads what definitions files carry, makes new hashes from a salt the caller drew, and compares
//! in constant time. It never keeps or prints a password.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha2::{Digest as _, Sha256, Sha512};
use subtle::ConstantTimeEq as _;

/// Octets of salt in front of the digest.
pub const SALT_LEN: usize = 4;

/// The digest of a password hash, named as RabbitMQ's modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HashingAlgorithm {
    /// `rabbit_password_hashing_sha256`, RabbitMQ's default.
    #[default]
    Sha256,
    /// `rabbit_password_hashing_sha512`.
    Sha512,
    /// `rabbit_password_hashing_md5`: only for users that came from very old brokers.
    Md5,
}

/// Why a password or its hash is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// A blank password would let anybody in who knows the name.
    #[error("a password must not be blank")]
    Blank,
    /// The text is not base64.
    #[error("the password hash is not valid base64")]
    NotBase64,
    /// Too short or too long for a salt and a digest of the algorithm.
    #[error("a {algorithm} hash has {expected} octets with its salt, this one has {found}")]
    Length {
        /// The algorithm the hash is said to be of.
        algorithm: HashingAlgorithm,
        /// Octets of salt and digest together.
        expected: usize,
        /// Octets that came.
        found: usize,
    },
    /// The name is none of the three algorithms.
    #[error(
        "unknown hashing algorithm '{0}' (allowed: rabbit_password_hashing_sha256, \
         rabbit_password_hashing_sha512, rabbit_password_hashing_md5)"
    )]
    UnknownAlgorithm(String),
}

impl HashingAlgorithm {
    /// The algorithm of RabbitMQ's module name.
    pub fn from_name(name: &str) -> Result<Self, PasswordError> {
        match name {
            "rabbit_password_hashing_sha256" => Ok(Self::Sha256),
            "rabbit_password_hashing_sha512" => Ok(Self::Sha512),
            "rabbit_password_hashing_md5" => Ok(Self::Md5),
            other => Err(PasswordError::UnknownAlgorithm(other.to_owned())),
        }
    }

    /// RabbitMQ's module name, as definitions and the HTTP API print it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "rabbit_password_hashing_sha256",
            Self::Sha512 => "rabbit_password_hashing_sha512",
            Self::Md5 => "rabbit_password_hashing_md5",
        }
    }

    fn digest_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
            Self::Md5 => 16,
        }
    }

    fn digest(self, salt: &[u8], password: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::new()
                .chain_update(salt)
                .chain_update(password)
                .finalize()
                .to_vec(),
            Self::Sha512 => Sha512::new()
                .chain_update(salt)
                .chain_update(password)
                .finalize()
                .to_vec(),
            Self::Md5 => Md5::new()
                .chain_update(salt)
                .chain_update(password)
                .finalize()
                .to_vec(),
        }
    }
}

impl fmt::Display for HashingAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A user's salted password hash.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    algorithm: HashingAlgorithm,
    salt: [u8; SALT_LEN],
    digest: Vec<u8>,
}

impl PasswordHash {
    /// Hashes `password` with a `salt` that the caller drew at random.
    pub fn make(
        algorithm: HashingAlgorithm,
        salt: [u8; SALT_LEN],
        password: &[u8],
    ) -> Result<Self, PasswordError> {
        if password.is_empty() {
            return Err(PasswordError::Blank);
        }
        Ok(Self {
            algorithm,
            salt,
            digest: algorithm.digest(&salt, password),
        })
    }

    /// Reads the base64 form of a definitions file. An empty text is `None`: that user cannot log
    /// in with a password.
    pub fn parse(algorithm: HashingAlgorithm, text: &str) -> Result<Option<Self>, PasswordError> {
        if text.is_empty() {
            return Ok(None);
        }
        let bytes = STANDARD
            .decode(text)
            .map_err(|_| PasswordError::NotBase64)?;
        let expected = SALT_LEN + algorithm.digest_len();
        let wrong = PasswordError::Length {
            algorithm,
            expected,
            found: bytes.len(),
        };
        let (salt, digest) = bytes.split_first_chunk::<SALT_LEN>().ok_or(wrong.clone())?;
        if digest.len() != algorithm.digest_len() {
            return Err(wrong);
        }
        Ok(Some(Self {
            algorithm,
            salt: *salt,
            digest: digest.to_vec(),
        }))
    }

    /// True when `password` is the one that was hashed. A blank one never is, not even against the
    /// hash of a blank password that an old broker may have written.
    pub fn verify(&self, password: &[u8]) -> bool {
        let digest = self.algorithm.digest(&self.salt, password);
        let same: bool = digest.as_slice().ct_eq(&self.digest).into();
        same && !password.is_empty()
    }

    /// The algorithm of this hash.
    pub fn algorithm(&self) -> HashingAlgorithm {
        self.algorithm
    }

    /// The base64 form, as definitions files carry it.
    pub fn to_base64(&self) -> String {
        let mut bytes = self.salt.to_vec();
        bytes.extend_from_slice(&self.digest);
        STANDARD.encode(bytes)
    }
}

/// Names the algorithm only: hashes do not belong in logs.
impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PasswordHash({})", self.algorithm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: [u8; 4] = [0x90, 0x8d, 0xc6, 0x0a];
    /// Made by RabbitMQ 3.10.8's own hashing modules from the salt above and "test12".
    const VECTORS: [(HashingAlgorithm, &str); 3] = [
        (
            HashingAlgorithm::Sha256,
            "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR",
        ),
        (
            HashingAlgorithm::Sha512,
            "kI3GChuNuIYf8lRbCCxZjgjKwsY19ns6+uFO0zcXRBGA/XGJPYD8OWMy7EB8TaOmAzjP2azv84GbINYwX2cDWb4DHnc=",
        ),
        (HashingAlgorithm::Md5, "kI3GChNpte2FApYFXScl+0dIluk="),
    ];

    #[test]
    fn hashes_as_rabbitmq_does() {
        for (algorithm, text) in VECTORS {
            let made = PasswordHash::make(algorithm, SALT, b"test12").unwrap();
            assert_eq!(made.to_base64(), text);
            let read = PasswordHash::parse(algorithm, text).unwrap().unwrap();
            assert_eq!(read, made);
            assert!(read.verify(b"test12"));
            assert!(!read.verify(b"test13"));
            assert!(!read.verify(b""));
        }
    }

    #[test]
    fn verifies_a_hash_of_a_live_broker() {
        let text = "zdqBLnKkTJQsoI712DaQEl3dBZIQ4dv0BHhJ5CvkXy6lKBrp";
        let hash = PasswordHash::parse(HashingAlgorithm::Sha256, text)
            .unwrap()
            .unwrap();
        assert!(hash.verify(b"guest"));
        assert!(!hash.verify(b"Guest"));
    }

    #[test]
    fn a_blank_password_never_logs_in() {
        assert_eq!(
            PasswordHash::make(HashingAlgorithm::Sha256, SALT, b""),
            Err(PasswordError::Blank)
        );
        let digest = HashingAlgorithm::Sha256.digest(&SALT, b"");
        let hash_of_blank = PasswordHash {
            algorithm: HashingAlgorithm::Sha256,
            salt: SALT,
            digest,
        };
        assert!(!hash_of_blank.verify(b""));
    }

    #[test]
    fn an_empty_hash_means_no_password_login() {
        assert_eq!(PasswordHash::parse(HashingAlgorithm::Sha256, ""), Ok(None));
    }

    #[test]
    fn refuses_what_is_not_a_hash() {
        let parse = |text| PasswordHash::parse(HashingAlgorithm::Sha256, text);
        assert_eq!(parse("!!!"), Err(PasswordError::NotBase64));
        assert_eq!(
            parse("AAAA").unwrap_err().to_string(),
            "a rabbit_password_hashing_sha256 hash has 36 octets with its salt, this one has 3"
        );
        let (_, sha512) = VECTORS[1];
        assert!(matches!(
            parse(sha512),
            Err(PasswordError::Length { found: 68, .. })
        ));
        assert!(HashingAlgorithm::from_name("argon2").is_err());
    }

    #[test]
    fn names_go_both_ways() {
        for (algorithm, _) in VECTORS {
            assert_eq!(HashingAlgorithm::from_name(algorithm.name()), Ok(algorithm));
        }
    }

    #[test]
    fn debug_output_does_not_show_the_hash() {
        let hash = PasswordHash::make(HashingAlgorithm::Md5, SALT, b"x").unwrap();
        assert_eq!(
            format!("{hash:?}"),
            "PasswordHash(rabbit_password_hashing_md5)"
        );
    }
}
