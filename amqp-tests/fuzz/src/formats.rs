//! Targets of the wire formats.

use leveret::amqp::constants::{FRAME_END, FRAME_OVERHEAD, FRAME_PREFIX};
use leveret::amqp::frame::{octets, quote, read_payload, read_prefix, type_number};
use leveret::amqp::hot::{self, HotMethod, join_route, split_route};
use leveret::amqp::method;
use leveret::amqp::properties::{Properties, parse_expiration};
use leveret::amqp::table::{check_table_body, read_table_body, write_table};

/// Frames are split the same way whatever part of the buffer is there, and are what was sent.
pub fn frames(data: &[u8]) {
    let Some((&limit, data)) = data.split_first() else {
        return;
    };
    let payload_max = [0, 4088, 100, 1][usize::from(limit) & 3];
    let mut rest = data;
    loop {
        let prefix = match read_prefix(rest, payload_max) {
            Ok(Some(prefix)) => prefix,
            Ok(None) => {
                assert!(rest.len() < FRAME_PREFIX);
                return;
            }
            Err(error) => {
                assert!(error.reply_text().len() <= 255);
                return;
            }
        };
        assert!(payload_max == 0 || prefix.size <= payload_max + FRAME_OVERHEAD);
        let (payload, taken) = match read_payload(rest, prefix) {
            Ok(Some(whole)) => whole,
            Ok(None) => {
                assert!(rest.len() < prefix.size + FRAME_OVERHEAD);
                return;
            }
            Err(error) => {
                assert!(error.reply_text().len() <= 255);
                return;
            }
        };
        assert_eq!(taken, payload.len() + FRAME_OVERHEAD);
        let mut again = vec![type_number(prefix.kind)];
        again.extend_from_slice(&prefix.channel.to_be_bytes());
        again.extend_from_slice(&(payload.len() as u32).to_be_bytes());
        again.extend_from_slice(payload);
        again.push(FRAME_END);
        assert_eq!(again, rest[..taken]);
        for cut in [FRAME_PREFIX, taken / 2, taken - 1] {
            let part = &rest[..cut];
            match read_prefix(part, payload_max) {
                Ok(Some(same)) => {
                    assert_eq!(same, prefix);
                    assert_eq!(read_payload(part, same).ok(), Some(None));
                }
                Ok(None) => assert!(cut < FRAME_PREFIX),
                Err(error) => panic!("a whole frame passes, its start does not: {error:?}"),
            }
        }
        assert!(quote(prefix.kind, payload).len() < 200 && octets(payload).len() < 100);
        rest = &rest[taken..];
    }
}

/// The reader and the checker of tables agree, and what is written reads back.
pub fn tables(data: &[u8]) {
    let read = read_table_body(data);
    assert_eq!(read.as_ref().err(), check_table_body(data).err().as_ref());
    let Ok(table) = read else { return };
    let mut written = Vec::new();
    write_table(&mut written, &table);
    // Booleans and the tag `L` have one spelling when written, so octets are compared from here.
    assert_eq!(written.len(), data.len() + 4);
    assert_eq!(written[..4], (data.len() as u32).to_be_bytes());
    assert_eq!(check_table_body(&written[4..]), Ok(()));
    let again = read_table_body(&written[4..]).expect("what is written is read");
    let mut twice = Vec::new();
    write_table(&mut twice, &again);
    assert_eq!(written, twice);
    if let Some((key, _)) = table.iter().next() {
        let mut less = table.clone();
        assert!(less.remove(key).is_some() && less.get(key).is_none());
    }
}

/// The reader of hot methods and the decoder of all methods agree.
pub fn methods(data: &[u8]) {
    let decoded = method::decode(data);
    if let Ok(method) = &decoded {
        assert!(method::exists(method.id) && method::ids(data) == Some(method.id));
    } else if let Err(error) = &decoded {
        assert!(error.reply_text().len() <= 255);
    }
    let hot = hot::read(data);
    let is_hot = matches!(method::ids(data), Some((60, 40 | 80 | 90 | 120)));
    match (hot, &decoded) {
        (None, Ok(_)) => assert!(!is_hot, "a hot method that only the slow path reads"),
        (None, Err(_)) => {}
        // Names are not checked for UTF-8 on the hot path.
        (Some(HotMethod::Publish(publish)), Err(error)) => {
            assert!(error.text.starts_with("Malformed UTF-8"));
            let text = |part| std::str::from_utf8(part).is_err();
            let (exchange, key) = split_route(publish.route);
            assert!(text(exchange) || text(key));
        }
        (Some(other), Err(error)) => panic!("{other:?} is read, but {error:?}"),
        (Some(hot), Ok(method)) => {
            assert!(is_hot && method.table.is_empty());
            let written = format!("{:?}", method.class);
            match hot {
                HotMethod::Publish(publish) => {
                    let (exchange, key) = split_route(publish.route);
                    assert_eq!(join_route(exchange, key), publish.route);
                    assert!(written.contains(&format!("mandatory: {}", publish.mandatory)));
                    assert!(written.contains(&format!("immediate: {}", publish.immediate)));
                }
                HotMethod::Ack(tag, multiple) => {
                    assert!(written.contains(&format!("delivery_tag: {tag},")));
                    assert!(written.contains(&format!("multiple: {multiple}")));
                }
                HotMethod::Nack(tag, multiple, requeue) => {
                    assert!(written.contains(&format!("delivery_tag: {tag},")));
                    assert!(written.contains(&format!("multiple: {multiple}")));
                    assert!(written.contains(&format!("requeue: {requeue}")));
                }
                HotMethod::Reject(tag, requeue) => {
                    assert!(written.contains(&format!("delivery_tag: {tag},")));
                    assert!(written.contains(&format!("requeue: {requeue}")));
                }
            }
        }
    }
}

/// A content header's properties read, write and read again to the same.
pub fn properties(data: &[u8]) {
    let Some(header) = hot::content_header(data) else {
        return;
    };
    assert_eq!(header.properties, &data[12..]);
    let Ok(read) = Properties::read(header.properties) else {
        return;
    };
    let headers = read.headers.map(|body| {
        let table = read.headers_table();
        assert_eq!(body.is_empty(), table.is_empty());
        table
    });
    let mut written = Vec::new();
    read.write(&mut written, headers.as_ref());
    assert_eq!(written.len(), header.properties.len());
    let again = Properties::read(&written).expect("what is written is read");
    let mut twice = Vec::new();
    let headers = again.headers.map(|_| again.headers_table());
    again.write(&mut twice, headers.as_ref());
    assert_eq!(written, twice);
    let same = Properties {
        headers: read.headers,
        ..again
    };
    assert_eq!(same, read);
    if let Some(text) = read.expiration {
        match parse_expiration(text) {
            Ok(ms) => {
                let digits = text.strip_prefix(b"+").unwrap_or(text);
                let digits = digits.strip_prefix(b"-").unwrap_or(digits);
                let value: u64 = std::str::from_utf8(digits).unwrap().parse().unwrap();
                assert_eq!(value, ms);
                assert!(ms <= leveret::limits::EXPIRY_MAX_MS);
            }
            Err(why) => assert!(why.starts_with("invalid expiration '")),
        }
    }
}
