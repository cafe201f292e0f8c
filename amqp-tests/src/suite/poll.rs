//! Waiting for what another process does in its own time.

use std::time::{Duration, Instant};

use super::{Result, fail};

/// Asks again every 50 ms until it holds; fails after `limit` with the last
/// answer's reason.
pub fn eventually<T>(limit: Duration, mut ask: impl FnMut() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        match ask() {
            Ok(value) => return Ok(value),
            Err(e) if Instant::now() > deadline => {
                return fail(format!("not within {limit:?}: {e}"));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}
