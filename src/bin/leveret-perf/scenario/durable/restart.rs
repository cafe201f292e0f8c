//! A broker that is killed with a backlog and started again: how long until it accepts a
//! connection, and until its queues count every confirmed message.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use super::backlog::Backlog;
use crate::client::Client;
use crate::measurement::Measurement;
use crate::process::{self, CpuSample};
use crate::scenario::Options;
use crate::target::Target;

/// A killed process must be gone within this time.
const END: Duration = Duration::from_secs(30);
/// A broker must be back within this time.
const RETURN: Duration = Duration::from_secs(600);
/// Time between two attempts.
const PAUSE: Duration = Duration::from_millis(5);

/// Fills, kills, starts and waits; needs the command that starts the broker.
pub fn run(name: &str, target: &Target, options: &Options) -> Result<Vec<Measurement>> {
    let command = target.start_cmd.as_deref().context(
        "it is not known how to start the broker: tell it with --start-cmd or --vs-start-cmd",
    )?;
    let mut control = target.connect()?;
    let size = options.durable.deep_size;
    let mut backlog = Backlog::declare(1, size, &mut control, options)?;
    let count = target.scaled(options.durable.deep);
    backlog.fill(count, target)?;
    backlog.wait_until_ready(&mut control)?;
    drop(control);

    kill(target.pid())?;
    let host = process::host_ticks();
    let began = Instant::now();
    let started = start(command)?;
    let mut control = wait_for_login(target, began, started)?;
    let accepted = began.elapsed();
    let ready = wait_for_count(&backlog, &mut control, began);
    let elapsed = began.elapsed();
    let host_busy = process::host_busy_since(host);
    let pid = process::listener_pid(target.url.port)?;
    target.set_pid(pid);
    let resident_kib = process::resident_kib(pid)?;
    let cpu = CpuSample::take(pid)?.total();
    ready?;
    // What comes back is what went in, in order.
    let draining = Instant::now();
    backlog.drain(target, true)?;
    let drained = draining.elapsed();
    backlog.remove(&mut control)?;
    control.close()?;
    let row = Measurement {
        name: name.to_owned(),
        size,
        count,
        seconds: elapsed.as_secs_f64(),
        cpu_us: cpu.as_secs_f64() * 1e6 / count.max(1) as f64,
        broker_cores: cpu.as_secs_f64() / elapsed.as_secs_f64().max(1e-9),
        host_busy,
        resident_kib,
        ..Measurement::default()
    };
    Ok(vec![
        row.note("accepts after", accepted.as_secs_f64(), "s")
            .note("count right after", elapsed.as_secs_f64(), "s")
            .note("drained in", drained.as_secs_f64(), "s"),
    ])
}

/// Ends a process at once and waits until it is gone.
fn kill(pid: u32) -> Result<()> {
    let killed = Command::new("sh")
        .args(["-c", "kill -KILL \"$1\"", "sh", &pid.to_string()])
        .status()
        .context("sending the signal")?;
    if !killed.success() {
        bail!("process {pid} could not be killed");
    }
    let began = Instant::now();
    while process::is_alive(pid) {
        if began.elapsed() > END {
            bail!("process {pid} was killed and does not end");
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// Starts the broker in a process group of its own: it outlives this tool, as it did before.
fn start(command: &str) -> Result<std::process::Child> {
    use std::os::unix::process::CommandExt;
    Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .with_context(|| format!("starting the broker with: {command}"))
}

fn wait_for_login(
    target: &Target,
    began: Instant,
    mut started: std::process::Child,
) -> Result<Client> {
    loop {
        let connected = match process::is_listening(target.url.port) {
            true => target.connect(),
            false => Err(anyhow!("nothing listens on port {}", target.url.port)),
        };
        let why = match connected {
            Ok(client) => return Ok(client),
            Err(why) => why,
        };
        // A command that ends well has left the broker in the background.
        if let Some(status) = started.try_wait()?
            && !status.success()
        {
            bail!("the broker ended at its start with {status}");
        }
        if began.elapsed() > RETURN {
            return Err(why.context("the broker does not come back"));
        }
        thread::sleep(PAUSE);
    }
}

fn wait_for_count(backlog: &Backlog, control: &mut Client, began: Instant) -> Result<()> {
    loop {
        let ready = backlog.ready(control)?;
        if ready == backlog.count {
            return Ok(());
        }
        if ready > backlog.count || began.elapsed() > RETURN {
            bail!(
                "{} messages were confirmed, after the restart the queue holds {ready}",
                backlog.count
            );
        }
        thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::{kill, start};
    use crate::process;

    #[test]
    fn a_killed_process_is_gone_when_the_kill_returns() {
        let mut child = start("exec sleep 60").unwrap();
        assert!(process::is_alive(child.id()));
        kill(child.id()).unwrap();
        assert!(!process::is_alive(child.id()));
        assert!(!child.wait().unwrap().success());
    }
}
