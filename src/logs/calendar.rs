//! When a log file is due to be put aside by the calendar of the place.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};

use crate::config::RotationDate;

/// Days after which a date that recurs monthly has come.
const DAYS_AT_MOST: i32 = 32;

/// The first moment after `at_us` that `date` names, both in microseconds since the epoch; never
/// where the calendar ends.
pub fn next(date: RotationDate, at_us: i64, zone: &TimeZone) -> i64 {
    let at = Timestamp::from_microsecond(at_us).unwrap_or(Timestamp::UNIX_EPOCH);
    let at = at.to_zoned(zone.clone());
    let next = match date {
        RotationDate::Hourly { minute } => next_minute(&at, minute),
        RotationDate::Daily { hour } => next_day(&at, hour, |_| true),
        RotationDate::Weekly { day, hour } => {
            next_day(&at, hour, |date| number(date.weekday()) == day)
        }
        RotationDate::Monthly { day, hour } => next_day(&at, hour, |date| {
            let last = date.days_in_month();
            i16::from(date.day()) == i16::from(day).min(i16::from(last))
        }),
    };
    next.map_or(i64::MAX, |next| next.timestamp().as_microsecond())
}

fn number(weekday: Weekday) -> u8 {
    weekday.to_sunday_zero_offset().unsigned_abs()
}

fn next_minute(at: &Zoned, minute: u8) -> Option<Zoned> {
    let minute = i8::try_from(minute).ok()?;
    let this_hour = at
        .with()
        .minute(minute)
        .second(0)
        .subsec_nanosecond(0)
        .build();
    let this_hour = this_hour.ok()?;
    if this_hour > *at {
        Some(this_hour)
    } else {
        this_hour.checked_add(SignedDuration::from_hours(1)).ok()
    }
}

/// The first moment after `at` with this hour on a day of this kind. Where the clocks leave the hour
/// out, the one that takes its place.
fn next_day(at: &Zoned, hour: u8, is_wanted: impl Fn(Date) -> bool) -> Option<Zoned> {
    let hour = i8::try_from(hour).ok()?;
    for days in 0..=DAYS_AT_MOST {
        let date = at.date().checked_add(days.days()).ok()?;
        if !is_wanted(date) {
            continue;
        }
        let moment = date.at(hour, 0, 0, 0).to_zoned(at.time_zone().clone());
        if let Ok(moment) = moment
            && moment > *at
        {
            return Some(moment);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The moment after `at`, both in this zone.
    fn after(spec: &str, at: &str, zone: TimeZone) -> String {
        let date = RotationDate::parse(spec).unwrap();
        let at: jiff::civil::DateTime = at.parse().unwrap();
        let at = at.to_zoned(zone.clone()).unwrap().timestamp();
        let next = next(date, at.as_microsecond(), &zone);
        let next = Timestamp::from_microsecond(next).unwrap();
        next.to_zoned(zone).strftime("%F %T").to_string()
    }

    #[test]
    fn moments_follow_one_another() {
        // A Saturday.
        let at = "2026-11-21T13:48:58.5";
        for (spec, expected) in [
            ("$H49", "2026-11-21 13:49:00"),
            ("$H48", "2026-11-21 14:48:00"),
            ("$D14", "2026-11-21 14:00:00"),
            ("$D13", "2026-11-22 13:00:00"),
            ("$W6D14", "2026-11-21 14:00:00"),
            ("$W6", "2026-11-28 00:00:00"),
            ("$W0", "2026-11-22 00:00:00"),
            ("$M21D13", "2026-12-21 13:00:00"),
            ("$M1", "2026-12-01 00:00:00"),
            ("$M31D7", "2026-11-30 07:00:00"),
            ("$ML", "2026-11-30 00:00:00"),
        ] {
            assert_eq!(after(spec, at, TimeZone::UTC), expected, "{spec}");
        }
    }

    #[test]
    fn a_moment_itself_is_past() {
        let at = "2026-01-31T00:00:00";
        assert_eq!(after("$M31", at, TimeZone::UTC), "2026-02-28 00:00:00");
        assert_eq!(after("$D0", at, TimeZone::UTC), "2026-02-01 00:00:00");
        assert_eq!(after("$H0", at, TimeZone::UTC), "2026-01-31 01:00:00");
    }

    #[test]
    fn hours_that_the_clocks_leave_out_are_not_missed() {
        // Here two o'clock does not happen.
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let next = after("$D2", "2026-03-28T23:00:00", zone);
        assert_eq!(next, "2026-03-29 03:00:00");
    }
}
