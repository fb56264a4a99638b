//! Numbers, sizes and times as people read them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// `12.3 MiB`: three digits, binary units.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // Rounding is for the eye only.
    #[allow(clippy::cast_precision_loss)]
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if value < 99.95 { format!("{value:.1} {}", UNITS[unit]) } else { format!("{value:.0} {}", UNITS[unit]) }
}

/// Bytes as lowercase hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// `1 entry`, `2 entries`.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// An RFC 3339 time in this machine's time zone, to the minute; as it is when it cannot be read.
pub fn local_time(rfc3339: &str) -> String {
    match rfc3339.parse::<Timestamp>() {
        Ok(time) => time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string(),
        Err(_) => rfc3339.to_owned(),
    }
}

/// `40 %`, rounded down so that 100 means all.
pub fn percent(done: u64, total: u64) -> String {
    let percent = u128::from(done) * 100 / u128::from(total.max(1));
    format!("{percent} %")
}

/// `3 of 5 entries`, or `all 5 entries`.
pub fn state_of(held: u64, total: u64, one: &str, many: &str) -> String {
    if held >= total {
        match total {
            0 => format!("no {many}"),
            1 => format!("1 {one}"),
            _ => format!("all {total} {many}"),
        }
    } else {
        format!("{held} of {}", counted(total, one, many))
    }
}

/// A duration in words: `30s`, `2m 5s`.
pub fn until(seconds: u64) -> String {
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds}s"),
        (minutes, 0) => format!("{minutes}m"),
        (minutes, seconds) => format!("{minutes}m {seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits() {
        for (bytes, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (20 << 20, "20.0 MiB"),
            (150 << 20, "150 MiB"),
            ((1 << 30) - 1, "1.0 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
    }

    #[test]
    fn a_hundred_percent_means_all() {
        assert_eq!(percent(999, 1000), "99 %");
        assert_eq!(percent(u64::MAX, u64::MAX), "100 %");
        assert_eq!(percent(0, 0), "0 %");
    }

    #[test]
    fn what_is_held_is_told_in_words() {
        assert_eq!(state_of(3, 5, "entry", "entries"), "3 of 5 entries");
        assert_eq!(state_of(5, 5, "entry", "entries"), "all 5 entries");
        assert_eq!(state_of(0, 1, "entry", "entries"), "0 of 1 entry");
        assert_eq!(state_of(0, 0, "file", "files"), "no files");
    }
}
