//! Definitions files for private brokers.

/// Users, vhosts and permissions; `guest` (password guest) and the vhost `/`
/// are always there, guest may do everything everywhere. All other users have
/// the password `secret`.
#[derive(Clone, Debug, Default)]
pub struct Definitions {
    users: Vec<String>,
    vhosts: Vec<String>,
    permissions: Vec<String>,
    topic: Vec<String>,
    parameters: Vec<String>,
    policies: Vec<String>,
}

const GUEST_HASH: &str = "BQYHCPDiD0a2FyYtMd8c+ztU52t2PfAAT9UQf7hv/AYQE27z";
const SECRET_HASH: &str = "AQIDBDB9kM21iEUzN1lZ+6VReCsdNqS0sERdAQTcY6Xs3PMz";

impl Definitions {
    /// guest and `/`.
    pub fn new() -> Self {
        Self::default()
            .add_user("guest", GUEST_HASH, "administrator")
            .vhost("/")
    }
    fn add_user(mut self, name: &str, hash: &str, tags: &str) -> Self {
        self.users.push(format!(
            "{{\"name\":\"{name}\",\"password_hash\":\"{hash}\",\
             \"hashing_algorithm\":\"rabbit_password_hashing_sha256\",\
             \"tags\":[{}],\"limits\":{{}}}}",
            if tags.is_empty() {
                String::new()
            } else {
                format!("\"{tags}\"")
            }
        ));
        self
    }
    /// A user with password `secret` and no tag.
    pub fn user(self, name: &str) -> Self {
        self.add_user(name, SECRET_HASH, "")
    }
    /// A user with password `secret` and the tag `administrator`.
    pub fn administrator(self, name: &str) -> Self {
        self.add_user(name, SECRET_HASH, "administrator")
    }
    /// A vhost, where guest may do everything.
    pub fn vhost(mut self, name: &str) -> Self {
        self.vhosts.push(format!("{{\"name\":\"{name}\"}}"));
        self.permission("guest", name, ".*", ".*", ".*")
    }
    /// Permission patterns of a user in a vhost.
    pub fn permission(
        mut self,
        user: &str,
        vhost: &str,
        conf: &str,
        write: &str,
        read: &str,
    ) -> Self {
        self.permissions.push(format!(
            "{{\"user\":\"{user}\",\"vhost\":\"{vhost}\",\"configure\":\"{conf}\",\
             \"write\":\"{write}\",\"read\":\"{read}\"}}"
        ));
        self
    }
    /// Topic permission patterns of a user for an exchange.
    pub fn topic(
        mut self,
        user: &str,
        vhost: &str,
        exchange: &str,
        write: &str,
        read: &str,
    ) -> Self {
        self.topic.push(format!(
            "{{\"user\":\"{user}\",\"vhost\":\"{vhost}\",\"exchange\":\"{exchange}\",\
             \"write\":\"{write}\",\"read\":\"{read}\"}}"
        ));
        self
    }
    /// A policy of `/`: its name, pattern, kind of object, keys (a JSON object) and priority.
    pub fn policy(mut self, name: &str, pattern: &str, kind: &str, keys: &str, prio: i64) -> Self {
        self.policies.push(format!(
            "{{\"vhost\":\"/\",\"name\":\"{name}\",\"pattern\":\"{pattern}\",\
             \"apply-to\":\"{kind}\",\"definition\":{keys},\"priority\":{prio}}}"
        ));
        self
    }
    /// A parameter of `/`, its value in JSON.
    pub fn parameter(mut self, component: &str, name: &str, value: &str) -> Self {
        self.parameters.push(format!(
            "{{\"vhost\":\"/\",\"component\":\"{component}\",\"name\":\"{name}\",\
             \"value\":{value}}}"
        ));
        self
    }
    /// The file's text.
    pub fn json(&self) -> String {
        format!(
            "{{\"rabbit_version\":\"3.10.8\",\"users\":[{}],\"vhosts\":[{}],\
             \"permissions\":[{}],\"topic_permissions\":[{}],\"parameters\":[{}],\
             \"policies\":[{}],\"queues\":[],\"exchanges\":[],\"bindings\":[]}}",
            self.users.join(","),
            self.vhosts.join(","),
            self.permissions.join(","),
            self.topic.join(","),
            self.parameters.join(","),
            self.policies.join(",")
        )
    }
}
