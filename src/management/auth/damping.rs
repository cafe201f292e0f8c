//! Slows down those who guess passwords.
//!
//! Wrong guesses are counted by address and user, and by address alone. From some number on the
//! next attempt waits before it is looked at, right or wrong, so that guessing in parallel gains
//! nothing: only a few of one address wait at a time, the rest is turned away. Nobody is locked
//! out: whoever knows the password gets in after the wait, and a right one ends it.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::management::error::ApiError;

/// Addresses and users that are remembered; beyond it the one that was quiet longest goes.
const ENTRIES_MAX: usize = 4_096;

/// Octets of a user's name that count: longer names than RabbitMQ's guess together.
const NAME_MAX: usize = 255;

/// Wrong guesses of one user before the next waits.
const FREE_BY_USER: u32 = 10;

/// Wrong guesses of one address before the next waits: many people share some.
const FREE_BY_ADDRESS: u32 = 50;

/// The first wait; each further wrong guess doubles it.
const WAIT_MIN: Duration = Duration::from_millis(50);

/// The longest wait.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// Attempts of one address that wait at a time.
const WAITING_MAX: u32 = 8;

/// Guesses count half after each of these.
const HALVED_AFTER: Duration = Duration::from_secs(30);

/// An address, with a user or (empty) for itself.
type Key = (IpAddr, String);

#[derive(Debug)]
struct Guesses {
    wrong: u32,
    waiting: u32,
    last: Instant,
}

impl Guesses {
    /// The number that counts at `now`.
    fn counted(&self, now: Instant) -> u32 {
        let quiet = now.saturating_duration_since(self.last).as_secs();
        let halves = u32::try_from(quiet / HALVED_AFTER.as_secs()).unwrap_or(u32::MAX);
        self.wrong.checked_shr(halves).unwrap_or(0)
    }
}

/// Who guessed how often.
#[derive(Debug, Default)]
pub struct Damping(Mutex<HashMap<Key, Guesses>>);

/// One attempt to log in.
#[derive(Debug)]
pub struct Turn<'a> {
    damping: &'a Damping,
    keys: Option<[Key; 2]>,
    wait: Duration,
}

fn wait_after(wrong: u32, free: u32) -> Duration {
    match wrong.checked_sub(free) {
        None => Duration::ZERO,
        // 2 s is reached after six doublings.
        Some(over) => WAIT_MIN.saturating_mul(1 << over.min(8)).min(WAIT_MAX),
    }
}

impl Damping {
    /// Takes a turn for `user` from `address`; refused while too many of that address wait. A local
    /// socket is not damped.
    pub fn turn(&self, address: Option<SocketAddr>, user: &str) -> Result<Turn<'_>, ApiError> {
        let Some(address) = address else {
            return Ok(Turn {
                damping: self,
                keys: None,
                wait: Duration::ZERO,
            });
        };
        let ip = address.ip().to_canonical();
        let name: String = user.chars().take(NAME_MAX).collect();
        let keys = [(ip, name), (ip, String::new())];
        let now = Instant::now();
        let mut entries = self.0.lock();
        let wrong = |key: &Key| entries.get(key).map_or(0, |known| known.counted(now));
        let [by_user, by_address] = &keys;
        let wait = wait_after(wrong(by_user), FREE_BY_USER)
            .max(wait_after(wrong(by_address), FREE_BY_ADDRESS));
        if !wait.is_zero() {
            let waiting = &mut entries
                .entry(by_address.clone())
                .or_insert(Guesses {
                    wrong: 0,
                    waiting: 0,
                    last: now,
                })
                .waiting;
            if *waiting >= WAITING_MAX {
                return Err(ApiError::too_many(
                    "too many failed logins, try again later",
                ));
            }
            *waiting += 1;
        }
        drop(entries);
        Ok(Turn {
            damping: self,
            keys: Some(keys),
            wait,
        })
    }

    fn note(&self, keys: &[Key; 2], right: bool, now: Instant) {
        let mut entries = self.0.lock();
        let [by_user, _] = keys;
        if right {
            entries.remove(by_user);
            return;
        }
        for key in keys {
            if entries.len() >= ENTRIES_MAX && !entries.contains_key(key) {
                forget_one(&mut entries);
            }
            let known = entries.entry(key.clone()).or_insert(Guesses {
                wrong: 0,
                waiting: 0,
                last: now,
            });
            known.wrong = known.counted(now).saturating_add(1);
            known.last = now;
        }
    }
}

/// Makes room; what somebody waits on stays.
fn forget_one(entries: &mut HashMap<Key, Guesses>) {
    let idle = entries.iter().filter(|(_, known)| known.waiting == 0);
    let oldest = idle.min_by_key(|(_, known)| known.last);
    if let Some(key) = oldest.map(|(key, _)| key.clone()) {
        entries.remove(&key);
    }
}

impl Turn<'_> {
    /// Waits as long as the guesses before deserve.
    pub async fn wait(&self) {
        if !self.wait.is_zero() {
            tokio::time::sleep(self.wait).await;
        }
    }

    /// Notes how the attempt ended.
    pub fn end(&self, right: bool) {
        if let Some(keys) = &self.keys {
            self.damping.note(keys, right, Instant::now());
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.wait.is_zero() {
            return;
        }
        if let Some([_, by_address]) = &self.keys
            && let Some(known) = self.damping.0.lock().get_mut(by_address)
        {
            known.waiting = known.waiting.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(last: u8) -> Option<SocketAddr> {
        Some(SocketAddr::from(([10, 0, 0, last], 1)))
    }

    fn guess(damping: &Damping, address: Option<SocketAddr>, user: &str, right: bool) -> Duration {
        let turn = damping.turn(address, user).unwrap();
        turn.end(right);
        turn.wait
    }

    #[test]
    fn waits_grow_with_wrong_guesses_and_end_with_a_right_one() {
        let damping = Damping::default();
        for _ in 0..FREE_BY_USER {
            assert_eq!(guess(&damping, from(1), "u", false), Duration::ZERO);
        }
        assert_eq!(guess(&damping, from(1), "u", false), WAIT_MIN);
        assert_eq!(guess(&damping, from(1), "u", false), WAIT_MIN * 2);
        // Others, and the same user from elsewhere, do not wait.
        assert_eq!(guess(&damping, from(1), "v", true), Duration::ZERO);
        assert_eq!(guess(&damping, from(2), "u", true), Duration::ZERO);
        for _ in 0..20 {
            guess(&damping, from(1), "u", false);
        }
        assert_eq!(guess(&damping, from(1), "u", true), WAIT_MAX);
        assert_eq!(guess(&damping, from(1), "u", false), Duration::ZERO);
    }

    #[test]
    fn many_users_from_one_address_count_together() {
        let damping = Damping::default();
        for n in 0..FREE_BY_ADDRESS {
            assert_eq!(
                guess(&damping, from(1), &format!("u{n}"), false),
                Duration::ZERO
            );
        }
        assert_eq!(guess(&damping, from(1), "other", false), WAIT_MIN);
        assert_eq!(guess(&damping, None, "other", false), Duration::ZERO);
    }

    #[test]
    fn only_some_wait_at_a_time() {
        let damping = Damping::default();
        for _ in 0..FREE_BY_USER {
            guess(&damping, from(1), "u", false);
        }
        let mut waiting: Vec<Turn<'_>> = (0..WAITING_MAX)
            .map(|_| damping.turn(from(1), "u").unwrap())
            .collect();
        assert!(damping.turn(from(1), "u").is_err());
        waiting.pop();
        assert!(damping.turn(from(1), "u").is_ok());
    }

    #[test]
    fn guesses_are_forgotten_and_so_are_the_oldest_of_too_many() {
        let now = Instant::now();
        let known = Guesses {
            wrong: 16,
            waiting: 0,
            last: now,
        };
        assert_eq!(known.counted(now + HALVED_AFTER * 2), 4);
        assert_eq!(known.counted(now + HALVED_AFTER * 64), 0);
        let damping = Damping::default();
        for n in 0..ENTRIES_MAX + 10 {
            guess(&damping, from(1), &n.to_string(), false);
        }
        assert!(damping.0.lock().len() <= ENTRIES_MAX);
    }
}
