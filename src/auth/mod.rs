//! Who may log in and what they may touch: password hashes, SASL responses, users, permissions.
//!
//! Pure: it reads no socket, no file and no clock. Connections hand in what a peer sent and what
//! the definitions hold; the answer is a decision and the text that explains it. It keeps no
//! users itself.

pub mod certificate;
pub mod login;
pub mod password;
pub mod permission;
pub mod permission_cache;
pub mod sasl;
pub mod topic_permission;
pub mod user;

pub use certificate::{CertificateError, LoginFrom, SanType, user_name_of_certificate};
pub use login::{LoginRefusal, authenticate, may_login_from};
pub use password::{HashingAlgorithm, PasswordError, PasswordHash};
pub use permission::{Access, Pattern, PatternError, Permissions};
pub use permission_cache::{PermissionCache, Request, ResourceKind};
pub use sasl::{Credentials, Mechanism, Proof, SaslRefusal};
pub use topic_permission::TopicPermission;
pub use user::User;
