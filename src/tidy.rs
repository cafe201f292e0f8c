//! Reads every source file and fails where one breaks a rule of `src/ARCHITECTURE.md`: imports point
//! down, the pure folders know no runtime, files, sockets, clocks or dice, files stay small.

use std::fs;
use std::path::{Path, PathBuf};

/// Layers, bottom to top. What stands in one line does not import each other, but for
/// [`SIBLINGS`].
const LAYERS: &[&[&str]] = &[
    &["limits", "ids", "time"],
    &["amqp", "config"],
    &[
        "message",
        "exchange",
        "auth",
        "queue",
        "channel",
        "connection",
        "definitions",
    ],
    &["store", "logs"],
    &["broker"],
    &["server", "management"],
    &["node"],
];

/// Who may import whom of the same layer.
const SIBLINGS: &[(&str, &str)] = &[
    ("queue", "message"),
    ("channel", "message"),
    ("channel", "queue"),
    ("definitions", "auth"),
];

/// Files that import what is above them, and why.
const LOOKS_UP: &[(&str, &[&str], &str)] = &[
    (
        "queue/tests/disk.rs",
        &["store", "broker"],
        "reads back what a queue had the log told",
    ),
    (
        "queue/tests/found.rs",
        &["store", "logs"],
        "tells the log what a queue would have",
    ),
];

/// The configuration is for the start; of the core only this file reads a part of it.
const READS_CONFIG: &str = "auth/certificate.rs";

const PURE: &[&str] = &[
    "amqp",
    "config",
    "message",
    "exchange",
    "auth",
    "queue",
    "channel",
    "connection",
    "definitions",
];

/// What the pure folders do without, and why.
const IMPURE: &[(&str, &str)] = &[
    ("tokio", "a runtime"),
    ("mio", "a runtime"),
    ("std::fs", "files"),
    ("std::thread", "threads"),
    ("std::process", "processes"),
    ("TcpStream", "sockets"),
    ("TcpListener", "sockets"),
    ("UdpSocket", "sockets"),
    ("UnixStream", "sockets"),
    ("ToSocketAddrs", "name look-ups"),
    ("Instant::now", "a clock"),
    ("SystemTime", "a clock"),
    ("crate::time", "a clock"),
    ("rand::", "randomness"),
    ("sled::", "a database"),
];

/// Files of pure folders, or folders of them, that may touch the world, what of it, and why.
const EXCEPTIONS: &[(&str, &[&str], &str)] = &[
    (
        "definitions/snapshot.rs",
        &["std::fs"],
        "the snapshot is a file",
    ),
    (
        "definitions/salvage.rs",
        &["std::fs"],
        "reads what is left of that file",
    ),
    (
        "definitions/tables.rs",
        &["sled::", "std::thread"],
        "the one user of sled, whose panics end on threads of their own",
    ),
    (
        "definitions/durable/",
        &["std::fs", "std::thread", "rand::", "sled::"],
        "the copies on disk: moved aside where damaged, followed by a thread, told apart by number",
    ),
    (
        "definitions/tests/",
        &["std::fs", "std::thread", "rand::"],
        "random commands, files to damage",
    ),
];

const LINES_MAX: usize = 800;

/// A `mod.rs` is a door, except for these.
const ROOMS: &[&str] = &[
    "bin/leveret-perf/floor/mod.rs",
    "config/keys/mod.rs",
    "server/session/mod.rs",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every source file: its path below `src`, and its text.
fn sources() -> Vec<(String, String)> {
    let root = root();
    let mut folders = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(&root).unwrap();
                let name = name.to_str().unwrap().replace('\\', "/");
                files.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.sort();
    assert!(files.len() > 100, "the sources were not found");
    files
}

/// Fails with everything that `check` finds wrong.
fn check_all(mut check: impl FnMut(&str, &str) -> Vec<String>) {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        wrong.extend(check(&path, &text));
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// The text with comments, strings and characters blanked; lines stay where they are.
fn code_of(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut code = String::with_capacity(text.len());
    let mut i = 0;
    while i < chars.len() {
        let end = match at(i) {
            '/' if at(i + 1) == '/' => end_of_line(&chars, i),
            '/' if at(i + 1) == '*' => end_of_block(&chars, i),
            'r' if !continues_word(&chars, i) && raw_hashes(&chars, i).is_some() => {
                end_of_raw(&chars, i)
            }
            '"' => end_of_quoted(&chars, i, '"'),
            // A lifetime is none: no second quote follows its first letter.
            '\'' if at(i + 1) == '\\' || at(i + 2) == '\'' => end_of_quoted(&chars, i, '\''),
            _ => {
                code.push(at(i));
                i += 1;
                continue;
            }
        };
        let end = end.min(chars.len());
        code.extend(
            chars[i..end]
                .iter()
                .map(|c| if *c == '\n' { '\n' } else { ' ' }),
        );
        i = end;
    }
    code
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// True when the word goes on to the left; `br` begins a raw string all the same.
fn continues_word(chars: &[char], i: usize) -> bool {
    let before = |n: usize| i.checked_sub(n).map_or('\0', |at| chars[at]);
    is_word(before(1)) && (before(1) != 'b' || is_word(before(2)))
}

fn raw_hashes(chars: &[char], i: usize) -> Option<usize> {
    let hashes = chars[i + 1..].iter().take_while(|c| **c == '#').count();
    (chars.get(i + 1 + hashes) == Some(&'"')).then_some(hashes)
}

fn end_of_line(chars: &[char], i: usize) -> usize {
    let rest = chars[i..].iter().position(|c| *c == '\n');
    rest.map_or(chars.len(), |n| i + n)
}

fn end_of_block(chars: &[char], mut i: usize) -> usize {
    let mut depth = 0;
    while i < chars.len() {
        match (chars[i], chars.get(i + 1)) {
            ('/', Some('*')) => depth += 1,
            ('*', Some('/')) => depth -= 1,
            _ => {
                i += 1;
                continue;
            }
        }
        i += 2;
        if depth == 0 {
            break;
        }
    }
    i
}

fn end_of_raw(chars: &[char], i: usize) -> usize {
    let hashes = raw_hashes(chars, i).unwrap();
    let mut at = i + hashes + 2;
    while at < chars.len() {
        let closing = chars[at + 1..].iter().take_while(|c| **c == '#').count();
        if chars[at] == '"' && closing >= hashes {
            return at + 1 + hashes;
        }
        at += 1;
    }
    at
}

fn end_of_quoted(chars: &[char], i: usize, quote: char) -> usize {
    let mut at = i + 1;
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// Lines, counted from 1, on which `token` stands as a word of its own.
fn lines_with(code: &str, token: &str) -> Vec<usize> {
    let stands = |line: &str| {
        line.match_indices(token).any(|(at, _)| {
            let left = line[..at].chars().next_back();
            let right = line[at + token.len()..].chars().next();
            !left.is_some_and(is_word) && (token.ends_with(':') || !right.is_some_and(is_word))
        })
    };
    let lines = code.lines().zip(1..);
    lines
        .filter(|(line, _)| stands(line))
        .map(|(_, number)| number)
        .collect()
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// The module at the top level that a file belongs to.
fn top_of(path: &str) -> &str {
    let top = path.split('/').next().unwrap_or(path);
    top.strip_suffix(".rs").unwrap_or(top)
}

/// Modules at the top level that the code names, each with its line: by `crate::`, in groups, or
/// by as many `super::` as lead there.
fn imports(path: &str, code: &str) -> Vec<(usize, String)> {
    let module = path.strip_suffix(".rs").unwrap_or(path);
    let module = module.strip_suffix("/mod").unwrap_or(module);
    let ways = [
        "crate::".to_owned(),
        "super::".repeat(module.split('/').count()),
    ];
    let mut found = Vec::new();
    for way in &ways {
        for (at, _) in code.match_indices(way.as_str()) {
            let left = code[..at].chars().next_back();
            if left.is_some_and(|c| is_word(c) || c == ':' || c == '$') {
                continue;
            }
            let line = code[..at].matches('\n').count() + 1;
            let rest = &code[at + way.len()..];
            found.extend(names_in(rest).into_iter().map(|name| (line, name)));
        }
    }
    found
}

/// The first words of a path's rest: one, or those of a group in braces.
fn names_in(rest: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| is_word(*c)).collect::<String>();
    let Some(group) = rest.strip_prefix('{') else {
        return vec![word(rest)];
    };
    let mut names = Vec::new();
    let mut depth = 1;
    let mut fresh = true;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => fresh = true,
            c if depth == 1 && fresh && is_word(c) => {
                names.push(word(&group[at..]));
                fresh = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

fn upward_imports(path: &str, code: &str) -> Vec<String> {
    let top = top_of(path);
    // The binaries and the root see everything.
    let Some(own) = layer_of(top) else {
        return Vec::new();
    };
    let looks_up = |target: &str| {
        let mut all = LOOKS_UP.iter().filter(|(file, ..)| *file == path);
        all.any(|(_, targets, _)| targets.contains(&target))
    };
    let refused = |target: &str| {
        if looks_up(target) {
            return None;
        }
        let theirs = layer_of(target)?;
        let sibling = SIBLINGS.contains(&(top, target));
        if theirs > own {
            Some("is above it")
        } else if theirs == own && target != top && !sibling {
            Some("stands beside it")
        } else if target == "config" && own == 2 && path != READS_CONFIG {
            Some("is read at the start only")
        } else {
            None
        }
    };
    imports(path, code)
        .iter()
        .filter_map(|(line, target)| {
            let why = refused(target)?;
            Some(format!("src/{path}:{line}: uses `{target}`, which {why}"))
        })
        .collect()
}

fn impurities(path: &str, code: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if PURE.contains(&top_of(path)) {
        let excepted = |token: &str| {
            let mut all = EXCEPTIONS
                .iter()
                .filter(|(place, ..)| path.starts_with(place));
            all.any(|(_, tokens, _)| tokens.contains(&token))
        };
        for (token, what) in IMPURE.iter().filter(|(token, _)| !excepted(token)) {
            for line in lines_with(code, token) {
                wrong.push(format!(
                    "src/{path}:{line}: `{token}`: {what} in a pure folder"
                ));
            }
        }
    }
    wrong
}

/// Functions in a door, outside its tests.
fn logic_in_door(path: &str, code: &str) -> Vec<String> {
    if !path.ends_with("/mod.rs") || ROOMS.contains(&path) {
        return Vec::new();
    }
    let end = code.find("#[cfg(test)]\nmod tests {").unwrap_or(code.len());
    lines_with(&code[..end], "fn")
        .into_iter()
        .map(|line| format!("src/{path}:{line}: a function in a mod.rs"))
        .collect()
}

#[test]
fn imports_point_down() {
    check_all(|path, text| upward_imports(path, &code_of(text)));
}

#[test]
fn the_core_is_pure() {
    check_all(|path, text| impurities(path, &code_of(text)));
}

#[test]
fn every_folder_has_its_layer() {
    for (path, _) in sources() {
        let top = top_of(&path);
        let known = layer_of(top).is_some() || ["bin", "main", "lib", "tidy"].contains(&top);
        assert!(known, "src/{path}: `{top}` is in no layer");
    }
}

#[test]
fn files_are_small_and_doors_are_doors() {
    check_all(|path, text| {
        let mut wrong = logic_in_door(path, &code_of(text));
        let lines = text.lines().count();
        if lines > LINES_MAX {
            wrong.push(format!("src/{path}: {lines} lines, {LINES_MAX} at most"));
        }
        wrong
    });
}

#[test]
fn nothing_is_left_for_later() {
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("#[ig", "nore"),
    ];
    check_all(|path, text| {
        let lines = text.lines().zip(1..);
        let marked = lines.filter(|(line, _)| marks.iter().any(|mark| line.contains(mark)));
        marked
            .map(|(line, number)| format!("src/{path}:{number}: {}", line.trim()))
            .collect()
    });
}

#[test]
fn every_script_is_run() {
    let list = fs::read_to_string(root().join("queue/tests/scripts.rs")).unwrap();
    for entry in fs::read_dir(root().join("queue/testdata")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let name = name.strip_suffix(".txt").expect("scripts end with .txt");
        assert!(
            !lines_with(&list, name).is_empty(),
            "src/queue/testdata/{name}.txt is not in src/queue/tests/scripts.rs"
        );
    }
}

#[test]
fn the_rules_find_what_breaks_them() {
    let upward = |path: &str, text: &str| upward_imports(path, &code_of(text)).len();
    assert_eq!(upward("queue/level.rs", "use crate::broker::Broker;"), 1);
    assert_eq!(upward("queue/level.rs", "use crate::message::Chunk;"), 0);
    assert_eq!(upward("message/chunk.rs", "use crate::queue::Queue;"), 1);
    assert_eq!(upward("message/chunk.rs", "/// [`crate::queue::Queue`]"), 0);
    assert_eq!(upward("queue/level.rs", "let s = \"crate::broker\";"), 0);
    assert_eq!(
        upward("queue/level.rs", "use crate::{amqp, server::{self}};"),
        1
    );
    assert_eq!(upward("queue/level.rs", "use super::super::node;"), 1);
    assert_eq!(upward("queue/level.rs", "use super::node;"), 0);
    assert_eq!(upward("queue/mod.rs", "use super::broker;"), 1);
    assert_eq!(upward("auth/user.rs", "use crate::config::Settings;"), 1);
    assert_eq!(
        upward("auth/certificate.rs", "use crate::config::Settings;"),
        0
    );
    assert_eq!(upward("broker/core.rs", "use crate::config::Settings;"), 0);
    assert_eq!(upward("server/driver.rs", "use crate::node::start;"), 1);

    let impure = |text: &str| impurities("queue/level.rs", &code_of(text)).len();
    assert_eq!(impure("let now = std::time::Instant::now();"), 1);
    assert_eq!(impure("use tokio::spawn;"), 1);
    assert_eq!(impure("// no tokio\nlet operand = operand::new();"), 0);
    assert_eq!(impure("let c = '\"'; rand::random(); let d = '\"';"), 1);
    assert_eq!(impure("fn f<'a>(x: &'a str) { r#\"\"tokio\"# }"), 0);

    let door = |text: &str| logic_in_door("queue/mod.rs", &code_of(text)).len();
    assert_eq!(door("pub mod x;\npub fn f() {}"), 1);
    assert_eq!(
        door("pub mod x;\n#[cfg(test)]\nmod tests {\n fn f() {}\n}"),
        0
    );
}
