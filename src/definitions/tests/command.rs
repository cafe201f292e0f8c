//! Commands as octets.

use rand::Rng as _;

use super::random::for_seeds;
use crate::amqp::{Table, Value};
use crate::definitions::codec::{CodecError, put_number, put_octets};
use crate::definitions::command::{Command, VERSION};
use crate::definitions::rows::{QueueRow, Row as _, VhostRow, key_of};
use crate::ids::Name;

#[test]
fn what_is_written_reads_back() {
    for_seeds("tests::command::what_is_written", 40, |commands| {
        for command in commands.many(200) {
            assert_eq!(Command::decode(&command.encode()), Ok(command));
        }
    });
}

#[test]
fn damaged_octets_are_refused_or_are_a_command() {
    for_seeds("tests::command::damaged", 40, |commands| {
        for command in commands.many(50) {
            let good = command.encode();
            for _ in 0..40 {
                let mut bad = good.clone();
                for _ in 0..commands.rng.random_range(1..4) {
                    let at = commands.rng.random_range(0..bad.len().max(1));
                    match commands.rng.random_range(0..4) {
                        0 => bad.truncate(at),
                        1 => bad.insert(at.min(bad.len()), commands.rng.random()),
                        _ if bad.is_empty() => {}
                        2 => bad[at] = commands.rng.random(),
                        _ => bad[at] ^= 1 << commands.rng.random_range(0..8),
                    }
                }
                // What still is a command is one that can be written and read.
                if let Ok(read) = Command::decode(&bad) {
                    let again = read.encode();
                    assert_eq!(Command::decode(&again).map(|c| c.encode()), Ok(again));
                }
            }
        }
    });
}

#[test]
fn any_octets_are_read_without_panic() {
    for_seeds("tests::command::any_octets", 40, |commands| {
        for _ in 0..500 {
            let len = commands.rng.random_range(0..80);
            let mut octets: Vec<u8> = (0..len).map(|_| commands.rng.random()).collect();
            octets.splice(0..0, [VERSION, commands.rng.random_range(0..24)]);
            let _ = Command::decode(&octets);
        }
    });
}

#[test]
fn a_part_of_a_command_is_none() {
    for_seeds("tests::command::a_part", 5, |commands| {
        for command in commands.many(50) {
            let octets = command.encode();
            for len in 0..octets.len() {
                assert!(Command::decode(&octets[..len]).is_err(), "{command:?}");
            }
        }
    });
}

fn vhost(description: &str) -> VhostRow {
    VhostRow {
        name: Name::from("v"),
        description: description.to_owned(),
        tags: Vec::new(),
        default_queue_type: None,
        protected: false,
    }
}

#[test]
fn fields_that_a_newer_broker_added_are_left() {
    // A newer broker writes every field that it follows with another.
    let row = VhostRow {
        protected: true,
        ..vhost("d")
    };
    let mut value = row.value();
    put_octets(&mut value, b"a field of the future");
    let mut body = key_of(&[&row.key(), &value]);
    body.extend_from_slice(b"and one of the command");
    let mut payload = vec![VERSION, 1];
    put_octets(&mut payload, &body);
    assert_eq!(Command::decode(&payload), Ok(Command::PutVhost(row)));
}

#[test]
fn what_cannot_be_understood_is_said() {
    let decode = |octets: &[u8]| Command::decode(octets).unwrap_err();
    assert_eq!(decode(&[]), CodecError::Truncated);
    assert_eq!(decode(&[9, 1, 0]), CodecError::Version(9, VERSION));
    assert_eq!(decode(&[VERSION, 99, 0]), CodecError::UnknownCommand(99));
    let mut payload = Command::PutVhost(vhost("")).encode();
    payload.push(0);
    assert_eq!(decode(&payload), CodecError::Trailing);
    let inner = [21, 0];
    let mut nested = vec![VERSION, 21];
    put_number(&mut nested, inner.len() as u64);
    nested.extend_from_slice(&inner);
    assert_eq!(decode(&nested), CodecError::NestedBatch);
}

#[test]
fn a_batch_in_a_batch_is_written_flat() {
    let one = Command::PutVhost(vhost("1"));
    let two = Command::DeleteQueue { id: 7 };
    let nested = Command::Batch(vec![one.clone(), Command::Batch(vec![two.clone()])]);
    assert_eq!(
        Command::decode(&nested.encode()),
        Ok(Command::Batch(vec![one, two]))
    );
}

/// The octets of version 1, for ever.
#[test]
fn version_1_is_read_as_it_was_written() {
    let command = Command::DeclareQueue(QueueRow {
        id: 300,
        vhost: Name::from("/"),
        name: Name::from("orders"),
        kind: "classic".to_owned(),
        auto_delete: true,
        arguments: Table(vec![(b"x-max-length".to_vec(), Value::I32(5))]),
        declared_by: Name::from(""),
    });
    let octets = [
        b"\x01\x0b\x2c".as_slice(),
        b"\x09\x01/\x06orders",
        b"\x21\xac\x02\x07classic\x01\x00\x00\x00\x12\x0cx-max-lengthI\x00\x00\x00\x05",
    ]
    .concat();
    assert_eq!(command.encode(), octets);
    assert_eq!(Command::decode(&octets), Ok(command));
}
