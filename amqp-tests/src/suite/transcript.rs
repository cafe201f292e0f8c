//! Transcripts of the operator's tool: commands with their exit status and what they wrote, as
//! RabbitMQ's `rabbitmqctl` answered. The same file is replayed on either product.
//!
//! ```text
//! # a remark
//! @ queue held x-max-length=10     what a client does meanwhile, see `scenarios::cli`
//! % rabbitmq-diagnostics           which of RabbitMQ's tools has the commands from here on
//! $ add_user alice pw              a command; words in single quotes may hold spaces, and AMQP's
//!                                  port stands as {amqp}
//! = 0                              its exit status
//! | Adding user "alice" ...        a line on standard output
//! ! Error:                         a line on standard error
//! $? status                        only banner and headings are compared
//! ~ why it differs                 from here on what Leveret is expected to answer instead
//! ```
//!
//! What differs from run to run is replaced before comparing: names of the tool and the node,
//! processes, ports of this test. Rows of lists have no order.

use super::broker::CliRun;
use super::{Result, fail};

/// What a command answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// Exit status.
    pub code: i32,
    /// Lines on standard output.
    pub out: Vec<String>,
    /// Lines on standard error.
    pub err: Vec<String>,
}

/// A step of a transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// What a client does.
    Client(Vec<String>),
    /// The tool of RabbitMQ's that is used from here on.
    Tool(String),
    /// A command.
    Command {
        /// Its words.
        words: Vec<String>,
        /// Only banner and headings count.
        headings: bool,
        /// RabbitMQ's answer.
        rabbit: Reply,
        /// Leveret's, where it differs.
        leveret: Option<Reply>,
    },
}

/// Reads a transcript.
pub fn parse(text: &str) -> Result<Vec<Step>> {
    let mut steps: Vec<Step> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
        match mark {
            "" | "#" => {}
            "%" => steps.push(Step::Tool(rest.to_string())),
            "@" => steps.push(Step::Client(words(rest))),
            "$" | "$?" => steps.push(Step::Command {
                words: words(rest),
                headings: mark == "$?",
                rabbit: Reply::default(),
                leveret: None,
            }),
            _ => {
                let Some(Step::Command {
                    rabbit, leveret, ..
                }) = steps.last_mut()
                else {
                    return fail(format!("line {}: an answer without a command", at + 1));
                };
                let reply = leveret.as_mut().unwrap_or(rabbit);
                match mark {
                    "=" => match rest.parse() {
                        Ok(code) => reply.code = code,
                        Err(_) => return fail(format!("line {}: no exit status", at + 1)),
                    },
                    "|" => reply.out.push(rest.to_string()),
                    "!" => reply.err.push(rest.to_string()),
                    "~" => *leveret = Some(Reply::default()),
                    _ => return fail(format!("line {}: unknown mark {mark:?}", at + 1)),
                }
            }
        }
    }
    Ok(steps)
}

/// Words as a shell takes them apart, with single quotes only.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut quoted, mut begun) = (false, false);
    for c in line.chars() {
        match c {
            '\'' => {
                quoted = !quoted;
                begun = true;
            }
            ' ' if !quoted => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            c => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
}

/// What a tool answered, comparable: without what the test put before the command's own words,
/// without the node's name and its ports.
pub fn comparable(run: &CliRun, headings: bool) -> Reply {
    let lines = |octets: &[u8]| {
        let mut text = String::from_utf8_lossy(octets).replace(&run.given, "");
        for port in &run.ports {
            text = without_port(&text, *port);
        }
        lines_of(&text, &run.node, headings)
    };
    Reply {
        code: run.output.status.code().unwrap_or(-1),
        out: lines(&run.output.stdout),
        err: lines(&run.output.stderr),
    }
}

/// A port of the node, where it stands as a number of its own, becomes `PORT`. Behind an address
/// it is left to what replaces the address as well.
fn without_port(text: &str, port: u16) -> String {
    let port = port.to_string();
    let mut parts = text.split(port.as_str());
    let mut clean = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let before = clean.chars().next_back();
        let alone = !before.is_some_and(|c| c.is_ascii_digit() || c == ':' && is_address(&clean))
            && !part.starts_with(|c: char| c.is_ascii_digit());
        clean.push_str(if alone { "PORT" } else { &port });
        clean.push_str(part);
    }
    clean
}

fn is_address(text: &str) -> bool {
    text.ends_with("127.0.0.1:")
}

fn lines_of(text: &str, node: &str, headings: bool) -> Vec<String> {
    let text = plain(text)
        .replace("rabbitmqctl", "CTL")
        .replace("leveretctl", "CTL");
    let text = without_processes(&text).replace(node, "NODE");
    // What follows is each tool's own help.
    let text = text.split("\nUsage\n").next().unwrap_or_default();
    let mut lines: Vec<String> = text
        .trim_end()
        .lines()
        .map(|line| without_ports(line.trim_end()))
        .collect();
    if headings {
        let all = lines.clone();
        let heading = |at: usize| {
            let empty = |at: usize| all.get(at).is_none_or(String::is_empty);
            at == 0 || (at == 1 || empty(at - 1)) && empty(at + 1) && !all[at].contains("(none)")
        };
        lines = (0..all.len())
            .filter(|&at| heading(at) && !all[at].is_empty())
            .map(|at| all[at].clone())
            .collect();
    }
    lines
}

/// Without the escapes of a terminal.
fn plain(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_string();
    for part in parts {
        plain.push_str(part.split_once('m').map_or("", |(_, rest)| rest));
    }
    plain
}

/// Names of processes, `<node@host.1.2.3>`, become `<PID>`.
fn without_processes(text: &str) -> String {
    let mut parts = text.split('<');
    let mut clean = parts.next().unwrap_or_default().to_string();
    for part in parts {
        match part.split_once('>') {
            Some((inner, rest)) if inner.contains('@') && !inner.contains([' ', '\n', '"']) => {
                clean.push_str("<PID>");
                clean.push_str(rest);
            }
            _ => {
                clean.push('<');
                clean.push_str(part);
            }
        }
    }
    clean
}

/// Addresses of this test become `HOST:PORT`.
fn without_ports(line: &str) -> String {
    let mut parts = line.split("127.0.0.1:");
    let mut clean = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        clean.push_str("HOST:PORT");
        clean.push_str(rest);
    }
    clean
}

/// Whether two answers are the same but for the order of rows.
pub fn same(expected: &Reply, found: &Reply, words: &[String], headings: bool) -> bool {
    if headings {
        // A product may say more than the other.
        let mut found_lines = found.out.iter();
        return expected.code == found.code
            && expected
                .out
                .iter()
                .all(|line| found_lines.any(|other| other == line));
    }
    expected.code == found.code
        && expected.err == found.err
        && sorted(&expected.out, words) == sorted(&found.out, words)
}

/// Banners and the header first, then the rows by their text.
fn sorted(lines: &[String], words: &[String]) -> Vec<String> {
    let banners = lines
        .iter()
        .take_while(|line| line.ends_with("...") || line.as_str() == "[")
        .count();
    let mut lines: Vec<String> = lines
        .iter()
        .map(|line| line.strip_prefix(',').unwrap_or(line).to_string())
        .collect();
    let bare = ["-s", "--silent", "--no-table-headers"];
    let header = !words.iter().any(|word| bare.contains(&word.as_str()))
        && lines
            .get(banners)
            .is_some_and(|line| !line.starts_with(['{', '[']));
    let rows = lines.len().min(banners + usize::from(header));
    lines[rows..].sort();
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transcripts_are_read() {
        let text = "# x\n@ client\n% rabbitmq-diagnostics\n$ add_user 'a b' ''\n= 70\n| Adding ...\n! Error:\n~ ours\n= 0\n";
        let steps = parse(text).unwrap();
        assert_eq!(steps[0], Step::Client(vec!["client".into()]));
        assert_eq!(steps[1], Step::Tool("rabbitmq-diagnostics".into()));
        let Step::Command {
            words,
            rabbit,
            leveret,
            ..
        } = &steps[2]
        else {
            panic!("no command");
        };
        assert_eq!(words, &["add_user", "a b", ""]);
        assert_eq!((rabbit.code, rabbit.err.len()), (70, 1));
        assert_eq!(leveret, &Some(Reply::default()));
        assert!(parse("= 0").is_err());
    }

    #[test]
    fn what_differs_from_run_to_run_is_replaced() {
        let text = "\u{1b}[1mRuntime\u{1b}[0m\nx <a@b.1.2.3> 127.0.0.1:99 -> 127.0.0.1:5672\n";
        assert_eq!(
            lines_of(text, "a@b", false),
            ["Runtime", "x <PID> HOST:PORT -> HOST:PORT"]
        );
        let text = "Error <x>: no\n\nUsage\n\nrabbitmqctl";
        assert_eq!(lines_of(text, "a@b", false), ["Error <x>: no"]);
        let text = "Status of node a@b ...\nRuntime\n\nOS PID: 1\nUptime (seconds): 3\n\nAlarms\n\n(none)\n";
        assert_eq!(
            lines_of(text, "a@b", true),
            ["Status of node NODE ...", "Runtime", "Alarms"]
        );
    }

    #[test]
    fn ports_are_replaced_where_they_stand_alone() {
        let text = "ports 56, 156, 56 on 127.0.0.1:56\n\"port\":56}";
        assert_eq!(
            without_port(text, 56),
            "ports PORT, 156, PORT on 127.0.0.1:56\n\"port\":PORT}"
        );
    }

    #[test]
    fn rows_have_no_order_and_headers_have() {
        let reply = |lines: &[&str]| Reply {
            out: lines.iter().map(|line| line.to_string()).collect(),
            ..Reply::default()
        };
        let one = reply(&["Listing ...", "name", "a", "b"]);
        let other = reply(&["Listing ...", "name", "b", "a"]);
        assert!(same(&one, &other, &[], false));
        let other = reply(&["Listing ...", "a", "b", "name"]);
        assert!(!same(&one, &other, &[], false));
        let other = reply(&["Listing ...", "a", "b", "name"]);
        assert!(same(&one, &other, &["-s".into()], false));
        let one = reply(&["[", "{1}", ",{2}", "]"]);
        assert!(same(&one, &reply(&["[", "{2}", ",{1}", "]"]), &[], false));
    }
}
