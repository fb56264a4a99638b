//! Options that every command takes.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use peerfeed_protocol::announce::TrackerUrl;

/// Options that every command takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub struct Global {
    /// Data folder [default: ~/.local/share/peerfeed]
    #[arg(long, global = true, value_name = "DIR", env = "PEERFEED_DATA", hide_env_values = true)]
    pub data: Option<PathBuf>,
    /// Ask this tracker too: URL or HOST:PORT; may be repeated
    #[arg(long = "tracker", global = true, value_name = "URL", value_parser = tracker)]
    pub trackers: Vec<String>,
    /// Listen here: ADDR:PORT, a port, or none; may be repeated
    #[arg(long, global = true, value_name = "ADDR", value_parser = listen)]
    pub listen: Vec<Listen>,
    /// Read the passphrase of the key files from this file; - is standard input
    #[arg(long, global = true, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Read the 24 words from this file, where they are needed; - is standard input
    #[arg(long, global = true, value_name = "FILE")]
    pub words_file: Option<PathBuf>,
    /// One JSON object per line instead of text
    #[arg(long, global = true)]
    pub json: bool,
}

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Nowhere.
    None,
    /// On this address.
    At(SocketAddr),
    /// On all addresses, this port.
    Port(u16),
}

impl Global {
    /// Addresses to listen on: as given, none for `none`, absent when nothing was said.
    pub fn listen_addrs(&self) -> Option<Vec<SocketAddr>> {
        if self.listen.is_empty() {
            return None;
        }
        let mut addresses = Vec::new();
        for listen in &self.listen {
            match *listen {
                Listen::None => {}
                Listen::At(address) => addresses.push(address),
                Listen::Port(port) => addresses.push((std::net::Ipv6Addr::UNSPECIFIED, port).into()),
            }
        }
        Some(addresses)
    }
}

fn tracker(text: &str) -> Result<String, String> {
    text.parse::<TrackerUrl>().map(|url| url.to_string()).map_err(|error| error.to_string())
}

fn listen(text: &str) -> Result<Listen, String> {
    if text == "none" {
        return Ok(Listen::None);
    }
    if let Ok(port) = text.trim_start_matches(':').parse() {
        return Ok(Listen::Port(port));
    }
    text.parse().map(Listen::At).map_err(|_| "write ADDR:PORT as 192.0.2.1:4040 or [::]:4040, a port, or none".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_takes_an_address_a_port_or_none() {
        assert_eq!(listen("none"), Ok(Listen::None));
        assert_eq!(listen("4040"), Ok(Listen::Port(4040)));
        assert_eq!(listen(":4040"), Ok(Listen::Port(4040)));
        assert_eq!(listen("127.0.0.1:0"), Ok(Listen::At("127.0.0.1:0".parse().unwrap())));
        assert!(listen("localhost").unwrap_err().contains("none"));
    }
}
