//! Snapshots: nothing that was changed in one is taken for good.

use std::fs;
use std::path::Path;

use rand::Rng as _;

use super::random::{Commands, for_seeds};
use crate::definitions::snapshot::{FILE, Snapshot, SnapshotError, load, read, save, write};
use crate::definitions::state::State;

const HISTORY: u128 = 0x0123_4567_89ab_cdef;

fn octets_of(state: &State) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out, HISTORY, state).unwrap();
    out
}

fn same(snapshot: &Snapshot, state: &State) {
    assert_eq!(snapshot.history, HISTORY);
    assert_eq!(snapshot.state, *state);
    assert_eq!(snapshot.state.digest(), state.digest());
    assert_eq!(snapshot.state.derived(), state.derived());
}

#[test]
fn what_is_written_reads_back() {
    for_seeds("tests::snapshot::what_is_written", 20, |commands| {
        let state = Commands::state_of(&commands.many(300));
        same(&read(octets_of(&state).as_slice()).unwrap(), &state);
    });
    let empty = State::default();
    same(&read(octets_of(&empty).as_slice()).unwrap(), &empty);
}

#[test]
fn every_flipped_bit_is_found_where_it_is() {
    let state = Commands::state_of(&Commands::new(7).many(60));
    let good = octets_of(&state);
    assert!(good.len() > 1_000, "{} octets", good.len());
    let mut bad = good.clone();
    for at in 0..good.len() {
        for bit in 0..8 {
            bad[at] ^= 1 << bit;
            match read(bad.as_slice()) {
                Err(SnapshotError::Damaged { offset, .. }) => {
                    assert!(offset <= at as u64, "octet {at}: found at {offset}");
                }
                other => panic!("octet {at}, bit {bit}: {other:?}"),
            }
            bad[at] ^= 1 << bit;
        }
    }
    assert_eq!(bad, good);
}

#[test]
fn a_part_more_or_another_order_is_found() {
    let state = Commands::state_of(&Commands::new(8).many(60));
    let good = octets_of(&state);
    for len in 0..good.len() {
        assert!(read(&good[..len]).is_err(), "{len} octets");
    }
    assert!(read([good.as_slice(), b"\0"].concat().as_slice()).is_err());
    assert!(read([good.as_slice(), &good].concat().as_slice()).is_err());
    for_seeds("tests::snapshot::a_part", 50, |commands| {
        // A stretch of it that was written to another place.
        let mut bad = good.clone();
        let len = commands.rng.random_range(1..200);
        let from = commands.rng.random_range(0..good.len() - len);
        let to = commands.rng.random_range(0..good.len() - len);
        bad.copy_within(from..from + len, to);
        assert_eq!(read(bad.as_slice()).is_ok(), bad == good);
    });
}

#[test]
fn errors_say_where_and_what() {
    let state = Commands::state_of(&Commands::new(9).many(60));
    let mut octets = octets_of(&state);
    octets[70] ^= 1;
    let text = read(octets.as_slice()).unwrap_err().to_string();
    assert_eq!(
        text,
        "damaged at offset 64: the row does not match its checksum"
    );
    octets[8] = 2;
    let text = read(octets.as_slice()).unwrap_err().to_string();
    assert_eq!(
        text,
        "damaged at offset 0: the header does not match its checksum"
    );
    let crc = crc32c::crc32c(&octets[..60]).to_le_bytes();
    octets[60..64].copy_from_slice(&crc);
    let text = read(octets.as_slice()).unwrap_err().to_string();
    assert_eq!(
        text,
        "its format is version 2, this broker reads version 1: start the broker that wrote it"
    );
}

#[test]
fn a_save_that_was_interrupted_leaves_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    assert!(load(folder.path()).unwrap().is_none());
    let list = Commands::new(1).many(100);
    let (old, new) = (
        Commands::state_of(&list[..50]),
        Commands::state_of(&list[..]),
    );
    save(folder.path(), HISTORY, &old).unwrap();
    // The next one got this far.
    let next = folder.path().join("definitions.snapshot.next");
    fs::write(&next, &octets_of(&new)[..100]).unwrap();
    same(&load(folder.path()).unwrap().unwrap(), &old);
    save(folder.path(), HISTORY, &new).unwrap();
    same(&load(folder.path()).unwrap().unwrap(), &new);
    let names = fs::read_dir(folder.path()).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [FILE]);
}

/// The file that the first version wrote, for ever.
#[test]
fn version_1_is_read_as_it_was_written() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = path.join("src/definitions/testdata/definitions-1.snapshot");
    let state = super::random::fixture();
    let octets = fs::read(path).unwrap();
    same(&read(octets.as_slice()).unwrap(), &state);
    assert_eq!(octets_of(&state), octets, "another format, another version");
}
