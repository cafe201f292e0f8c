//! How a snapshot looks on a terminal.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Paragraph, Row, Table};

use super::snapshot::{Queue, Snapshot};

/// Draws the whole screen.
pub fn draw(frame: &mut Frame, snapshot: &Snapshot, order: &str) {
    let [head, body, foot] = Layout::vertical([
        Constraint::Length(5),
        Constraint::Min(3),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(Paragraph::new(summary(snapshot)), head);
    frame.render_widget(queues(&snapshot.queues, order), body);
    let keys = "q quit   m messages   i incoming   u unacknowledged   n name";
    frame.render_widget(Paragraph::new(keys), foot);
}

/// The lines above the queues.
pub fn summary(snapshot: &Snapshot) -> Vec<Line<'static>> {
    let [connections, channels, consumers, queues] = snapshot.objects;
    let [ready, unacked] = snapshot.messages;
    let [publish, deliver, ack, redeliver] = snapshot.rates;
    let health = match snapshot.alarms.as_slice() {
        [] => Span::styled("healthy", Style::new().fg(Color::Green)),
        alarms => Span::styled(
            format!("ALARM: {}: publishers are blocked", alarms.join(", ")),
            Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        ),
    };
    let [used, limit] = snapshot.memory;
    let [free, free_limit] = snapshot.disk;
    vec![
        Line::from(vec![
            Span::styled(
                format!("{}  ", snapshot.node),
                Style::new().add_modifier(Modifier::BOLD),
            ),
            health,
        ]),
        Line::from(format!(
            "{connections} connections  {channels} channels  {consumers} consumers  {queues} queues"
        )),
        Line::from(format!(
            "{ready} ready  {unacked} unacknowledged  |  {publish:.0}/s in  {deliver:.0}/s out  \
             {ack:.0}/s acknowledged  {redeliver:.0}/s redelivered"
        )),
        Line::from(format!(
            "memory {} of {}  disk free {} (limit {})",
            octets(used),
            octets(limit),
            octets(free),
            octets(free_limit)
        )),
        Line::from(""),
    ]
}

fn queues(queues: &[Queue], order: &str) -> Table<'static> {
    let header = Row::new([
        "vhost queue",
        "ready",
        "unacked",
        "consumers",
        "in/s",
        "out/s",
        "ack/s",
        "",
    ])
    .style(Style::new().add_modifier(Modifier::BOLD));
    let rows = queues.iter().map(|queue| {
        let [incoming, outgoing, acknowledged] = queue.rates;
        Row::new([
            Cell::from(queue.name.clone()),
            Cell::from(queue.ready.to_string()),
            Cell::from(queue.unacked.to_string()),
            Cell::from(queue.consumers.to_string()),
            Cell::from(format!("{incoming:.0}")),
            Cell::from(format!("{outgoing:.0}")),
            Cell::from(format!("{acknowledged:.0}")),
            Cell::from(queue.trouble()).style(Style::new().fg(Color::Yellow)),
        ])
    });
    let widths = [
        Constraint::Min(20),
        Constraint::Length(11),
        Constraint::Length(9),
        Constraint::Length(10),
        Constraint::Length(9),
        Constraint::Length(9),
        Constraint::Length(9),
        Constraint::Length(12),
    ];
    let title = format!(" queues by {order} ");
    Table::new(rows, widths)
        .header(header)
        .block(Block::bordered().title(title))
}

/// Octets with a unit of powers of 1024.
fn octets(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut unit = "B";
    for next in UNITS {
        unit = next;
        if value < 1024.0 {
            break;
        }
        if next != "TiB" {
            value /= 1024.0;
        }
    }
    format!("{value:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    #[test]
    fn the_screen_names_alarms_and_queues() {
        let snapshot = Snapshot {
            node: "leveret@vm".into(),
            alarms: vec!["memory"],
            rates: [1200.0, 900.0, 890.0, 0.0],
            queues: vec![Queue {
                name: "/ orders".into(),
                ready: 42,
                ..Queue::default()
            }],
            ..Snapshot::default()
        };
        let mut terminal = Terminal::new(TestBackend::new(110, 14)).unwrap();
        terminal
            .draw(|frame| draw(frame, &snapshot, "messages"))
            .unwrap();
        let screen: String = terminal
            .backend()
            .buffer()
            .content()
            .iter()
            .map(|cell| cell.symbol())
            .collect();
        for text in [
            "leveret@vm  ALARM: memory",
            "1200/s in",
            "/ orders",
            "42",
            "no consumer",
            "queues by messages",
        ] {
            assert!(screen.contains(text), "{text} is not in {screen}");
        }
    }

    #[test]
    fn octets_have_units() {
        assert_eq!(octets(0), "0.0 B");
        assert_eq!(octets(1536), "1.5 KiB");
        assert_eq!(octets(10 << 30), "10.0 GiB");
        assert_eq!(octets(u64::MAX), "16777216.0 TiB");
    }
}
