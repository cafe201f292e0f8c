//! Targets of the files that an operator writes.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use leveret::broker::{Broker, Options};
use leveret::config::{Files, Request, load};
use leveret::definitions::import::{ERRORS_MAX, Target, parse};
use leveret::queue::QueueKind;

/// Files in memory.
struct InMemory(BTreeMap<PathBuf, String>);

impl Files for InMemory {
    fn read(&self, path: &Path) -> io::Result<String> {
        let text = self.0.get(path).cloned();
        text.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let inside = self.0.keys().filter(|path| path.parent() == Some(folder));
        Ok(inside.cloned().collect())
    }
}

/// A configuration loads, or says what is wrong; loading it again gives the same. The input's
/// parts, between octets 0, are the file, a file of conf.d, the environment and `--set`.
pub fn config(data: &[u8]) {
    let parts: Vec<String> = data
        .splitn(4, |octet| *octet == 0)
        .map(|part| String::from_utf8_lossy(part).into_owned())
        .collect();
    let part = |at: usize| parts.get(at).map_or("", String::as_str);
    let files = InMemory(BTreeMap::from([
        (PathBuf::from("/etc/leveret.conf"), part(0).to_owned()),
        (PathBuf::from("/etc/conf.d/10.conf"), part(1).to_owned()),
    ]));
    let environment = part(2)
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let request = Request {
        file: Some("/etc/leveret.conf".into()),
        default_file: None,
        conf_d: Some("/etc/conf.d".into()),
        environment,
        set: part(3).lines().map(str::to_owned).collect(),
    };
    match load(&request, &files) {
        Ok(loaded) => {
            assert!(!loaded.files.is_empty());
            for notice in &loaded.notices {
                assert!(!notice.to_string().is_empty());
            }
            let again = load(&request, &files).expect("what loads once loads twice");
            assert_eq!(format!("{loaded:?}"), format!("{again:?}"));
        }
        Err(errors) => {
            assert!(!errors.0.is_empty() && !errors.to_string().is_empty());
            assert_eq!(load(&request, &files).unwrap_err(), errors);
        }
    }
}

/// Definitions import, or the faults are named; what a broker takes once it takes again, for an
/// import merges.
pub fn definitions(data: &[u8]) {
    let Some((&target, text)) = data.split_first() else {
        return;
    };
    let target = match target & 1 {
        0 => Target::Broker { default_vhost: "/" },
        _ => Target::Vhost("/"),
    };
    let text = String::from_utf8_lossy(text);
    let definitions = match parse(&text, target) {
        Ok(definitions) => definitions,
        Err(errors) => {
            assert!(!errors.0.is_empty() && errors.0.len() <= ERRORS_MAX);
            assert!(!errors.to_string().is_empty());
            return;
        }
    };
    let broker = Broker::new(Options {
        max_message_size: 1 << 20,
        memory_limit: u64::MAX,
        consumer_timeout_ms: None,
        hashing: Default::default(),
        default_kind: QueueKind::Classic,
    });
    broker.put_vhost(b"/", None);
    let queues = definitions.queues.len();
    match broker.apply_definitions(definitions.clone(), "fuzzer", &mut |_| {}) {
        Ok(warnings) => {
            let there: usize = broker.vhosts().iter().map(|v| v.all_queues().len()).sum();
            assert!(there <= queues);
            let again = broker.apply_definitions(definitions, "fuzzer", &mut |_| {});
            assert_eq!(again.expect("a second import changes nothing"), warnings);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
