//! A moment as people write it: a date, a time, or how long ago.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};

/// Reads `2026-11-20`, `2026-11-20 18:00`, an RFC 3339 time, or an age as `2h` or `3d`; the answer is unix milliseconds.
pub(super) fn since(text: &str) -> Result<u64, String> {
    since_at(text, &Zoned::now())
}

fn since_at(text: &str, now: &Zoned) -> Result<u64, String> {
    let zone = now.time_zone();
    let moment = text
        .parse::<Timestamp>()
        .ok()
        .or_else(|| text.parse::<DateTime>().ok().and_then(|time| start(time, zone)))
        .or_else(|| text.parse::<Date>().ok().and_then(|date| start(date.at(0, 0, 0, 0), zone)))
        .or_else(|| text.parse::<Span>().ok().and_then(|age| Some(now.checked_sub(age.abs()).ok()?.timestamp())))
        .ok_or("write a moment as 2026-11-20, 2026-11-20T18:00 or an age as 2h or 3d")?;
    u64::try_from(moment.as_millisecond()).map_err(|_| "that is before 1970".to_owned())
}

fn start(time: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    Some(time.to_zoned(zone.clone()).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_date_a_time_or_an_age() {
        let now: Zoned = "2026-11-21T12:00:00[UTC]".parse().unwrap();
        let at = |text: &str| {
            since_at(text, &now).map(|ms| Timestamp::from_millisecond(ms.cast_signed()).unwrap().to_string())
        };
        assert_eq!(at("2026-11-20").unwrap(), "2026-11-20T00:00:00Z");
        assert_eq!(at("2026-11-20T18:00").unwrap(), "2026-11-20T18:00:00Z");
        assert_eq!(at("2026-11-20 18:00").unwrap(), "2026-11-20T18:00:00Z");
        assert_eq!(at("2026-11-20T18:00:00+02:00").unwrap(), "2026-11-20T16:00:00Z");
        assert_eq!(at("3d").unwrap(), "2026-11-18T12:00:00Z");
        assert_eq!(at("2h").unwrap(), "2026-11-21T10:00:00Z");
        assert!(at("yesterday").unwrap_err().contains("3d"));
    }
}
