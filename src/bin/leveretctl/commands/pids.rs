//! What stands for RabbitMQ's process ids. A connection here is no process; scripts take its pid from
//! one list and give it to `close_connection`, so it has to name one connection, in one word.

/// The pid of a connection, or of one of its channels (numbers from 1): the node, a digest of the
/// connection's name, which holds both its ends, and the channel.
pub fn pid(node: &str, connection: &str, channel: u64) -> String {
    format!("<{node}.{}.{channel}.0>", digest(connection))
}

/// FNV-1a: short, and the same in every version of this tool.
fn digest(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash: u32, octet| {
        (hash ^ u32::from(octet)).wrapping_mul(0x0100_0193)
    })
}

/// Whether a text has the form of a pid.
pub fn is_pid(text: &str) -> bool {
    text.starts_with('<') && text.ends_with('>') && text.contains('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pids_name_connections_and_channels() {
        let one = pid("a@b", "127.0.0.1:1 -> 127.0.0.1:2", 0);
        assert!(is_pid(&one), "{one}");
        assert_eq!(one, pid("a@b", "127.0.0.1:1 -> 127.0.0.1:2", 0));
        assert_ne!(one, pid("a@b", "127.0.0.1:2 -> 127.0.0.1:2", 0));
        assert_ne!(one, pid("a@b", "127.0.0.1:1 -> 127.0.0.1:2", 1));
        assert!(!is_pid("127.0.0.1:1 -> 127.0.0.1:2"));
    }
}
