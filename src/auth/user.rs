//! A user: name, password hash, tags. Never its permissions, which belong to a virtual host.

use super::password::PasswordHash;

/// A user of the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name, case-sensitive.
    pub name: String,
    /// `None`: cannot log in with a password (certificates still work).
    pub password: Option<PasswordHash>,
    /// Free words; `management`, `policymaker`, `monitoring`, `administrator` and `impersonator`
    /// have a meaning.
    pub tags: Vec<String>,
}

impl User {
    /// True when the user carries `tag`.
    pub fn has_tag(&self, tag: &str) -> bool {
        self.tags.iter().any(|t| t == tag)
    }

    /// May do everything in the management API.
    pub fn is_administrator(&self) -> bool {
        self.has_tag("administrator")
    }

    /// May publish with the `user_id` of somebody else.
    pub fn is_impersonator(&self) -> bool {
        self.has_tag("impersonator")
    }

    /// May see every connection, channel and node.
    pub fn is_monitor(&self) -> bool {
        self.is_administrator() || self.has_tag("monitoring")
    }

    /// May set policies and parameters in the virtual hosts it can reach.
    pub fn is_policymaker(&self) -> bool {
        self.is_administrator() || self.has_tag("policymaker")
    }

    /// May use the management API at all.
    pub fn is_management_user(&self) -> bool {
        self.is_monitor() || self.is_policymaker() || self.has_tag("management")
    }
}

/// Tags of RabbitMQ's comma-separated form: `"a, b,,c"` is `a`, `b`, `c`.
pub fn split_tags(text: &str) -> Vec<String> {
    text.split(',')
        .map(str::trim)
        .filter(|tag| !tag.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(tags: &[&str]) -> User {
        User {
            name: "u".into(),
            password: None,
            tags: tags.iter().map(|t| (*t).to_owned()).collect(),
        }
    }

    #[test]
    fn administrator_includes_the_lesser_roles_but_not_impersonator() {
        let admin = user(&["administrator"]);
        assert!(admin.is_administrator() && admin.is_monitor() && admin.is_policymaker());
        assert!(admin.is_management_user());
        assert!(!admin.is_impersonator());
        assert!(user(&["impersonator"]).is_impersonator());
    }

    #[test]
    fn each_role_alone() {
        let monitor = user(&["monitoring"]);
        assert!(monitor.is_monitor() && monitor.is_management_user());
        assert!(!monitor.is_policymaker() && !monitor.is_administrator());
        let policymaker = user(&["policymaker"]);
        assert!(policymaker.is_policymaker() && policymaker.is_management_user());
        assert!(!policymaker.is_monitor());
        assert!(user(&["management"]).is_management_user());
        assert!(!user(&["team-a"]).is_management_user());
    }

    #[test]
    fn splits_tags_as_rabbitmq_does() {
        assert_eq!(split_tags("a, b ,,c"), ["a", "b", "c"]);
        assert_eq!(split_tags(""), Vec::<String>::new());
    }
}
