//! A process that is ended by its id when its owner goes.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::{Result, fail};

/// Ids of processes that were started and have not been seen to end.
static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// Ends what still runs when a run is over: processes whose owner hangs.
pub fn end_leftovers() {
    for pid in RUNNING.lock().unwrap_or_else(|e| e.into_inner()).drain(..) {
        send_signal(pid, "TERM");
    }
}

fn send_signal(pid: u32, name: &str) {
    let _ = Command::new("kill")
        .arg(format!("-{name}"))
        .arg(pid.to_string())
        .stderr(Stdio::null())
        .status();
}

/// A child process; dropping it stops it.
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts a command with its output in a file.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let out = std::fs::File::create(log)?;
        let err = out.try_clone()?;
        let started = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn();
        match started {
            Ok(child) => {
                RUNNING
                    .lock()
                    .unwrap_or_else(|e| e.into_inner())
                    .push(child.id());
                Ok(Self { child })
            }
            Err(e) => fail(format!("start {:?}: {e}", command.get_program())),
        }
    }
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
    /// Sends a signal by name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        send_signal(self.pid(), name);
    }
    /// The exit code if it has ended.
    pub fn exited(&mut self) -> Option<i32> {
        self.child
            .try_wait()
            .ok()
            .flatten()
            .map(|s| s.code().unwrap_or(-1))
    }
    /// Waits for its end; the exit code.
    pub fn wait(&mut self, limit: Duration) -> Result<i32> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(code) = self.exited() {
                return Ok(code);
            }
            if Instant::now() > deadline {
                return fail(format!("process {} still runs after {limit:?}", self.pid()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Process {
    /// Ends it: SIGTERM, and SIGKILL if it does not heed that.
    pub fn stop(&mut self) {
        if self.exited().is_some() {
            return;
        }
        self.signal("TERM");
        if self.wait(Duration::from_secs(15)).is_err() {
            let _ = self.child.kill();
            let _ = self.wait(Duration::from_secs(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}
