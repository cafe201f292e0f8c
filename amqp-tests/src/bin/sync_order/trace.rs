//! Reads what `strace -f -yy -xx` wrote: writes to files and to TCP sockets,
//! and syncs of files, each with the places in the trace where it began and
//! where it had ended.
//!
//! A call that another thread interrupted stands in two lines:
//!
//! ```text
//! 7 fdatasync(5</data/log/0000000001.log> <unfinished ...>
//! 8 sendto(9<TCP:[127.0.0.1:5672->127.0.0.1:4000]>, "\x01", 1, 0, NULL, 0) = 1
//! 7 <... fdatasync resumed>) = 0
//! ```

use std::collections::HashMap;

/// What a call worked on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Object {
    /// A file, by its path.
    File(String),
    /// A TCP connection, by its two addresses.
    Socket(String),
}

/// One write or sync that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The line where it began.
    pub begun: usize,
    /// The line where it had ended.
    pub ended: usize,
    /// Its file or connection.
    pub object: Object,
    /// The octets written; `None` for a sync.
    pub written: Option<Vec<u8>>,
}

/// The calls of a trace, in the order of their beginnings. Calls that failed or
/// never ended are left out, and so is everything on other objects.
pub fn read(trace: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut open: HashMap<(&str, &str), (usize, &str)> = HashMap::new();
    for (at, line) in trace.lines().enumerate() {
        let Some((pid, rest)) = line.split_once(' ') else {
            continue;
        };
        let rest = rest.trim_start();
        if let Some(rest) = rest.strip_prefix("<... ") {
            let Some((name, end)) = rest.split_once(" resumed>") else {
                continue;
            };
            if let Some((begun, arguments)) = open.remove(&(pid, name)) {
                calls.extend(call(begun, at, name, arguments, end));
            }
            continue;
        }
        let Some((name, arguments)) = rest.split_once('(') else {
            continue;
        };
        match arguments.strip_suffix("<unfinished ...>") {
            Some(arguments) => drop(open.insert((pid, name), (at, arguments))),
            None => calls.extend(call(at, at, name, arguments, arguments)),
        }
    }
    calls.sort_by_key(|call| call.begun);
    calls
}

fn call(begun: usize, ended: usize, name: &str, arguments: &str, end: &str) -> Option<Call> {
    let (_, result) = end.rsplit_once(" = ")?;
    let result: usize = result.split_whitespace().next()?.parse().ok()?;
    let object = object(arguments)?;
    let written = match name {
        "fsync" | "fdatasync" => None,
        "write" | "writev" | "pwrite64" | "pwritev" | "pwritev2" | "sendto" | "sendmsg" => {
            let mut octets = strings(arguments);
            // Less than what was offered may have been taken.
            octets.truncate(result);
            Some(octets)
        }
        _ => return None,
    };
    Some(Call {
        begun,
        ended,
        object,
        written,
    })
}

/// The file or connection of `5</path>, ...`.
fn object(arguments: &str) -> Option<Object> {
    let (_, rest) = arguments.split_once('<')?;
    let ends = [">,", ">)", "> "].map(|end| rest.find(end));
    let end = ends.into_iter().flatten().min()?;
    let name = rest.get(..end)?;
    if name.starts_with("TCP") {
        return Some(Object::Socket(name.into()));
    }
    let path = if name.starts_with("\\x") {
        String::from_utf8_lossy(&octets(name)).into_owned()
    } else {
        name.to_string()
    };
    let is_file = path.starts_with('/') && !path.starts_with("/dev/");
    is_file.then_some(Object::File(path))
}

/// All quoted strings of the arguments, one after the other.
fn strings(arguments: &str) -> Vec<u8> {
    arguments
        .split('"')
        .skip(1)
        .step_by(2)
        .flat_map(octets)
        .collect()
}

/// Octets written as `\x41\x42`.
fn octets(text: &str) -> Vec<u8> {
    text.split("\\x")
        .filter_map(|hex| u8::from_str_radix(hex.get(..2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = r#"7 pwritev(5<\x2f\x61>, [{iov_base="\x01\x02", iov_len=2}, {iov_base="\x03", iov_len=1}], 2, 40) = 2
7 fdatasync(5<\x2f\x61> <unfinished ...>
8 sendto(9<TCP:[127.0.0.1:1->127.0.0.1:2]>, "\x22\x41", 2, MSG_NOSIGNAL, NULL, 0) = 2
7 <... fdatasync resumed>) = 0
9 write(2<pipe:[77]>, "\x01", 1) = 1
9 fdatasync(5<\x2f\x61>) = -1 EIO (Input/output error)
9 +++ exited with 0 +++
9 fsync(6</plain/path> <unfinished ...>
"#;

    #[test]
    fn calls_are_read_with_their_places_and_octets() {
        let calls = read(TRACE);
        let file = || Object::File("/a".into());
        let expected = [
            (0, 0, file(), Some(vec![1, 2])),
            (1, 3, file(), None),
            (
                2,
                2,
                Object::Socket("TCP:[127.0.0.1:1->127.0.0.1:2]".into()),
                Some(vec![0x22, 0x41]),
            ),
        ];
        let got: Vec<_> = calls
            .into_iter()
            .map(|c| (c.begun, c.ended, c.object, c.written))
            .collect();
        assert_eq!(got, expected);
    }
}
