//! What an operator can set: defaults, then a TOML file, then the environment, then flags.

mod print;
mod quantity;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use peerfeed_protocol::announce::limits::{INTERVAL_DEFAULT, NUMWANT_DEFAULT, NUMWANT_MAX, TEXT_BYTES_MAX};
use serde::Deserialize;
use toml::{Table, Value};

pub use print::documented;
pub use quantity::{QuantityError, Size, Span};

use crate::host::Host;
use crate::limit::{MEMORY_BYTES_MIN, UDP_WORKERS_MAX};

/// The configuration in force. Each field's meaning, unit and default are printed by `--print-config`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Addresses for HTTP.
    pub http: Vec<SocketAddr>,
    /// Addresses for UDP.
    pub udp: Vec<SocketAddr>,
    /// How often clients are asked to announce, on average.
    pub interval: Span,
    /// The least time between two announces that clients are asked to keep.
    pub min_interval: Span,
    /// How long a peer counts after its last announce.
    pub peer_lifetime: Span,
    /// Peers given to a client that names no number.
    pub numwant_default: u16,
    /// Most peers given in one reply.
    pub numwant_max: u16,
    /// Bytes that the process may take.
    pub memory: Size,
    /// Threads per UDP address; 0 means one per processor.
    pub udp_workers: u16,
    /// Most open HTTP connections.
    pub http_connections: u32,
    /// Whether loopback addresses are kept to the limits of a customer.
    pub limit_loopback: bool,
    /// The secret of UDP connection ids; none when empty.
    pub connection_key_file: PathBuf,
    /// `tracker id` of HTTP replies; none when empty.
    pub tracker_id: String,
    /// `warning message` of HTTP replies; none when empty.
    pub warning_message: String,
}

/// Why there is no configuration. All of these are for the operator.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there, or may not be read.
    #[error("cannot read the configuration file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The file is no TOML, or sets what does not exist.
    #[error("the configuration file {} is not valid: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Where and why, with the offending line.
        problem: String,
    },
    /// A variable sets what does not exist.
    #[error("the environment variable {0} is unknown: `peerfeed-tracker --print-config` lists what can be set")]
    UnknownVariable(String),
    /// A variable or flag cannot be read.
    #[error("the environment or a flag sets what is not valid: {0}")]
    Value(String),
    /// Values that do not go together.
    #[error("{0}")]
    Contradiction(&'static str),
}

/// Variables are named `PEERFEED_TRACKER_` and the setting's name in capitals.
pub const VARIABLE_PREFIX: &str = "PEERFEED_TRACKER_";

/// Every setting, in the order of the printed configuration.
const SETTINGS: [&str; 14] = [
    "http",
    "udp",
    "interval",
    "min_interval",
    "peer_lifetime",
    "numwant_default",
    "numwant_max",
    "memory",
    "udp_workers",
    "http_connections",
    "limit_loopback",
    "connection_key_file",
    "tracker_id",
    "warning_message",
];

impl Default for Config {
    fn default() -> Self {
        let everywhere = SocketAddr::from(([0u16; 8], 6969));
        Self {
            http: vec![everywhere],
            udp: vec![everywhere],
            interval: Span(INTERVAL_DEFAULT),
            min_interval: Span(Duration::from_secs(15 * 60)),
            peer_lifetime: Span(Duration::from_secs(45 * 60)),
            numwant_default: NUMWANT_DEFAULT,
            numwant_max: NUMWANT_MAX,
            // Whole MiB, so that it can be read.
            memory: Size((Host::new().default_budget_bytes() >> 20 << 20).max(MEMORY_BYTES_MIN)),
            udp_workers: 0,
            http_connections: 10_000,
            limit_loopback: false,
            connection_key_file: PathBuf::new(),
            tracker_id: String::new(),
            warning_message: String::new(),
        }
    }
}

/// What the command line sets; an empty list leaves a setting as it is.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--http`.
    pub http: Vec<SocketAddr>,
    /// `--udp`.
    pub udp: Vec<SocketAddr>,
    /// `--memory`.
    pub memory: Option<Size>,
}

impl Config {
    /// Puts the layers together: defaults, `file`, `environment` (name and value of every variable), `flags`.
    ///
    /// A flag for one transport switches the default of the other one off: who names addresses means these.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: &Flags,
    ) -> Result<Self, ConfigError> {
        let mut settings = match file {
            Some(path) => read_file(path)?,
            None => Table::new(),
        };
        settings.extend(read_environment(environment)?);
        let listeners_named = settings.contains_key("http") || settings.contains_key("udp");
        let mut config = Self::deserialize(settings).map_err(|error| ConfigError::Value(error.message().to_owned()))?;
        if !flags.http.is_empty() || !flags.udp.is_empty() {
            if !listeners_named || !flags.http.is_empty() {
                config.http.clone_from(&flags.http);
            }
            if !listeners_named || !flags.udp.is_empty() {
                config.udp.clone_from(&flags.udp);
            }
        }
        config.memory = flags.memory.unwrap_or(config.memory);
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let minute = Duration::from_secs(60);
        let problem = if self.http.is_empty() && self.udp.is_empty() {
            "there is nothing to listen on: give --http ADDR or --udp ADDR"
        } else if self.interval.0 < minute {
            "interval must be at least 1min: clients would spend their time announcing"
        } else if self.min_interval.0 > self.interval.0 {
            "min_interval must not be longer than interval"
        } else if self.peer_lifetime.0 < self.interval.0 + self.interval.0 / 5 {
            "peer_lifetime must be at least 1.2 times interval: peers would be forgotten before they come back"
        } else if self.peer_lifetime.0 > 5 * 24 * 60 * minute {
            "peer_lifetime must be at most 5d"
        } else if self.numwant_default > self.numwant_max {
            "numwant_default must not be more than numwant_max"
        } else if self.memory.0 < MEMORY_BYTES_MIN {
            "memory must be at least 32MiB"
        } else if usize::from(self.udp_workers) > UDP_WORKERS_MAX {
            "udp_workers must be at most 64"
        } else if self.http_connections == 0 {
            "http_connections must be at least 1"
        } else if self.tracker_id.len().max(self.warning_message.len()) > TEXT_BYTES_MAX {
            "tracker_id and warning_message have at most 512 bytes: they are in every HTTP reply"
        } else {
            return Ok(());
        };
        Err(ConfigError::Contradiction(problem))
    }
}

fn read_file(path: &Path) -> Result<Table, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    let invalid = |error: toml::de::Error| ConfigError::File {
        path: path.to_owned(),
        problem: error.to_string().trim_end().to_owned(),
    };
    // Read as a whole first: only this error knows the line.
    toml::from_str::<Config>(&text).map_err(invalid)?;
    toml::from_str(&text).map_err(invalid)
}

fn read_environment(variables: impl IntoIterator<Item = (String, String)>) -> Result<Table, ConfigError> {
    let mut settings = Table::new();
    for (name, value) in variables {
        let Some(setting) = name.strip_prefix(VARIABLE_PREFIX).map(str::to_ascii_lowercase) else { continue };
        if !SETTINGS.contains(&setting.as_str()) {
            return Err(ConfigError::UnknownVariable(name));
        }
        let value = match setting.as_str() {
            "http" | "udp" => {
                let addresses = value.split(',').map(str::trim).filter(|address| !address.is_empty());
                Value::Array(addresses.map(|address| Value::String(address.to_owned())).collect())
            }
            "connection_key_file" | "tracker_id" | "warning_message" => Value::String(value),
            "limit_loopback" => value.parse().map_or(Value::String(value), Value::Boolean),
            _ => value.parse().map_or(Value::String(value), Value::Integer),
        };
        settings.insert(setting, value);
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_environment_goes_over_the_file_and_a_flag_over_both() {
        let file = file("interval = \"40min\"\npeer_lifetime = \"2h\"\nudp_workers = 3\nudp = [\"127.0.0.1:1\"]\n");
        let environment = variables(&[
            ("PEERFEED_TRACKER_INTERVAL", "50min"),
            ("PEERFEED_TRACKER_HTTP", "127.0.0.1:2, [::1]:2"),
            ("PEERFEED_TRACKER_NUMWANT_MAX", "99"),
            ("PEERFEED_TRACKER_MEMORY", "77MiB"),
            ("PEERFEED_TRACKER_LIMIT_LOOPBACK", "true"),
            ("PEERFEED_TRACKER_TRACKER_ID", "7"),
            ("HOME", "/root"),
        ]);
        let flags = Flags { http: vec![address("127.0.0.1:3")], memory: Some(Size(99 << 20)), ..Flags::default() };
        let config = Config::load(Some(file.path()), environment.clone(), &flags).unwrap();
        assert_eq!((config.memory.0, config.limit_loopback, config.tracker_id.as_str()), (99 << 20, true, "7"));
        assert_eq!(config.interval.0.as_secs(), 50 * 60);
        assert_eq!(config.peer_lifetime.0.as_secs(), 2 * 3600);
        assert_eq!((config.udp_workers, config.numwant_max, config.numwant_default), (3, 99, 50));
        assert_eq!((config.http, config.udp), (flags.http, vec![address("127.0.0.1:1")]));
        let config = Config::load(Some(file.path()), environment, &Flags::default()).unwrap();
        assert_eq!(config.http, [address("127.0.0.1:2"), address("[::1]:2")]);
        assert_eq!(config.memory.0, 77 << 20);
    }

    #[test]
    fn a_flag_for_one_transport_switches_the_default_of_the_other_off() {
        let flags = Flags { udp: vec![address("127.0.0.1:0")], ..Flags::default() };
        let config = Config::load(None, [], &flags).unwrap();
        assert_eq!((config.http, config.udp), (vec![], flags.udp));
    }

    #[test]
    fn an_unknown_setting_is_refused_by_name() {
        let file = file("interval = \"30min\"\nintervall = \"40min\"\n");
        let error = Config::load(Some(file.path()), [], &Flags::default()).unwrap_err().to_string();
        assert!(error.contains("`intervall`") && error.contains("line 2"), "{error}");
        let environment = variables(&[("PEERFEED_TRACKER_INTERVALL", "1")]);
        let error = Config::load(None, environment, &Flags::default()).unwrap_err().to_string();
        assert!(error.contains("PEERFEED_TRACKER_INTERVALL"), "{error}");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_a_reason() {
        for (text, reason) in [
            ("interval = \"30\"", "unit"),
            ("interval = 30", "30"),
            ("memory = \"5 bananas\"", "5 bananas"),
            ("http = [\"localhost\"]", "socket address"),
            ("http = []\nudp = []", "nothing to listen on"),
            ("interval = \"10s\"", "at least 1min"),
            ("min_interval = \"31min\"", "min_interval"),
            ("peer_lifetime = \"31min\"", "peer_lifetime"),
            ("peer_lifetime = \"6d\"", "5d"),
            ("numwant_default = 300", "numwant_default"),
            ("memory = \"1KiB\"", "at least 32MiB"),
            ("limit_loopback = 1", "boolean"),
            ("udp_workers = 65", "udp_workers"),
            ("http_connections = 0", "http_connections"),
        ] {
            let error = Config::load(Some(file(text).path()), [], &Flags::default()).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Config::load(Some(Path::new("/nowhere/at/all.toml")), [], &Flags::default()).unwrap_err();
        assert!(error.to_string().contains("/nowhere/at/all.toml"));
    }
}
