//! The configuration in force, as a file that documents itself.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::net::SocketAddr;

use super::Config;

/// `config` as TOML, each setting under its meaning, unit and default. Reading it gives `config` again.
pub fn documented(config: &Config) -> String {
    let default = Config::default();
    let mut out = String::from(
        "# peerfeed-tracker: the configuration in force. Nothing has to be set.\n\
         # Order: default, this file (--config FILE), environment (PEERFEED_TRACKER_INTERVAL=30min), flags.\n",
    );
    let mut setting = |meaning: &str, name: &str, value: String, default: String| {
        // Writing to a string cannot fail.
        let _ = write!(out, "\n{}# Default: {default}\n{name} = {value}\n", comment(meaning));
    };
    macro_rules! settings {
        ($($meaning:literal, $name:ident, $show:expr;)+) => {
            $(setting($meaning, stringify!($name), $show(&config.$name), $show(&default.$name));)+
        };
    }
    settings! {
        "Addresses for HTTP (announce at /announce, scrape at /scrape); an empty list means none. [::] takes IPv4 and \
         IPv6 on every address of the machine. In the environment: separated by commas.",
            http, addresses;
        "Addresses for UDP; an empty list means none. Replies leave from the address that was asked.",
            udp, addresses;
        "How often clients are asked to announce; each reply says up to a tenth more or less, so that clients do not \
         come back all at once.",
            interval, quoted;
        "The least time between two announces that clients are asked to keep. Some clients announce this often.",
            min_interval, quoted;
        "How long a peer counts after its last announce: one lost announce must not end it. At least 1.2 times interval.",
            peer_lifetime, quoted;
        "Peers given to a client that names no number.",
            numwant_default, plain;
        "Most peers given in one reply. A UDP reply never exceeds 1232 bytes: 202 IPv4 or 67 IPv6 peers.",
            numwant_max, plain;
        "Memory of the whole process (B, KiB, MiB, GiB), at least 32MiB. The default is a quarter of the machine's or of the \
         control group's. When the swarms' part of it is full, announces are answered, but swarms that never came alive \
         give way to new ones. A swarm of one peer takes up to 90 bytes, each further IPv4 peer about 10.",
            memory, quoted;
        "Threads per UDP address; 0 means one per processor.",
            udp_workers, plain;
        "Most open HTTP connections, of which one address may have an eighth; further ones are closed at once. Each takes \
         4 KiB of a quarter of the memory, 28 KiB after a request, 40 KiB more with TLS.",
            http_connections, plain;
        "Whether 127.0.0.0/8 and ::1 are kept to the limits for one address as well: how often it may ask, how many peers \
         and connections it may have.",
            limit_loopback, plain;
        "A file with the secret of UDP connection ids, 32 hexadecimal digits (openssl rand -hex 16); one that several \
         trackers share lets clients go from one to another. Empty: a new secret at every start.",
            connection_key_file, text;
        "What HTTP replies give as `tracker id`; empty: nothing.",
            tracker_id, text;
        "What HTTP replies tell the user as `warning message`; empty: nothing.",
            warning_message, text;
    }
    out
}

fn addresses(addresses: &[SocketAddr]) -> String {
    let quoted: Vec<_> = addresses.iter().map(quoted).collect();
    format!("[{}]", quoted.join(", "))
}

fn quoted(value: &impl ToString) -> String {
    format!("\"{}\"", value.to_string())
}

/// A TOML string with whatever it must escape.
fn text(value: impl AsRef<OsStr>) -> String {
    toml::Value::String(value.as_ref().to_string_lossy().into_owned()).to_string()
}

fn plain(value: &impl ToString) -> String {
    value.to_string()
}

/// Comment lines of at most 100 characters.
fn comment(text: &str) -> String {
    let mut lines = String::new();
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.len() + 1 + word.len() > 100 {
            lines.push_str(&line);
            lines.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    lines + &line + "\n"
}

#[cfg(test)]
mod tests {
    use super::super::SETTINGS;
    use super::*;

    #[test]
    fn the_printed_configuration_reads_as_itself_and_names_every_setting_with_its_default() {
        let changed = Config {
            http: vec![],
            udp: vec!["127.0.0.1:7".parse().unwrap(), "[::1]:8".parse().unwrap()],
            interval: "20min".parse().unwrap(),
            memory: "33MiB".parse().unwrap(),
            limit_loopback: true,
            connection_key_file: "/etc/a \"key\"".into(),
            warning_message: "two\nlines".to_owned(),
            udp_workers: 2,
            ..Config::default()
        };
        for config in [Config::default(), changed] {
            let text = documented(&config);
            assert_eq!(toml::from_str::<Config>(&text).unwrap(), config);
            let table: toml::Table = toml::from_str(&text).unwrap();
            let mut names: Vec<_> = table.keys().map(String::as_str).collect();
            let mut settings = SETTINGS;
            names.sort_unstable();
            settings.sort_unstable();
            assert_eq!(names, settings);
            assert_eq!(text.matches("# Default: ").count(), settings.len());
        }
        assert!(documented(&Config::default()).contains("# Default: \"30min\"\ninterval = \"30min\"\n"));
    }
}
