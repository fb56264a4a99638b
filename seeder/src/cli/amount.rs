//! Amounts as people write them: `30s`, `5GiB`.

use std::time::Duration;

/// Reads a duration such as `30s`, `5m`, `1h30m`; a bare number counts seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "write a duration as 30s, 5m or 1h30m".to_owned();
    if let Ok(seconds) = text.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    let duration: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    duration.try_into().map_err(|_| wrong())
}

/// Reads a duration as [`duration`] does, or days such as `7d`.
pub(super) fn days_or_duration(text: &str) -> Result<Duration, String> {
    let days = text.trim().strip_suffix('d').and_then(|days| days.parse::<u64>().ok());
    let read = match days {
        Some(days) => Duration::from_secs(days.saturating_mul(86_400)),
        None => duration(text).map_err(|_| "write a duration as 30m, 12h or 7d".to_owned())?,
    };
    if read.is_zero() || read > Duration::from_secs(366 * 86_400) {
        return Err("an invitation is good for a second at least and a year at most".to_owned());
    }
    Ok(read)
}

/// Reads a size such as `500MiB`, `5GiB`, `20GB`; a bare number counts bytes.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let wrong = || "write a size as 500MiB, 5GiB or 20GB".to_owned();
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..split].parse().map_err(|_| wrong())?;
    let unit: u64 = match text[split..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit).ok_or_else(|| "that is more than any disk holds".to_owned())
}

/// Reads a rate in bytes per second such as `500KiB` or `2MB/s`.
pub(super) fn rate(text: &str) -> Result<u64, String> {
    let text = text.trim();
    match size(text.strip_suffix("/s").unwrap_or(text)) {
        Ok(0) => Err("nothing at all would pass".to_owned()),
        Ok(rate) => Ok(rate),
        Err(_) => Err("write a rate in bytes per second as 500KiB or 2MB/s".to_owned()),
    }
}

/// Reads a rate, or `none` as 0.
pub(super) fn rate_or_none(text: &str) -> Result<u64, String> {
    if text.trim() == "none" { Ok(0) } else { rate(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_written() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("7"), Ok(Duration::from_secs(7)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert!(duration("-5s").is_err());
        assert!(duration("soon").is_err());
    }

    #[test]
    fn rates_are_read_as_written() {
        assert_eq!(rate("500KiB"), Ok(500 << 10));
        assert_eq!(rate("2MB/s"), Ok(2_000_000));
        assert!(rate("0").is_err() && rate("fast").is_err());
        assert_eq!((rate_or_none("none"), rate_or_none("1kB/s")), (Ok(0), Ok(1_000)));
    }

    #[test]
    fn sizes_are_read_as_written() {
        assert_eq!(size("5GiB"), Ok(5 << 30));
        assert_eq!(size("20 GB"), Ok(20_000_000_000));
        assert_eq!(size("1024"), Ok(1024));
        assert!(size("5 apples").is_err());
        assert!(size("99999999999TiB").is_err());
        assert!(size("").is_err());
    }
}
