//! Spans of time and sizes as people write them: `30min`, `256MiB`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// A span of time: a number with `s`, `min`, `h` or `d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// A number of bytes: a number with `B`, `KiB`, `MiB`, `GiB`, or `kB`, `MB`, `GB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// A text that is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {what}: write a whole number and a unit ({units})")]
pub struct QuantityError {
    text: String,
    what: &'static str,
    units: &'static str,
}

/// The longest unit first, so that the shortest form is printed.
const SPAN_UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
const SIZE_UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl FromStr for Span {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let seconds = parse(text, &SPAN_UNITS).ok_or_else(|| QuantityError {
            text: text.to_owned(),
            what: "span of time",
            units: "s, min, h, d",
        })?;
        Ok(Self(Duration::from_secs(seconds)))
    }
}

impl FromStr for Size {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let bytes = parse(text, &SIZE_UNITS).ok_or_else(|| QuantityError {
            text: text.to_owned(),
            what: "size",
            units: "B, KiB, MiB, GiB, kB, MB, GB",
        })?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(self.0.as_secs(), &SPAN_UNITS, f)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(self.0, &SIZE_UNITS, f)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.trim().bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.trim().split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

fn print(value: u64, units: &[(&str, u64)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (unit, factor) = units
        .iter()
        .find(|(_, factor)| value.is_multiple_of(*factor) && value >= *factor)
        .unwrap_or(&units[units.len() - 1]);
    write!(f, "{}{unit}", value / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_and_written_in_their_shortest_form() {
        for (text, seconds, written) in [
            ("30min", 1800, "30min"),
            ("90 min", 5400, "90min"),
            ("120min", 7200, "2h"),
            ("0s", 0, "0s"),
            ("7d", 604_800, "7d"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!((span.0.as_secs(), span.to_string().as_str()), (seconds, written));
        }
        for (text, bytes, written) in
            [("256MiB", 256 << 20, "256MiB"), ("5GB", 5_000_000_000, "5GB"), ("1000B", 1000, "1kB")]
        {
            let size: Size = text.parse().unwrap();
            assert_eq!((size.0, size.to_string().as_str()), (bytes, written));
        }
    }

    #[test]
    fn a_number_without_a_unit_or_beyond_64_bits_is_refused() {
        for text in ["", "30", "min", "-5s", "1.5h", "30 Min", "99999999999999999999s", "99999999999999999d"] {
            let error = text.parse::<Span>().expect_err(text).to_string();
            assert!(error.contains("s, min, h, d"), "{error}");
        }
        assert!("1TB".parse::<Size>().is_err());
    }
}
