//! Where a tracker is.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::limits::TRACKER_URL_BYTES_MAX;

/// The address of a tracker as a person or a manifest gives it.
///
/// `http://HOST[:PORT][/PATH]`, `https://…`, `udp://HOST:PORT[/PATH]`, or a bare `HOST:PORT`, which is tried over UDP
/// first and then over HTTP. The path defaults to `/announce`. [`fmt::Display`] writes what [`FromStr`] reads.
/// spec: ANN-35, ANN-36
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackerUrl {
    scheme: Scheme,
    host: String,
    port: u16,
    path_and_query: String,
}

/// How a tracker is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
    /// Datagrams.
    Udp,
    /// Not said: UDP first, then HTTP.
    Any,
}

/// Why a text is no tracker's address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrackerUrlError {
    /// Longer than [`TRACKER_URL_BYTES_MAX`].
    #[error("a tracker address has at most {TRACKER_URL_BYTES_MAX} characters, this one has {0}")]
    TooLong(usize),
    /// Neither http, https nor udp.
    #[error("a tracker address begins with http://, https:// or udp://, not {0}://")]
    Scheme(String),
    /// Nothing where the host should be, or characters that no host has.
    #[error("{0:?} is no host name or IP address (write an IPv6 address in brackets: [2001:db8::1]:6969)")]
    Host(String),
    /// Missing where there is no default.
    #[error("the port is missing: write {0}:6969, or whatever port the tracker has")]
    NoPort(String),
    /// Not a number from 1 to 65535.
    #[error("{0:?} is no port (1 to 65535)")]
    Port(String),
    /// Blanks, control or non-ASCII characters.
    #[error("a tracker address holds only printable ASCII characters without blanks; escape others as %XX")]
    Character,
    /// `user:password@host`.
    #[error("a tracker address holds no user name or password")]
    Userinfo,
}

/// Where a tracker listens unless told otherwise.
const DEFAULT_PATH: &str = "/announce";

impl TrackerUrl {
    /// How the tracker is spoken to.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Name or address; an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path and, behind a `?`, the query; `/announce` when the address named none.
    pub fn path_and_query(&self) -> &str {
        &self.path_and_query
    }

    /// Host and port as in a `Host` header or for a resolver.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The addresses to try, in order, each with a definite scheme.
    pub fn attempts(&self) -> Vec<Self> {
        match self.scheme {
            Scheme::Any => vec![self.with_scheme(Scheme::Udp), self.with_scheme(Scheme::Http)],
            _ => vec![self.clone()],
        }
    }

    /// The path and query of a scrape, if this tracker has one: `announce` at the start of the last path segment
    /// becomes `scrape` (BEP 48).
    pub fn scrape_path_and_query(&self) -> Option<String> {
        let path_end = self.path_and_query.find('?').unwrap_or(self.path_and_query.len());
        let (path, query) = self.path_and_query.split_at(path_end);
        let (parents, last) = path.split_at(path.rfind('/')? + 1);
        let rest = last.strip_prefix("announce")?;
        Some(format!("{parents}scrape{rest}{query}"))
    }

    fn with_scheme(&self, scheme: Scheme) -> Self {
        Self { scheme, ..self.clone() }
    }
}

impl Scheme {
    fn prefix(self) -> &'static str {
        match self {
            Self::Http => "http://",
            Self::Https => "https://",
            Self::Udp => "udp://",
            Self::Any => "",
        }
    }

    fn default_port(self) -> Option<u16> {
        match self {
            Self::Http => Some(80),
            Self::Https => Some(443),
            Self::Udp | Self::Any => None,
        }
    }
}

impl FromStr for TrackerUrl {
    type Err = TrackerUrlError;

    fn from_str(text: &str) -> Result<Self, TrackerUrlError> {
        let text = text.trim();
        if text.len() > TRACKER_URL_BYTES_MAX {
            return Err(TrackerUrlError::TooLong(text.len()));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TrackerUrlError::Character);
        }
        let text = text.split_once('#').map_or(text, |(before, _)| before);
        let (scheme, rest) = match text.split_once("://") {
            None => (Scheme::Any, text),
            Some((name, rest)) => match name.to_ascii_lowercase().as_str() {
                "http" => (Scheme::Http, rest),
                "https" => (Scheme::Https, rest),
                "udp" => (Scheme::Udp, rest),
                other => return Err(TrackerUrlError::Scheme(other.to_owned())),
            },
        };
        let (authority, path_and_query) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(TrackerUrlError::Userinfo);
        }
        let (host, port) = parse_authority(authority)?;
        let port = match port {
            Some(port) => port,
            None => scheme.default_port().ok_or_else(|| TrackerUrlError::NoPort(authority.to_owned()))?,
        };
        let path_and_query = match path_and_query {
            "" | "/" => DEFAULT_PATH.to_owned(),
            query if query.starts_with('?') => format!("{DEFAULT_PATH}{query}"),
            path => path.to_owned(),
        };
        let url = Self { scheme, host, port, path_and_query };
        // What is kept and sent to others is the written form, to which port and path may have been added.
        let written_bytes = url.to_string().len();
        if written_bytes > TRACKER_URL_BYTES_MAX {
            return Err(TrackerUrlError::TooLong(written_bytes));
        }
        Ok(url)
    }
}

impl fmt::Display for TrackerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = match (self.scheme, self.path_and_query.as_str()) {
            (Scheme::Any | Scheme::Udp, DEFAULT_PATH) => "",
            (_, path) => path,
        };
        write!(f, "{}{}{path}", self.scheme.prefix(), self.authority())
    }
}

/// Host in lower case, without brackets, and the port if there is one.
fn parse_authority(authority: &str) -> Result<(String, Option<u16>), TrackerUrlError> {
    let no_host = || TrackerUrlError::Host(authority.to_owned());
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (address, port) = rest.split_once(']').ok_or_else(no_host)?;
        let address: Ipv6Addr = address.parse().map_err(|_| no_host())?;
        let port = match port {
            "" => None,
            port => Some(port.strip_prefix(':').ok_or_else(no_host)?),
        };
        (address.to_string(), port)
    } else {
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        };
        if port.is_some_and(|port| port.contains(':')) || !is_host(host) {
            return Err(no_host());
        }
        (host.to_ascii_lowercase(), port)
    };
    let port = port.map(parse_port).transpose()?;
    Ok((host, port))
}

fn parse_port(port: &str) -> Result<u16, TrackerUrlError> {
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    port.parse().ok().filter(|&number| digits && number != 0).ok_or_else(|| TrackerUrlError::Port(port.to_owned()))
}

/// A DNS name or an IPv4 address; one that is all digits and dots must be a proper address.
fn is_host(host: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let numeric = host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let name = host.strip_suffix('.').unwrap_or(host);
    if numeric { host.parse::<Ipv4Addr>().is_ok() } else { name.split('.').all(label) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> TrackerUrl {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn an_address_that_is_too_long_once_written_out_is_refused() {
        // It was taken, and the record into which it went could not be read again.
        let path = "p".repeat(TRACKER_URL_BYTES_MAX - "https://t.example/".len());
        let error = format!("https://t.example/{path}").parse::<TrackerUrl>().unwrap_err();
        assert_eq!(error, TrackerUrlError::TooLong(TRACKER_URL_BYTES_MAX + ":443".len()));
        assert!(format!("https://t.example:443/{}", &path[4..]).parse::<TrackerUrl>().is_ok());
    }

    #[test]
    fn every_form_is_read_and_written_back() {
        for (text, host, port, path, written) in [
            ("http://tracker.example", "tracker.example", 80, "/announce", "http://tracker.example:80/announce"),
            ("https://T.example/x?k=1", "t.example", 443, "/x?k=1", "https://t.example:443/x?k=1"),
            ("udp://10.0.0.1:6969/announce", "10.0.0.1", 6969, "/announce", "udp://10.0.0.1:6969"),
            ("udp://[2001:DB8::1]:1", "2001:db8::1", 1, "/announce", "udp://[2001:db8::1]:1"),
            ("tracker.example:6969", "tracker.example", 6969, "/announce", "tracker.example:6969"),
            (" [::1]:6969/\n", "::1", 6969, "/announce", "[::1]:6969"),
            ("http://h:8?key=1#top", "h", 8, "/announce?key=1", "http://h:8/announce?key=1"),
        ] {
            let url = parse(text);
            assert_eq!((url.host(), url.port(), url.path_and_query()), (host, port, path), "{text}");
            assert_eq!(url.to_string(), written);
            assert_eq!(parse(written), url);
        }
    }

    #[test]
    fn a_bare_host_and_port_is_tried_over_udp_and_then_over_http() {
        let attempts: Vec<_> = parse("h:6969").attempts().iter().map(ToString::to_string).collect();
        assert_eq!(attempts, ["udp://h:6969", "http://h:6969/announce"]);
        assert_eq!(parse("udp://h:6969").attempts().len(), 1);
    }

    #[test]
    fn an_address_that_cannot_be_meant_is_refused_with_a_reason() {
        let long = format!("http://h/{}", "a".repeat(300));
        for (text, reason) in [
            ("", "no host name"),
            ("http://", "no host name"),
            ("wss://h:1", "not wss://"),
            ("udp://tracker.example", "write tracker.example:6969"),
            ("tracker.example", "write tracker.example:6969"),
            ("h:0", "no port"),
            ("h:65536", "no port"),
            ("h:+80", "no port"),
            ("h:", "no port"),
            ("2001:db8::1", "in brackets"),
            ("2001:db8::1:6969", "in brackets"),
            ("[2001:db8::g]:1", "in brackets"),
            ("[::1]6969", "in brackets"),
            ("300.1.1.1:80", "no host name"),
            ("a..b:80", "no host name"),
            ("http://a b:80", "printable"),
            ("http://ä:80", "printable"),
            ("http://user:secret@h:80", "no user name"),
            (&long, "at most 150"),
        ] {
            let error = text.parse::<TrackerUrl>().expect_err(text).to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn a_scrape_takes_the_place_of_the_announce() {
        let scrape = |text: &str| parse(text).scrape_path_and_query();
        assert_eq!(scrape("http://h").as_deref(), Some("/scrape"));
        assert_eq!(scrape("http://h/x/announce.php?k=/y").as_deref(), Some("/x/scrape.php?k=/y"));
        assert_eq!(scrape("http://h/a"), None);
        assert_eq!(scrape("http://h/announce/x"), None);
    }
}
