//! The protocol header (specification, section 4.2.2).

use crate::amqp::constants::PROTOCOL_HEADER;

/// What the first octets of a connection are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderOutcome {
    /// AMQP 0-9-1.
    Accepted,
    /// Anything else: answer with our header and close. 0-8 and 0-9 are among it.
    Refused,
    /// Not all eight octets are there, and those that are fit.
    Incomplete,
}

/// Looks at the first octets. A client that cannot be speaking AMQP 0-9-1 is refused at once.
pub fn read_header(buffer: &[u8]) -> HeaderOutcome {
    match buffer.first_chunk::<8>() {
        Some(header) if *header == PROTOCOL_HEADER => HeaderOutcome::Accepted,
        Some(_) => HeaderOutcome::Refused,
        None if PROTOCOL_HEADER.starts_with(buffer) => HeaderOutcome::Incomplete,
        // Another version of AMQP sends eight octets too; wait for them, as RabbitMQ does.
        None if buffer.starts_with(b"AMQP") || b"AMQP".starts_with(buffer) => {
            HeaderOutcome::Incomplete
        }
        None => HeaderOutcome::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_0_9_1_is_accepted() {
        assert_eq!(
            read_header(b"AMQP\x00\x00\x09\x01"),
            HeaderOutcome::Accepted
        );
        assert_eq!(read_header(b"AMQP\x01\x01\x08\x00"), HeaderOutcome::Refused);
        assert_eq!(read_header(b"GET / HTTP/1.1"), HeaderOutcome::Refused);
        assert_eq!(read_header(b"GE"), HeaderOutcome::Refused);
        assert_eq!(read_header(b"AMQ"), HeaderOutcome::Incomplete);
        assert_eq!(read_header(b""), HeaderOutcome::Incomplete);
    }
}
