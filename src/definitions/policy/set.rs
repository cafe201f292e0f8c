//! The policies of a virtual host, and what an object gets from them.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::rule::{Kind, Policy};

/// Policies and operator policies, each in the order in which they are tried: highest priority first,
/// then by name.
#[derive(Debug, Clone, Default)]
pub struct PolicySet {
    policies: Vec<Arc<Policy>>,
    operator: Vec<Arc<Policy>>,
}

/// The one policy and the one operator policy that an object is under.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Matched {
    /// The policy.
    pub policy: Option<Arc<Policy>>,
    /// The operator policy.
    pub operator: Option<Arc<Policy>>,
}

impl PolicySet {
    /// The policies or the operator policies, in the order in which they are tried.
    pub fn list(&self, operator: bool) -> &[Arc<Policy>] {
        if operator {
            &self.operator
        } else {
            &self.policies
        }
    }

    /// One of them by name.
    pub fn get(&self, operator: bool, name: &str) -> Option<&Arc<Policy>> {
        self.list(operator)
            .iter()
            .find(|policy| policy.name == name)
    }

    /// Adds or replaces one; true when it is new.
    pub fn put(&mut self, operator: bool, policy: Policy) -> bool {
        let new = !self.remove(operator, &policy.name);
        let list = self.list_mut(operator);
        let after = |other: &Arc<Policy>| {
            (std::cmp::Reverse(other.priority), &other.name)
                < (std::cmp::Reverse(policy.priority), &policy.name)
        };
        let at = list.partition_point(after);
        list.insert(at, Arc::new(policy));
        new
    }

    /// Removes one; false when there is none of that name.
    pub fn remove(&mut self, operator: bool, name: &str) -> bool {
        let list = self.list_mut(operator);
        let before = list.len();
        list.retain(|policy| policy.name != name);
        list.len() < before
    }

    fn list_mut(&mut self, operator: bool) -> &mut Vec<Arc<Policy>> {
        if operator {
            &mut self.operator
        } else {
            &mut self.policies
        }
    }

    /// True when there is no policy at all.
    pub fn is_empty(&self) -> bool {
        self.policies.is_empty() && self.operator.is_empty()
    }

    /// What an object called `name` is under.
    pub fn matching(&self, kind: Kind, name: &[u8]) -> Matched {
        let first = |list: &[Arc<Policy>]| {
            let found = list.iter().find(|policy| policy.matches(kind, name));
            found.cloned()
        };
        Matched {
            policy: first(&self.policies),
            operator: first(&self.operator),
        }
    }
}

impl Matched {
    /// True when the object is under none.
    pub fn is_empty(&self) -> bool {
        self.policy.is_none() && self.operator.is_none()
    }

    /// The keys of both: of a number that both set the lower one holds, of anything else the
    /// operator's.
    pub fn definition(&self) -> Map<String, Value> {
        let mut merged = match &self.policy {
            Some(policy) => policy.definition.clone(),
            None => Map::new(),
        };
        let operator = self.operator.iter().flat_map(|policy| &policy.definition);
        for (key, theirs) in operator {
            let lower = merged.get(key).and_then(Value::as_i64);
            match (lower, theirs.as_i64()) {
                (Some(ours), Some(number)) if ours < number => {}
                _ => {
                    merged.insert(key.clone(), theirs.clone());
                }
            }
        }
        merged
    }
}

#[cfg(test)]
mod tests {
    use super::super::Author;
    use super::*;
    use serde_json::json;

    fn policy(name: &str, pattern: &str, apply_to: &str, priority: i64, keys: Value) -> Policy {
        let keys = keys.as_object().unwrap().clone();
        Policy::new(Author::User, name, pattern, apply_to, &keys, priority).unwrap()
    }

    fn name_of(policy: &Option<Arc<Policy>>) -> Option<&str> {
        policy.as_ref().map(|policy| policy.name.as_str())
    }

    #[test]
    fn the_highest_priority_that_matches_wins_whatever_came_first() {
        let mut set = PolicySet::default();
        for (name, pattern, priority) in [
            ("low", "", 0),
            ("high", "^orders", 10),
            ("b", "^stock", 5),
            ("a", "^stock", 5),
        ] {
            let keys = json!({"max-length": 1});
            assert!(set.put(false, policy(name, pattern, "queues", priority, keys)));
        }
        let of = |name: &str| {
            let found = set.matching(Kind::ClassicQueue, name.as_bytes());
            name_of(&found.policy).map(str::to_owned)
        };
        assert_eq!(of("orders.1").as_deref(), Some("high"));
        assert_eq!(of("x.orders").as_deref(), Some("low"));
        assert_eq!(of("stock").as_deref(), Some("a"));
        assert!(set.matching(Kind::Exchange, b"orders").is_empty());
    }

    #[test]
    fn kinds_are_told_apart() {
        let mut set = PolicySet::default();
        let keys = || json!({"max-length": 1});
        set.put(false, policy("q", ".*", "quorum_queues", 1, keys()));
        set.put(false, policy("c", ".*", "classic_queues", 1, keys()));
        set.put(false, policy("s", ".*", "streams", 9, keys()));
        let of = |kind| name_of(&set.matching(kind, b"x").policy).map(str::to_owned);
        assert_eq!(of(Kind::QuorumQueue).as_deref(), Some("q"));
        assert_eq!(of(Kind::ClassicQueue).as_deref(), Some("c"));
        assert_eq!(of(Kind::Exchange), None);
    }

    #[test]
    fn a_key_of_another_type_makes_a_policy_no_policy_of_this_one() {
        for (keys, classic, quorum) in [
            (json!({"ha-mode": "all"}), true, false),
            (json!({"queue-mode": "lazy"}), true, false),
            (
                json!({"dead-letter-strategy": "at-least-once"}),
                false,
                true,
            ),
            (json!({"delivery-limit": 1}), true, true),
            (json!({"max-age": "7D"}), false, false),
        ] {
            let policy = policy("p", "", "all", 0, keys);
            assert_eq!(policy.matches(Kind::ClassicQueue, b"q"), classic);
            assert_eq!(policy.matches(Kind::QuorumQueue, b"q"), quorum);
            assert!(policy.matches(Kind::Exchange, b"x"));
        }
    }

    #[test]
    fn an_operator_can_only_tighten_numbers() {
        let mut set = PolicySet::default();
        let keys = json!({"max-length": 10, "message-ttl": 5, "overflow": "drop-head"});
        set.put(false, policy("p", ".*", "all", 0, keys));
        let keys = json!({"max-length": 20, "message-ttl": 1, "expires": 7});
        set.put(true, policy("o", ".*", "all", 0, keys));
        let merged = set.matching(Kind::ClassicQueue, b"x").definition();
        let expected =
            json!({"max-length": 10, "message-ttl": 1, "overflow": "drop-head", "expires": 7});
        assert_eq!(Value::Object(merged), expected);
    }

    #[test]
    fn replacing_moves_to_the_new_priority() {
        let mut set = PolicySet::default();
        let keys = || json!({"max-length": 1});
        set.put(false, policy("a", ".*", "all", 1, keys()));
        set.put(false, policy("b", ".*", "all", 2, keys()));
        assert!(!set.put(false, policy("a", ".*", "all", 3, keys())));
        assert_eq!(set.list(false).len(), 2);
        assert_eq!(
            name_of(&set.matching(Kind::Exchange, b"x").policy),
            Some("a")
        );
        assert!(set.remove(false, "a") && !set.remove(false, "a"));
    }
}
