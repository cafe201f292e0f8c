//! New password hashes.

use crate::auth::password::SALT_LEN;
use crate::auth::{HashingAlgorithm, PasswordHash};

/// Hashes a password with a fresh salt.
pub fn hash_password(algorithm: HashingAlgorithm, password: &[u8]) -> Result<PasswordHash, String> {
    let salt: [u8; SALT_LEN] = rand::random();
    PasswordHash::make(algorithm, salt, password).map_err(|e| e.to_string())
}
