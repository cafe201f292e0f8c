//! When a log file is put aside by the calendar: `$D0`, `$W1D18`, `$M1D0`, `$H30`.

/// The moments at which a log file is put aside; local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotationDate {
    /// Every hour, at this minute.
    Hourly {
        /// 0 to 59.
        minute: u8,
    },
    /// Every day, at this hour.
    Daily {
        /// 0 to 23.
        hour: u8,
    },
    /// Every week.
    Weekly {
        /// 0 is Sunday, 6 is Saturday.
        day: u8,
        /// 0 to 23.
        hour: u8,
    },
    /// Every month.
    Monthly {
        /// 1 to 31; a month that has no such day does it on its last.
        day: u8,
        /// 0 to 23.
        hour: u8,
    },
}

/// The day of the month that stands for its last.
const LAST: u8 = 31;

impl RotationDate {
    /// Reads RabbitMQ's form: `$Hmm`, `$Dhh`, `$Wd` and `$Mdd`, the last two with `Dhh` behind them
    /// or at midnight. The last day of a month may be written `L`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('$')?;
        let rest = text.get(1..)?;
        match text.get(..1)? {
            "H" => Some(Self::Hourly {
                minute: number(rest, 0, 59)?,
            }),
            "D" => Some(Self::Daily {
                hour: number(rest, 0, 23)?,
            }),
            "W" => {
                let (day, hour) = day_and_hour(rest)?;
                Some(Self::Weekly {
                    day: number(day, 0, 6)?,
                    hour,
                })
            }
            "M" => {
                let (day, hour) = day_and_hour(rest)?;
                let day = match day {
                    "L" | "l" => LAST,
                    day => number(day, 1, LAST)?,
                };
                Some(Self::Monthly { day, hour })
            }
            _ => None,
        }
    }
}

fn day_and_hour(text: &str) -> Option<(&str, u8)> {
    match text.split_once('D') {
        Some((day, hour)) => Some((day, number(hour, 0, 23)?)),
        None => Some((text, 0)),
    }
}

/// One digit or two.
fn number(text: &str, low: u8, high: u8) -> Option<u8> {
    if text.len() > 2 || !text.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    super::value::integer(text, low, high)
}

#[cfg(test)]
mod tests {
    use super::RotationDate::{self, *};

    #[test]
    fn dates_are_read() {
        for (text, expected) in [
            ("$D0", Daily { hour: 0 }),
            ("$D23", Daily { hour: 23 }),
            ("$H05", Hourly { minute: 5 }),
            ("$W0", Weekly { day: 0, hour: 0 }),
            ("$W5D16", Weekly { day: 5, hour: 16 }),
            ("$M1D0", Monthly { day: 1, hour: 0 }),
            ("$M31", Monthly { day: 31, hour: 0 }),
            ("$MLD4", Monthly { day: 31, hour: 4 }),
        ] {
            assert_eq!(RotationDate::parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "", "$", "D0", "$D", "$D24", "$D+1", "$D001", "$H60", "$W7", "$WD1", "$M0", "$M32",
            "$M1D", "$X1", "$D0D0", "$Dä",
        ] {
            assert_eq!(RotationDate::parse(text), None, "{text}");
        }
    }
}
