//! How values are written: what a file, a variable and `--print-config` have in common.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use super::quantity::{Size, Span};
use crate::host::Host;

/// A text that may be empty, which means none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Optional<T>(pub Option<T>);

/// How much memory the tracker may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Memory {
    /// A quarter of what the host gives.
    #[default]
    Auto,
    /// So much.
    Set(Size),
}

impl Memory {
    /// In bytes.
    pub fn bytes(self, host: &Host) -> u64 {
        match self {
            Self::Auto => host.default_budget_bytes(),
            Self::Set(size) => size.0,
        }
    }
}

impl FromStr for Memory {
    type Err = <Size as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim() == "auto" { Ok(Self::Auto) } else { text.parse().map(Self::Set) }
    }
}

impl<'de> Deserialize<'de> for Memory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Optional<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let value = (!text.is_empty()).then(|| text.parse().map_err(serde::de::Error::custom));
        Ok(Self(value.transpose()?))
    }
}

/// A value as TOML.
pub(super) trait Shown {
    fn shown(&self) -> String;
}

macro_rules! shown {
    ($($type:ty: $value:ident => $text:expr;)+) => {
        $(impl Shown for $type {
            fn shown(&self) -> String {
                let $value = self;
                $text
            }
        })+
    };
}

shown! {
    Span: span => quoted(span);
    Vec<SocketAddr>: addresses => list(addresses);
    u16: number => number.to_string();
    u32: number => number.to_string();
    bool: switch => switch.to_string();
    Optional<String>: text => quoted(text.0.as_deref().unwrap_or_default());
    Optional<PathBuf>: path => quoted(path.0.as_deref().map_or_else(Default::default, |path| path.to_string_lossy()));
    Memory: budget => match budget {
        Memory::Auto => quoted("auto"),
        Memory::Set(size) => quoted(size),
    };
}

/// An array of texts.
pub(super) fn list(values: &[impl Display]) -> String {
    let values: Vec<_> = values.iter().map(quoted).collect();
    format!("[{}]", values.join(", "))
}

fn quoted(value: impl Display) -> String {
    toml::Value::String(value.to_string()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_text_means_none_and_any_other_itself() {
        #[derive(Deserialize)]
        struct File {
            a: Optional<PathBuf>,
            b: Optional<String>,
        }
        let file: File = toml::from_str("a = \"\"\nb = \"x\"").unwrap();
        assert_eq!((file.a, file.b), (Optional(None), Optional(Some("x".to_owned()))));
    }

    #[test]
    fn memory_is_auto_or_a_size() {
        assert_eq!("auto".parse(), Ok(Memory::Auto));
        assert_eq!("33MiB".parse(), Ok(Memory::Set(Size(33 << 20))));
        assert!("half".parse::<Memory>().unwrap_err().to_string().contains("MiB"));
        assert_eq!(Memory::Set(Size(7)).bytes(&Host::new()), 7);
        assert_eq!(Memory::Auto.bytes(&Host::new()), Host::new().default_budget_bytes());
    }

    #[test]
    fn a_path_with_a_quotation_mark_is_written_so_that_it_reads_as_itself() {
        let path = Optional(Some(PathBuf::from("/a \"b\"\\c")));
        let text = format!("a = {}", path.shown());
        let table: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(table["a"].as_str(), Some("/a \"b\"\\c"));
    }
}
