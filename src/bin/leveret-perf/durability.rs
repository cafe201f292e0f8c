//! What survives when a broker or its machine stops: the class of every row, so that nobody
//! compares a broker that syncs with one that does not.

use std::fmt;

use clap::ValueEnum;

/// Where a message is when its publisher learns that it is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Durability {
    /// In the broker's memory, or nobody waits for more.
    None,
    /// Handed to the kernel: survives the broker's end, not the machine's.
    PageCache,
    /// Synced to the disk before the confirm.
    Sync,
}

impl fmt::Display for Durability {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::None => "none",
            Self::PageCache => "page cache",
            Self::Sync => "sync",
        })
    }
}

/// What a product is known to give a confirmed persistent message in a durable queue; `None`
/// for one that is not known here.
///
/// From the projects' own documentation: RabbitMQ's classic queues synced before the confirm
/// until 3.12 and leave it to the kernel since 3.13, its quorum queues always sync; LavinMQ
/// syncs since 2.9.
pub fn given(product: &str, version: &str, quorum: bool) -> Option<Durability> {
    let version = leading_numbers(version);
    match product {
        "RabbitMQ" if quorum || version < (3, 13) => Some(Durability::Sync),
        "RabbitMQ" => Some(Durability::PageCache),
        "LavinMQ" if version >= (2, 9) => Some(Durability::Sync),
        "LavinMQ" => Some(Durability::PageCache),
        "Leveret" => Some(Durability::Sync),
        "floor" => Some(Durability::None),
        _ => None,
    }
}

/// The class of a row: what the scenario asks for, or less where the broker gives less. A broker
/// that wrote fewer octets for each message than its body has (`written_each` of `size`) kept
/// nothing, whatever it is known to give.
pub fn of_row(
    asked: Durability,
    given: Option<Durability>,
    written_each: Option<f64>,
    size: usize,
) -> Option<Durability> {
    if asked == Durability::None || written_each.is_some_and(|octets| octets < size as f64) {
        return Some(Durability::None);
    }
    given.map(|given| given.min(asked))
}

/// Major and minor number; what cannot be read counts as 0.
fn leading_numbers(version: &str) -> (u32, u32) {
    let mut parts = version.split('.').map(|part| {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        part.get(..digits).and_then(|digits| digits.parse().ok())
    });
    let mut next = || parts.next().flatten().unwrap_or(0);
    (next(), next())
}

#[cfg(test)]
mod tests {
    use super::{Durability, given, leading_numbers, of_row};

    #[test]
    fn products_give_what_their_version_gave() {
        use Durability::{PageCache, Sync};
        for (product, version, quorum, expected) in [
            ("RabbitMQ", "3.10.8", false, Some(Sync)),
            ("RabbitMQ", "3.9.27", false, Some(Sync)),
            ("RabbitMQ", "3.13.0", false, Some(PageCache)),
            ("RabbitMQ", "4.1.2", false, Some(PageCache)),
            ("RabbitMQ", "4.1.2", true, Some(Sync)),
            ("LavinMQ", "2.8.4", false, Some(PageCache)),
            ("LavinMQ", "2.10.0-rc.1", false, Some(Sync)),
            ("Leveret", "0.1.0", false, Some(Sync)),
            ("Qpid", "9", false, None),
        ] {
            assert_eq!(
                given(product, version, quorum),
                expected,
                "{product} {version}"
            );
        }
    }

    #[test]
    fn a_row_is_as_durable_as_the_weaker_of_what_is_asked_and_given() {
        use Durability::{None as Nothing, PageCache, Sync};
        let class = |asked, given| of_row(asked, given, None, 100);
        assert_eq!(class(Nothing, Some(Sync)), Some(Nothing));
        assert_eq!(class(Nothing, None), Some(Nothing));
        assert_eq!(class(Sync, Some(PageCache)), Some(PageCache));
        assert_eq!(class(Sync, Some(Sync)), Some(Sync));
        assert_eq!(class(Sync, None), None, "unknown stays unknown");
    }

    #[test]
    fn who_writes_less_than_the_bodies_keeps_nothing() {
        use Durability::{None as Nothing, Sync};
        let class = |written| of_row(Sync, Some(Sync), written, 100);
        assert_eq!(class(Some(0.0)), Some(Nothing));
        assert_eq!(class(Some(99.0)), Some(Nothing));
        assert_eq!(class(Some(100.0)), Some(Sync));
        assert_eq!(class(None), Some(Sync), "not everywhere can it be read");
    }

    #[test]
    fn versions_with_words_are_read_as_far_as_they_are_numbers() {
        assert_eq!(leading_numbers("3.13-rc"), (3, 13));
        assert_eq!(leading_numbers("4.1.0+2.gabc"), (4, 1));
        assert_eq!(leading_numbers(""), (0, 0));
    }
}
