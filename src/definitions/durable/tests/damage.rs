//! Damaged copies: the definitions are right or the start is refused, never anything else.

use std::fs;
use std::path::{Path, PathBuf};

use rand::Rng as _;
use rand::seq::IndexedRandom as _;

use super::stage::{Stage, copy_folder};
use crate::definitions::snapshot;
use crate::definitions::tests::random::{Commands, for_seeds};

/// A stage with a snapshot in the middle of its commands, closed.
fn prepared(commands: &mut Commands) -> Stage {
    let mut stage = Stage::new();
    let (live, _) = stage.start();
    stage.run(&live, commands.many(80));
    live.save_snapshot().unwrap();
    stage.forget_until(live.snapshot_covers());
    stage.run(&live, commands.many(40));
    drop(live);
    stage
}

/// Starts, checks what is there, changes something, and starts again: whatever was wrong is right
/// now. Returns the first start's warnings.
fn heals(stage: &mut Stage, commands: &mut Commands) -> Vec<String> {
    let (live, warnings) = stage.start();
    stage.same(&live.state());
    stage.run(&live, commands.many(10));
    drop(live);
    stage.tables_hold_everything();
    let (live, again) = stage.start();
    assert_eq!(again, [""; 0], "after {warnings:?}");
    stage.same(&live.state());
    warnings
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn damage(commands: &mut Commands, file: &Path) {
    let rng = &mut commands.rng;
    let mut octets = fs::read(file).unwrap();
    let len = octets.len();
    let at = rng.random_range(0..len.max(1));
    match rng.random_range(0..5) {
        _ if octets.is_empty() => {}
        0 => octets.truncate(at),
        1 => octets[at] ^= 1 << rng.random_range(0..8),
        2 => octets[at..(at + 64).min(len)].fill(0),
        3 => {
            // Where the octets are that matter: a database file is mostly zeros.
            for _ in 0..200 {
                let at = rng.random_range(0..len);
                if octets[at] != 0 {
                    octets[at] = rng.random();
                }
            }
        }
        _ => {
            fs::remove_file(file).unwrap();
            return;
        }
    }
    fs::write(file, octets).unwrap();
}

#[test]
fn damaged_tables_never_reach_the_broker() {
    for_seeds("durable::tests::damage::damaged_tables", 30, |commands| {
        let mut stage = prepared(commands);
        let files = files_below(&stage.tables());
        for _ in 0..commands.rng.random_range(1..3) {
            let file = files.choose(&mut commands.rng).unwrap();
            if file.exists() {
                damage(commands, file);
            }
        }
        heals(&mut stage, commands);
    });
}

#[test]
fn every_way_to_lose_the_tables_is_warned_of() {
    let mut commands = Commands::new(1);
    type Damage = fn(&Path);
    let ways: [(&str, Damage); 5] = [
        ("truncated", |db| {
            let file = fs::OpenOptions::new().write(true).open(db).unwrap();
            file.set_len(1_000).unwrap();
        }),
        ("flipped", |db| {
            let mut octets = fs::read(db).unwrap();
            octets.iter_mut().for_each(|octet| *octet ^= 0x20);
            fs::write(db, octets).unwrap();
        }),
        ("without the file", |db| fs::remove_file(db).unwrap()),
        ("without the folder", |db| {
            fs::remove_dir_all(db.parent().unwrap()).unwrap();
        }),
        ("a file instead", |db| {
            let folder = db.parent().unwrap();
            fs::remove_dir_all(folder).unwrap();
            fs::write(folder, b"no folder").unwrap();
        }),
    ];
    for (name, way) in ways {
        let mut stage = prepared(&mut commands);
        way(&stage.tables().join("db"));
        let warnings = heals(&mut stage, &mut commands);
        assert_eq!(warnings.len(), 1, "{name}: {warnings:?}");
        assert!(warnings[0].contains("written anew"), "{name}: {warnings:?}");
    }
}

#[test]
fn a_damaged_snapshot_is_made_good_from_the_tables() {
    for_seeds(
        "durable::tests::damage::a_damaged_snapshot",
        10,
        |commands| {
            let mut stage = prepared(commands);
            let file = stage.path().join(snapshot::FILE);
            let before = fs::read(&file).unwrap();
            while fs::read(&file).is_ok_and(|octets| octets == before) {
                damage(commands, &file);
            }
            let warnings = heals(&mut stage, commands);
            assert_eq!(warnings.len(), 1, "{warnings:?}");
            assert!(warnings[0].contains("definitions.snapshot"), "{warnings:?}");
        },
    );
}

#[test]
fn both_copies_damaged_are_made_good_from_a_whole_log() {
    for_seeds("durable::tests::damage::both_copies", 5, |commands| {
        let mut stage = Stage::new();
        let (live, _) = stage.start();
        stage.run(&live, commands.many(60));
        live.save_snapshot().unwrap();
        drop(live);
        fs::write(stage.path().join(snapshot::FILE), b"LVRTDEFS").unwrap();
        fs::write(stage.tables().join("db"), [7; 4_096]).unwrap();
        let warnings = heals(&mut stage, commands);
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert_eq!(
            stage.names(),
            [
                "definitions",
                "definitions.damaged-1",
                "definitions.snapshot",
                "definitions.snapshot.damaged-1"
            ]
        );
    });
}

#[test]
fn an_older_copy_of_the_tables_is_brought_up_to_date() {
    for_seeds("durable::tests::damage::an_older_copy", 5, |commands| {
        let mut stage = Stage::new();
        let (live, _) = stage.start();
        stage.run(&live, commands.many(50));
        live.close();
        drop(live);
        let old = tempfile::tempdir().unwrap();
        copy_folder(&stage.tables(), old.path());
        let (live, _) = stage.start();
        stage.run(&live, commands.many(50));
        // Newer than the copy, or older.
        if commands.rng.random() {
            live.save_snapshot().unwrap();
            stage.forget_until(live.snapshot_covers());
        }
        stage.run(&live, commands.many(20));
        drop(live);
        fs::remove_dir_all(stage.tables()).unwrap();
        copy_folder(old.path(), &stage.tables());
        assert_eq!(heals(&mut stage, commands), [""; 0]);
    });
}

#[test]
fn tables_ahead_of_the_log_are_moved_aside() {
    let mut commands = Commands::new(11);
    let mut stage = Stage::new();
    let (live, _) = stage.start();
    stage.run(&live, commands.many(50));
    drop(live);
    stage.cut_after(30);
    let warnings = heals(&mut stage, &mut commands);
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].contains("definitions.damaged-1")
            && warnings[0].contains("they reach to index 50, the log ends at 30"),
        "{warnings:?}"
    );
}

#[test]
fn tables_of_another_past_are_moved_aside() {
    let mut commands = Commands::new(12);
    // The same folder, then two ways to go on.
    let mut one = Stage::new();
    let (live, _) = one.start();
    one.run(&live, commands.many(30));
    drop(live);
    let mut other = one.copy();
    for stage in [&mut one, &mut other] {
        let (live, _) = stage.start();
        stage.run(&live, commands.many(20));
        drop(live);
    }
    fs::remove_dir_all(one.tables()).unwrap();
    copy_folder(&other.tables(), &one.tables());
    let warnings = heals(&mut one, &mut commands);
    assert!(
        warnings[0].contains("they differ from snapshot and log at index 50"),
        "{warnings:?}"
    );

    let stranger = prepared(&mut commands);
    fs::remove_dir_all(one.tables()).unwrap();
    copy_folder(&stranger.tables(), &one.tables());
    let warnings = heals(&mut one, &mut commands);
    assert!(
        warnings[0].contains("definitions.damaged-2")
            && warnings[0].contains("they belong to another data folder"),
        "{warnings:?}"
    );
}
