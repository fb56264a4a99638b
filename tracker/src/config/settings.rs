//! Every setting once: name, type, meaning, default. Flags, environment, file, `--help` and `--print-config` follow from it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use peerfeed_protocol::announce::limits::{INTERVAL_DEFAULT, NUMWANT_DEFAULT, NUMWANT_MAX};
use serde::Deserialize;

use super::quantity::Span;
use super::value::{Memory, Optional, Shown};
use crate::proxy::Networks;

/// The port for HTTP and UDP.
pub const PORT: u16 = 6969;

/// The port of the status page and the metrics.
pub const STATUS_PORT: u16 = 6970;

/// What is known of a setting besides its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name in a file; in the environment in capitals, as a flag with hyphens.
    pub name: &'static str,
    /// What it does, in sentences.
    pub meaning: &'static str,
    /// How it is written.
    pub kind: Kind,
    /// What `--help` calls its value.
    pub value_name: &'static str,
    /// When a change counts.
    pub change: Change,
}

/// How a setting is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Texts: a flag may be given several times, a variable separates them by commas.
    List,
    /// A text.
    Text,
    /// A number without unit.
    Number,
    /// `true` or `false`.
    Switch,
}

/// When a changed setting counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// With the next SIGHUP.
    OnReload,
    /// With the next start.
    OnStart,
}

macro_rules! settings {
    ($($(#[doc = $meaning:literal])+ $name:ident: $type:ty = $default:expr, $kind:ident($value_name:literal), $change:ident;)+) => {
        /// The configuration in force. Each field's meaning, unit and default are printed by `--print-config`.
        #[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
        #[serde(default, deny_unknown_fields)]
        pub struct Config { $($(#[doc = $meaning])+ pub $name: $type,)+ }

        impl Default for Config {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        impl Config {
            /// Every setting, in the order of the printed configuration.
            pub const SETTINGS: &'static [Setting] = &[$(Setting {
                name: stringify!($name),
                meaning: concat!($($meaning),+),
                kind: Kind::$kind,
                value_name: $value_name,
                change: Change::$change,
            }),+];

            /// The values as they stand in a file, in the order of [`SETTINGS`](Self::SETTINGS).
            pub fn shown(&self) -> Vec<String> {
                vec![$(self.$name.shown()),+]
            }
        }
    };
}

settings! {
    /// Listen for HTTP on this address and port (announce at /announce, scrape at /scrape).
    /// `[::]` takes IPv4 and IPv6 on every address of the machine; port 0 takes a free one; an empty list means none.
    http: Vec<SocketAddr> = vec![everywhere()], List("ADDR"), OnStart;

    /// Listen for HTTPS on this address and port.
    /// TLS 1.3 and 1.2, with resumption of sessions; needs a certificate and its key. Usual is `[::]:443`.
    https: Vec<SocketAddr> = vec![], List("ADDR"), OnStart;

    /// Listen for UDP on this address and port.
    /// Replies leave from the address that was asked; an empty list means none.
    udp: Vec<SocketAddr> = vec![everywhere()], List("ADDR"), OnStart;

    /// Show the status page, /metrics for Prometheus, /stats.json and /health on this address and port.
    /// Anybody who reaches it may look: keep it local, or behind a proxy that asks who it is. An empty list means none.
    status: Vec<SocketAddr> = vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), STATUS_PORT)], List("ADDR"), OnStart;

    /// Certificate chain for HTTPS, in PEM.
    /// The tracker's own certificate first. Read again on SIGHUP; open connections go on.
    tls_certificate: Optional<PathBuf> = Optional(None), Text("FILE"), OnReload;

    /// Private key of the certificate, in PEM.
    /// Read before root is given up, and again on SIGHUP.
    tls_key: Optional<PathBuf> = Optional(None), Text("FILE"), OnReload;

    /// Believe reverse proxies in this network what they say about the client's address.
    /// An address alone, or with the length of its prefix (10.0.0.0/8). Of X-Forwarded-For, the rightmost address that is
    /// not itself of such a network counts. From elsewhere the header is ignored.
    trusted_proxies: Networks = Networks::default(), List("NETWORK"), OnStart;

    /// Expect a PROXY protocol v2 header on this one of the HTTP and HTTPS addresses.
    /// Connections without one, and connections from outside the trusted networks, are closed.
    proxy_protocol: Vec<SocketAddr> = vec![], List("ADDR"), OnStart;

    /// Serve only the hashes in this file.
    /// 40 hexadecimal digits per line, a comment after #. Read again on SIGHUP. Empty: every hash is served.
    allow_list: Optional<PathBuf> = Optional(None), Text("FILE"), OnReload;

    /// Do not serve the hashes in this file.
    /// Written and read as the allow list; a hash on both is not served.
    deny_list: Optional<PathBuf> = Optional(None), Text("FILE"), OnReload;

    /// How often clients are asked to announce.
    /// Each reply says up to a tenth more or less, so that clients do not come back all at once.
    interval: Span = Span(INTERVAL_DEFAULT), Text("SPAN"), OnReload;

    /// The least time between two announces that clients are asked to keep.
    /// Some clients announce this often.
    min_interval: Span = Span(Duration::from_secs(15 * 60)), Text("SPAN"), OnReload;

    /// How long a peer counts after its last announce.
    /// At least 1.2 times the interval: one lost announce must not end it.
    peer_lifetime: Span = Span(Duration::from_secs(45 * 60)), Text("SPAN"), OnReload;

    /// Peers given to a client that names no number.
    numwant_default: u16 = NUMWANT_DEFAULT, Number("COUNT"), OnReload;

    /// Most peers given in one reply.
    /// A UDP reply never exceeds 1232 bytes: 202 IPv4 or 67 IPv6 peers.
    numwant_max: u16 = NUMWANT_MAX, Number("COUNT"), OnReload;

    /// Memory that the whole process may take (B, KiB, MiB, GiB), at least 32MiB, or auto.
    /// auto is a quarter of what the machine or the control group has, whichever is less. When the swarms' part of it is
    /// full, announces are answered, but swarms that never came alive give way to new ones. A swarm of one peer takes up to
    /// 75 bytes, each further IPv4 peer about 10.
    memory: Memory = Memory::Auto, Text("SIZE"), OnStart;

    /// Threads per UDP address; 0 means one per processor.
    udp_workers: u16 = 0, Number("COUNT"), OnStart;

    /// Most open HTTP and HTTPS connections, of which one address may have an eighth.
    /// Further ones are closed at once. Each takes 4 KiB of a quarter of the memory, 28 KiB after a request, 40 KiB more
    /// with TLS.
    http_connections: u32 = 10_000, Number("COUNT"), OnStart;

    /// Whether loopback addresses are kept to the limits for one address as well.
    /// How often it may ask, how many peers and connections it may have.
    limit_loopback: bool = false, Switch("BOOL"), OnStart;

    /// Make UDP connection ids under the secret in this file.
    /// 32 hexadecimal digits (openssl rand -hex 16); one that several trackers share lets clients go from one to another.
    /// Empty: a new secret at every start.
    connection_key_file: Optional<PathBuf> = Optional(None), Text("FILE"), OnStart;

    /// What HTTP replies give as `tracker id`.
    /// Empty: nothing. At most 512 bytes.
    tracker_id: Optional<String> = Optional(None), Text("TEXT"), OnReload;

    /// What HTTP replies tell the user as `warning message`.
    /// Empty: nothing. At most 512 bytes.
    warning_message: Optional<String> = Optional(None), Text("TEXT"), OnReload;

    /// Become this user once every port is bound.
    /// Only root can; files that are read again later must be readable for the user. Empty: stay who started it.
    user: Optional<String> = Optional(None), Text("NAME"), OnStart;

    /// Become this group with the user.
    /// Empty: the user's own group.
    group: Optional<String> = Optional(None), Text("NAME"), OnStart;
}

fn everywhere() -> SocketAddr {
    SocketAddr::from(([0u16; 8], PORT))
}

impl Setting {
    /// The flag without its hyphens in front.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// The first sentence of the meaning, without its full stop.
    pub fn summary(&self) -> &'static str {
        let meaning = self.meaning.trim();
        meaning.split_once(". ").map_or(meaning, |(first, _)| first).trim_end_matches('.')
    }
}

impl Shown for Networks {
    fn shown(&self) -> String {
        super::value::list(self.as_slice())
    }
}
