//! The loop of the live view: reads, draws, listens to the keyboard.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers, poll, read};
use serde_json::Value;

use super::snapshot::Snapshot;
use super::view;
use crate::client::path;
use crate::context::Context;
use crate::failure::Failure;
use crate::spec::{Answer, Group, Opt, Spec, Takes};

/// Queues that are asked for: more than a screen has lines.
const QUEUES: usize = 100;

/// The commands of this file.
pub const COMMANDS: &[Spec] = &[Spec::new(
    "top",
    Group::Monitoring,
    "Shows rates and the queues that hurt, live",
    top,
)
.takes("[--interval <seconds>] [--once]", 0, 0)
.options(&[
    Opt::value(
        "interval",
        Takes::Integer,
        "seconds between two looks, 2 unless said",
    ),
    Opt::flag("once", "one look, as text"),
])];

/// What the queues are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Messages,
    Incoming,
    Unacked,
    Name,
}

impl Order {
    fn query(self) -> &'static str {
        match self {
            Self::Messages => "sort=messages&sort_reverse=true",
            Self::Incoming => "sort=message_stats.publish_details.rate&sort_reverse=true",
            Self::Unacked => "sort=messages_unacknowledged&sort_reverse=true",
            Self::Name => "sort=name",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Incoming => "incoming messages a second",
            Self::Unacked => "unacknowledged messages",
            Self::Name => "name",
        }
    }

    fn of(key: char) -> Option<Self> {
        Some(match key {
            'm' => Self::Messages,
            'i' => Self::Incoming,
            'u' => Self::Unacked,
            'n' => Self::Name,
            _ => return None,
        })
    }
}

fn look(context: &Context, order: Order) -> Result<Snapshot, Failure> {
    let node = context.node()?;
    let overview = context.read("/api/overview")?;
    let node = context.read(&path(&["nodes", &node]))?;
    let page = context.read(&format!(
        "/api/queues?page=1&page_size={QUEUES}&{}",
        order.query()
    ))?;
    let queues = page.get("items").and_then(Value::as_array);
    let none = Vec::new();
    Ok(Snapshot::of(&overview, &node, queues.unwrap_or(&none)))
}

fn top(context: &Context) -> Result<Answer, Failure> {
    if context.flag("once") || !std::io::stdout().is_terminal() {
        return Ok(Answer::Raw(as_text(&look(context, Order::Messages)?)));
    }
    let seconds = context
        .option("interval")
        .and_then(|text| text.parse().ok());
    let every = Duration::from_secs(seconds.unwrap_or(2).clamp(1, 3600));
    let mut terminal = ratatui::try_init()?;
    let shown = show(context, &mut terminal, every);
    ratatui::restore();
    shown.map(|()| Answer::Written)
}

fn show(
    context: &Context,
    terminal: &mut ratatui::DefaultTerminal,
    every: Duration,
) -> Result<(), Failure> {
    let mut order = Order::Messages;
    loop {
        // Each look has the command's whole time.
        context.begin_anew();
        let snapshot = look(context, order)?;
        terminal.draw(|frame| view::draw(frame, &snapshot, order.name()))?;
        let next = Instant::now() + every;
        while let Some(rest) = next.checked_duration_since(Instant::now()) {
            if !poll(rest)? {
                break;
            }
            match read()? {
                Event::Key(key) if key.kind == KeyEventKind::Press => match key.code {
                    KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                        return Ok(());
                    }
                    KeyCode::Char('q') | KeyCode::Esc => return Ok(()),
                    KeyCode::Char(letter) => {
                        if let Some(chosen) = Order::of(letter) {
                            order = chosen;
                            break;
                        }
                    }
                    _ => {}
                },
                Event::Resize(..) => break,
                _ => {}
            }
        }
    }
}

/// The same for a pipe.
fn as_text(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    for line in view::summary(snapshot) {
        text.push_str(&format!("{line}\n"));
    }
    text.push_str("vhost queue\tready\tunacked\tconsumers\tin/s\tout/s\tack/s\ttrouble\n");
    for queue in &snapshot.queues {
        let [incoming, outgoing, acknowledged] = queue.rates;
        text.push_str(&format!(
            "{}\t{}\t{}\t{}\t{incoming:.0}\t{outgoing:.0}\t{acknowledged:.0}\t{}\n",
            queue.name,
            queue.ready,
            queue.unacked,
            queue.consumers,
            queue.trouble()
        ));
    }
    text
}
