//! What an operator can set: defaults, then a TOML file, then the environment, then flags.

mod print;
mod quantity;
mod settings;
mod value;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use peerfeed_protocol::announce::limits::TEXT_BYTES_MAX;
use serde::Deserialize;
use toml::{Table, Value};

pub use print::documented;
pub use quantity::{QuantityError, Size, Span};
pub use settings::{Change, Config, Kind, PORT, STATUS_PORT, Setting};
pub use value::{Memory, Optional};

use crate::access::AccessFiles;
use crate::limit::{MEMORY_BYTES_MIN, WORKERS_MAX};
use crate::tls::CertificateFiles;

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
    #[error("the environment or a flag sets what is not valid: {setting}: {problem}")]
    Value {
        /// The setting and its value.
        setting: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Values that do not go together.
    #[error("{0}")]
    Contradiction(&'static str),
}

/// Variables are named `PEERFEED_TRACKER_` and the setting's name in capitals.
pub const VARIABLE_PREFIX: &str = "PEERFEED_TRACKER_";

/// What the command line sets: the names of settings and the values given, in their order.
#[derive(Clone, Debug, Default)]
pub struct Flags(pub Vec<(&'static Setting, Vec<String>)>);

/// Where clients and operators reach the tracker: who names one of these by a flag means these and no others.
const LISTENERS: [&str; 4] = ["http", "https", "udp", "status"];

impl Config {
    /// Puts the layers together: defaults, `file`, `environment` (name and value of every variable), `flags`.
    ///
    /// A flag for one transport switches the defaults of the others off: who names addresses means these.
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
        let flags = flags.read();
        let is_listener = |name: &str| LISTENERS.contains(&name);
        // The status page alone is no place where a tracker serves.
        let serves = |name: &str| is_listener(name) && name != "status";
        if flags.keys().any(|name| serves(name)) && !settings.keys().any(|name| serves(name)) {
            for name in LISTENERS {
                settings.entry(name).or_insert(Value::Array(vec![]));
            }
        }
        settings.extend(flags);
        let config = Self::deserialize(settings.clone()).map_err(|error| ConfigError::value(&settings, &error))?;
        config.check()?;
        Ok(config)
    }

    /// The settings whose values differ from those of `other`.
    pub fn differing(&self, other: &Self) -> Vec<&'static Setting> {
        let values = self.shown().into_iter().zip(other.shown());
        Self::SETTINGS.iter().zip(values).filter(|(_, (own, other))| own != other).map(|(setting, _)| setting).collect()
    }

    /// Where the lists of hashes are.
    pub fn access_files(&self) -> AccessFiles {
        AccessFiles { allow: self.allow_list.0.clone(), deny: self.deny_list.0.clone() }
    }

    /// Where the certificate is, if there is one.
    pub fn certificate_files(&self) -> Option<CertificateFiles> {
        Some(CertificateFiles { certificate: self.tls_certificate.0.clone()?, key: self.tls_key.0.clone()? })
    }

    fn check(&self) -> Result<(), ConfigError> {
        let minute = Duration::from_secs(60);
        let is_long = |text: &Optional<String>| text.0.as_ref().is_some_and(|text| text.len() > TEXT_BYTES_MAX);
        let is_http = |address: &SocketAddr| self.http.contains(address) || self.https.contains(address);
        let problem = if self.http.is_empty() && self.https.is_empty() && self.udp.is_empty() {
            "there is nothing to listen on: give --http ADDR, --https ADDR or --udp ADDR"
        } else if self.tls_certificate.0.is_some() != self.tls_key.0.is_some() {
            "tls_certificate and tls_key go together: set both"
        } else if !self.https.is_empty() && self.tls_key.0.is_none() {
            "https needs a certificate: set tls_certificate and tls_key"
        } else if self.https.is_empty() && self.tls_key.0.is_some() {
            "there is a certificate but no address for it: set https"
        } else if !self.proxy_protocol.iter().all(is_http) {
            "each address in proxy_protocol must be one in http or https"
        } else if !self.proxy_protocol.is_empty() && self.trusted_proxies.is_empty() {
            "proxy_protocol needs to know whom to believe: set trusted_proxies"
        } else if self.group.0.is_some() && self.user.0.is_none() {
            "group needs a user: set user"
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
        } else if matches!(self.memory, Memory::Set(size) if size.0 < MEMORY_BYTES_MIN) {
            "memory must be at least 32MiB"
        } else if usize::from(self.udp_workers) > WORKERS_MAX {
            "udp_workers must be at most 64"
        } else if self.http_connections == 0 {
            "http_connections must be at least 1"
        } else if [&self.tracker_id, &self.warning_message].iter().any(|text| is_long(text)) {
            "tracker_id and warning_message have at most 512 bytes: they are in every HTTP reply"
        } else {
            return Ok(());
        };
        Err(ConfigError::Contradiction(problem))
    }
}

impl ConfigError {
    /// The whole does not know which of its parts is wrong, so that each is tried alone.
    fn value(settings: &Table, error: &toml::de::Error) -> Self {
        let is_wrong = |part: &Table| Config::deserialize(part.clone()).is_err();
        let mut parts = settings.iter().map(|(name, value)| Table::from_iter([(name.clone(), value.clone())]));
        let setting = parts.find(is_wrong).unwrap_or_default().to_string().trim_end().to_owned();
        Self::Value { setting, problem: explained(error.message()) }
    }
}

fn read_file(path: &Path) -> Result<Table, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    let invalid = |error: toml::de::Error| ConfigError::File {
        path: path.to_owned(),
        problem: explained(error.to_string().trim_end()),
    };
    // Read as a whole first: only this error knows the line.
    toml::from_str::<Config>(&text).map_err(invalid)?;
    toml::from_str(&text).map_err(invalid)
}

/// The words of the standard library say nothing of what an address looks like.
fn explained(problem: &str) -> String {
    if problem.contains("socket address") {
        format!("{problem}; write it as 192.0.2.1:{PORT}, or [::]:{PORT} for all addresses of this machine")
    } else {
        problem.to_owned()
    }
}

fn read_environment(variables: impl IntoIterator<Item = (String, String)>) -> Result<Table, ConfigError> {
    let mut settings = Table::new();
    for (name, value) in variables {
        let Some(wanted) = name.strip_prefix(VARIABLE_PREFIX).map(str::to_ascii_lowercase) else { continue };
        let Some(setting) = Config::SETTINGS.iter().find(|setting| setting.name == wanted) else {
            return Err(ConfigError::UnknownVariable(name));
        };
        let values: Vec<_> = match setting.kind {
            Kind::List => value.split(',').map(str::trim).filter(|item| !item.is_empty()).collect(),
            _ => vec![value.as_str()],
        };
        settings.insert(wanted, setting.read(&values));
    }
    Ok(settings)
}

impl Flags {
    fn read(&self) -> Table {
        let read = |(setting, values): &(&Setting, Vec<String>)| {
            let values: Vec<_> = values.iter().map(String::as_str).collect();
            (setting.name.to_owned(), setting.read(&values))
        };
        self.0.iter().map(read).collect()
    }
}

impl Setting {
    /// What is written in a variable or a flag, as a file would have it.
    fn read(&self, values: &[&str]) -> Value {
        // A flag given again takes the place of the one before.
        let last = values.last().copied().unwrap_or_default().to_owned();
        match self.kind {
            Kind::List => Value::Array(values.iter().map(|&value| Value::String(value.to_owned())).collect()),
            Kind::Text => Value::String(last),
            Kind::Number => last.parse().map_or(Value::String(last), Value::Integer),
            Kind::Switch => last.parse().map_or(Value::String(last), Value::Boolean),
        }
    }
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

    fn flags(given: &[(&str, &[&str])]) -> Flags {
        let find = |name: &str| Config::SETTINGS.iter().find(|setting| setting.name == name).unwrap();
        let text = |values: &[&str]| values.iter().map(|&value| value.to_owned()).collect();
        Flags(given.iter().map(|(name, values)| (find(name), text(values))).collect())
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
        let given = flags(&[("http", &["127.0.0.1:3"]), ("numwant_max", &["100", "98"])]);
        let config = Config::load(Some(file.path()), environment.clone(), &given).unwrap();
        assert_eq!((config.limit_loopback, config.tracker_id.0.as_deref()), (true, Some("7")));
        assert_eq!(config.memory, Memory::Set(Size(77 << 20)));
        assert_eq!(config.interval.0.as_secs(), 50 * 60);
        assert_eq!(config.peer_lifetime.0.as_secs(), 2 * 3600);
        assert_eq!((config.udp_workers, config.numwant_max, config.numwant_default), (3, 98, 50));
        assert_eq!((config.http, config.udp), (vec![address("127.0.0.1:3")], vec![address("127.0.0.1:1")]));
        let config = Config::load(Some(file.path()), environment, &Flags::default()).unwrap();
        assert_eq!(config.http, [address("127.0.0.1:2"), address("[::1]:2")]);
    }

    #[test]
    fn a_flag_for_one_transport_switches_the_defaults_of_the_others_off() {
        let config = Config::load(None, [], &flags(&[("udp", &["127.0.0.1:0"])])).unwrap();
        assert_eq!((config.http, config.udp, config.status), (vec![], vec![address("127.0.0.1:0")], vec![]));
        let config = Config::load(None, [], &flags(&[("status", &["127.0.0.1:0"]), ("memory", &["1GiB"])])).unwrap();
        assert_eq!((config.http, config.status), (Config::default().http, vec![address("127.0.0.1:0")]));
        assert_eq!(config.memory, Memory::Set(Size(1 << 30)));
    }

    #[test]
    fn what_has_changed_is_told_by_setting() {
        let changed = Config { interval: "40min".parse().unwrap(), udp_workers: 3, ..Config::default() };
        let differing = changed.differing(&Config::default());
        let told: Vec<_> = differing.iter().map(|setting| (setting.name, setting.change)).collect();
        assert_eq!(told, [("interval", Change::OnReload), ("udp_workers", Change::OnStart)]);
    }

    #[test]
    fn an_unknown_setting_is_refused_by_name() {
        let file = file("interval = \"30min\"\nintervall = \"40min\"\n");
        let error = Config::load(Some(file.path()), [], &Flags::default()).unwrap_err().to_string();
        assert!(error.contains("`intervall`") && error.contains("line 2"), "{error}");
        let environment = variables(&[("PEERFEED_TRACKER_INTERVALL", "1")]);
        let error = Config::load(None, environment, &Flags::default()).unwrap_err().to_string();
        assert!(error.contains("PEERFEED_TRACKER_INTERVALL"), "{error}");
        let error = Config::load(None, [], &flags(&[("http", &["localhost"]), ("udp", &["[::]:1"])])).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("http = [\"localhost\"]: invalid socket address"), "{error}");
        assert!(
            error.ends_with("; write it as 192.0.2.1:6969, or [::]:6969 for all addresses of this machine"),
            "{error}"
        );
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
            ("tls_key = \"/k\"", "go together"),
            ("https = [\"[::]:443\"]", "needs a certificate"),
            ("tls_key = \"/k\"\ntls_certificate = \"/c\"", "no address"),
            ("proxy_protocol = [\"[::]:1\"]", "one in http or https"),
            ("proxy_protocol = [\"[::]:6969\"]", "trusted_proxies"),
            ("trusted_proxies = [\"10.0.0.1/8\"]", "is 10.0.0.0/8 meant"),
            ("group = \"nogroup\"", "group needs a user"),
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
