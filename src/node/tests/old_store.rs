//! A data folder that version 1 of every format left behind when it was killed: some of it lies before
//! its checkpoint, some behind. It must be readable for ever.

use std::fs;
use std::path::Path;

use super::stage::{Seen, Stage};

/// Files of the folder, without the zeros they ended with, and their lengths.
const FILES: [(&str, &[u8], usize); 7] = [
    (
        "definitions.snapshot",
        include_bytes!("../testdata/store-1/definitions.snapshot"),
        736,
    ),
    (
        "definitions/conf",
        include_bytes!("../testdata/store-1/definitions/conf"),
        62,
    ),
    (
        "definitions/db",
        include_bytes!("../testdata/store-1/definitions/db"),
        524_287,
    ),
    (
        "definitions/snap.000000000000070B",
        include_bytes!("../testdata/store-1/definitions/snap.000000000000070B"),
        425,
    ),
    (
        "index/checkpoint",
        include_bytes!("../testdata/store-1/index/checkpoint"),
        326,
    ),
    (
        "index/index.pages",
        include_bytes!("../testdata/store-1/index/index.pages"),
        4_096,
    ),
    (
        "log/0000000001.log",
        include_bytes!("../testdata/store-1/log/0000000001.log"),
        1 << 20,
    ),
];

fn restore(folder: &Path) {
    for (name, content, len) in FILES {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut content = content.to_vec();
        content.resize(len, 0);
        fs::write(path, content).unwrap();
    }
}

fn numbered(name: &str, numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
    let name_of = |number| format!("{name} {number}");
    numbers.into_iter().map(name_of).collect()
}

fn check_all(stage: &Stage) {
    let mut plain = numbered("plain", 8..24);
    plain.push("L".repeat(40_000));
    plain.push("tx".to_owned());
    assert_eq!(stage.bodies("plain"), plain, "acknowledged ones are gone");
    assert_eq!(stage.bodies("fan.1"), numbered("fan", 1..5));
    let mut fan = numbered("fan", 0..5);
    fan.push("tx".to_owned());
    assert_eq!(stage.bodies("fan.2"), fan);
    let by_priority = [3, 7, 11, 2, 6, 10, 1, 5, 9, 0, 4, 8];
    assert_eq!(stage.bodies("priority"), numbered("priority", by_priority));
    let mut ttl = numbered("ttl", 0..4);
    ttl.push("ttl own".to_owned());
    assert_eq!(stage.bodies("ttl"), ttl);
    assert_eq!(stage.bodies("source"), numbered("source", 3..5));
    assert_eq!(stage.bodies("dead"), numbered("source", 0..3));
    let quorum = stage.take_all("quorum");
    let moved = quorum.iter().find(|seen| seen.body == "quorum 0");
    assert_eq!(quorum.len(), 3);
    assert!(moved.is_some_and(|seen| seen.redelivered), "{quorum:?}");
    let taken: Vec<Seen> = stage.take_all("taken");
    let bodies: Vec<String> = taken.iter().map(|seen| seen.body.clone()).collect();
    assert_eq!(bodies, numbered("taken", 0..6));
    assert!(taken[0].redelivered && taken[1].redelivered && !taken[5].redelivered);
}

#[test]
fn a_folder_of_version_1_is_read_as_it_was_left() {
    let folder = tempfile::tempdir().unwrap();
    restore(folder.path());
    let stage = Stage::open(folder.path());
    check_all(&stage);
    stage.close();
}

#[test]
fn a_folder_of_version_1_is_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    restore(folder.path());
    let stage = Stage::open(folder.path());
    stage.publish("taken", "taken 6");
    // From memory to the log and back, beside what version 1 wrote.
    stage.queue("taken").shed(true);
    stage.close();
    let stage = Stage::open(folder.path());
    assert_eq!(stage.bodies("taken"), numbered("taken", 0..7));
    stage.close();
    let stage = Stage::open(folder.path());
    assert_eq!(stage.bodies("taken"), [""; 0]);
    assert_eq!(stage.bodies("fan.1"), numbered("fan", 1..5));
    stage.close();
}
