//! Ports for brokers: none is handed out twice, so a broker that is restarted finds its own free
//! again, and none is of those that the system gives to outgoing connections.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::TcpListener;
use std::sync::Mutex;

use super::{Result, fail};

/// Ports that this process has handed out.
static GIVEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);

/// Below this are the ports that services are known by.
const FIRST: u16 = 16_000;

/// A free port.
pub fn free_port() -> Result<u16> {
    Ok(free_ports(1)?[0])
}

/// Several distinct free ports.
pub fn free_ports(count: usize) -> Result<Vec<u16>> {
    let mut given = GIVEN.lock().unwrap_or_else(|e| e.into_inner());
    let given = given.get_or_insert_default();
    let end = outgoing_from().filter(|low| *low > FIRST + 4_000);
    let mut found = Vec::with_capacity(count);
    for _ in 0..50_000 {
        if found.len() == count {
            break;
        }
        let port = match end {
            // A place of chance, so that runs beside each other rarely meet.
            Some(end) => {
                let chance = RandomState::new().hash_one(found.len());
                FIRST + (chance % u64::from(end - FIRST)) as u16
            }
            None => 0,
        };
        // On every address: that is how brokers listen.
        let Ok(listener) = TcpListener::bind(("0.0.0.0", port)) else {
            continue;
        };
        let port = listener.local_addr()?.port();
        if given.insert(port) {
            found.push(port);
        }
    }
    if found.len() < count {
        return fail("no free port");
    }
    Ok(found)
}

/// The first of the ports that the system gives to outgoing connections, where it says so.
fn outgoing_from() -> Option<u16> {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    range.split_whitespace().next()?.parse().ok()
}
