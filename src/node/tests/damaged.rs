//! Octets that change on the disk while the broker runs.

use std::fs;
use std::path::Path;

use super::stage::Stage;

/// Flips one bit of the only place of the log where `text` lies.
fn flip(folder: &Path, text: &str) {
    let mut found = 0;
    for entry in fs::read_dir(folder.join("log")).unwrap() {
        let path = entry.unwrap().path();
        let mut octets = fs::read(&path).unwrap();
        let places = octets.windows(text.len());
        let at: Vec<usize> = places
            .enumerate()
            .filter(|(_, window)| *window == text.as_bytes())
            .map(|(at, _)| at)
            .collect();
        for at in &at {
            octets[*at] ^= 4;
        }
        if !at.is_empty() {
            fs::write(&path, octets).unwrap();
        }
        found += at.len();
    }
    assert_eq!(found, 1, "places of {text}");
}

#[test]
fn a_message_whose_octets_changed_is_not_given_out_and_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::open(folder.path());
    let queue = stage.declare("q");
    for number in 0..6 {
        stage.publish("q", &format!("the body number {number}"));
    }
    queue.shed(true);
    flip(folder.path(), "the body number 0");
    flip(folder.path(), "the body number 3");
    flip(folder.path(), "the body number 5");
    let expected = [
        "the body number 1",
        "the body number 2",
        "the body number 4",
    ];
    assert_eq!(stage.bodies("q"), expected);
    assert_eq!(queue.status().ready, 0);
    stage.publish("q", "later");
    assert_eq!(stage.bodies("q"), ["later"]);
    stage.close();
}

#[test]
fn damaged_messages_behind_the_checkpoint_do_not_keep_a_broker_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::open(folder.path());
    stage.declare("q");
    for number in 0..3 {
        stage.publish("q", &format!("the body number {number}"));
    }
    stage.close();
    flip(folder.path(), "the body number 1");
    let stage = Stage::open(folder.path());
    assert_eq!(
        stage.bodies("q"),
        ["the body number 0", "the body number 2"]
    );
    stage.close();
    let stage = Stage::open(folder.path());
    assert_eq!(stage.bodies("q"), [""; 0], "what was lost stays gone");
    stage.close();
}
