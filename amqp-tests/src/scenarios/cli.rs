//! The operator's tool: transcripts of `rabbitmqctl`, replayed on either product's tool against a
//! broker of its own.

use std::time::Instant;

use crate::prelude::*;
use crate::suite::transcript::{Reply, Step, comparable, parse, same};

/// Each transcript begins on an empty broker.
const SECONDS: u64 = 300;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "cli.users",
        "users on the command line: output, errors, exit status",
        "rabbitmqctl(8)",
        |ctx| replay(ctx, include_str!("../../cli/users.txt")),
    )
    .seconds(SECONDS),
    Scenario::new(
        "cli.access",
        "permissions on the command line",
        "rabbitmqctl(8)",
        |ctx| replay(ctx, include_str!("../../cli/access.txt")),
    )
    .seconds(SECONDS),
    Scenario::new(
        "cli.vhosts",
        "virtual hosts, limits and tracing on the command line",
        "rabbitmqctl(8)",
        |ctx| replay(ctx, include_str!("../../cli/vhosts.txt")),
    )
    .seconds(SECONDS),
    Scenario::new(
        "cli.policies",
        "policies and parameters on the command line",
        "rabbitmqctl(8)",
        |ctx| replay(ctx, include_str!("../../cli/policies.txt")),
    )
    .seconds(SECONDS),
    Scenario::new(
        "cli.lists",
        "lists of what a broker holds while a client works",
        "rabbitmqctl(8)",
        |ctx| replay(ctx, include_str!("../../cli/lists.txt")),
    )
    .seconds(SECONDS),
    Scenario::new(
        "cli.node",
        "waiting, status, settings and help",
        "rabbitmqctl(8)",
        |ctx| replay(ctx, include_str!("../../cli/node.txt")),
    )
    .seconds(SECONDS),
    Scenario::new(
        "cli.checks",
        "health checks and single facts of a node",
        "rabbitmq-diagnostics(8)",
        |ctx| replay(ctx, include_str!("../../cli/checks.txt")),
    )
    .seconds(SECONDS),
    Scenario::new(
        "cli.application",
        "stopping, resetting and starting the broker within its process",
        "rabbitmqctl(8)",
        |ctx| replay(ctx, include_str!("../../cli/application.txt")),
    )
    .seconds(SECONDS),
];

/// Replays a transcript; every difference is told.
fn replay(ctx: &mut Ctx, text: &str) -> Result {
    let broker = ctx.private_own("", "")?;
    let mut client: Option<Channel> = None;
    let mut tool = "rabbitmqctl".to_string();
    let mut differences = Vec::new();
    for step in parse(text)? {
        match step {
            Step::Client(words) => act(&broker, &mut client, &words)?,
            Step::Tool(name) => tool = name,
            Step::Command {
                words,
                headings,
                rabbit,
                leveret,
            } => {
                let expected = match ctx.is_rabbit() {
                    true => rabbit,
                    false => leveret.unwrap_or(rabbit),
                };
                let port = broker.url.port.to_string();
                let words: Vec<String> = words.iter().map(|w| w.replace("{amqp}", &port)).collect();
                let run = broker.cli(&tool, &words)?;
                let found = comparable(&run, headings);
                if !same(&expected, &found, &words, headings) {
                    differences.push(told(&words, &expected, &found));
                }
            }
        }
    }
    check!(
        differences.is_empty(),
        "{} commands answered otherwise:\n{}",
        differences.len(),
        differences.join("\n")
    );
    Ok(())
}

fn told(words: &[String], expected: &Reply, found: &Reply) -> String {
    let shown = |reply: &Reply| {
        let mut lines = vec![format!("  = {}", reply.code)];
        lines.extend(reply.out.iter().map(|line| format!("  | {line}")));
        lines.extend(reply.err.iter().map(|line| format!("  ! {line}")));
        lines.join("\n")
    };
    format!(
        "$ {}\n expected\n{}\n found\n{}",
        words.join(" "),
        shown(expected),
        shown(found)
    )
}

/// Waits until the node has raised an alarm.
fn await_alarm(broker: &Broker) -> Result {
    let words = ["-q", "check_local_alarms"].map(String::from);
    let deadline = Instant::now() + Duration::from_secs(60);
    while broker
        .cli("rabbitmq-diagnostics", &words)?
        .output
        .status
        .success()
    {
        if Instant::now() > deadline {
            return fail("no alarm within a minute");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// What a client does between commands.
fn act(broker: &Broker, client: &mut Option<Channel>, words: &[String]) -> Result {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if words == ["client"] {
        let options = Options {
            properties: Table::new().with("connection_name", "cli-test"),
            channel_max: Some(100),
            frame_max: Some(131_072),
            ..Options::default()
        };
        *client = Some(Conn::open_with(&broker.url, &options)?.channel(1)?);
        return Ok(());
    }
    if words == ["alarm"] {
        return await_alarm(broker);
    }
    let Some(ch) = client else {
        return fail("no client yet");
    };
    match words.as_slice() {
        ["persist", queue, count] => {
            ch.confirm_select()?;
            let count = count.parse().unwrap_or(0);
            for _ in 0..count {
                let message = Publish::to_queue(queue).body("kept");
                ch.publish_with(&message.props(Props::new().delivery_mode(2)))?;
            }
            ch.confirms(1, count)?;
        }
        ["closed"] => {
            ch.conn.expect_close(
                320,
                (0, 0),
                "broker forced connection closure with reason 'shutdown'",
            )?;
            *client = None;
        }
        ["queue", name, arguments @ ..] => {
            let mut queue = Queue::new(name).durable();
            for argument in arguments {
                let (key, value) = argument.split_once('=').unwrap_or((argument, "0"));
                queue = queue.arg(key, value.parse::<i32>().unwrap_or(0));
            }
            ch.declare_with(queue)?;
        }
        ["consume", queue, tag, prefetch, priority] => {
            ch.qos(prefetch.parse().unwrap_or(0))?;
            let priority = priority.parse::<i32>().unwrap_or(0);
            ch.consume_with(Consume::new(queue).tag(tag).arg("x-priority", priority))?;
        }
        ["publish", queue, count] => {
            for _ in 0..count.parse().unwrap_or(0) {
                ch.publish("", queue, "hello")?;
            }
            // A round trip: all of them are with the queue.
            ch.depth(queue)?;
        }
        ["delivered", count] => {
            ch.deliveries(count.parse().unwrap_or(0))?;
        }
        other => return fail(format!("a client cannot {other:?}")),
    }
    Ok(())
}
