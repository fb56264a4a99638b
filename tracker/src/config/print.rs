//! The configuration in force, as a file that documents itself.

use std::fmt::Write as _;

use super::Config;

/// `config` as TOML, each setting under its meaning, unit and default. Reading it gives `config` again.
pub fn documented(config: &Config) -> String {
    let mut out = String::from(
        "# peerfeed-tracker: the configuration in force. Nothing has to be set.\n\
         # Order: default, this file (--config FILE), environment (PEERFEED_TRACKER_INTERVAL=30min), flags (--interval 30min).\n",
    );
    let values = config.shown().into_iter().zip(Config::default().shown());
    for (setting, (value, default)) in Config::SETTINGS.iter().zip(values) {
        let (meaning, name) = (comment(setting.meaning), setting.name);
        // Writing to a string cannot fail.
        let _ = write!(out, "\n{meaning}# Default: {default}\n{name} = {value}\n");
    }
    out
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
    use super::super::{Memory, Optional, Size};
    use super::*;

    #[test]
    fn the_printed_configuration_reads_as_itself_and_names_every_setting_with_its_default() {
        let changed = Config {
            http: vec![],
            udp: vec!["127.0.0.1:7".parse().unwrap(), "[::1]:8".parse().unwrap()],
            interval: "20min".parse().unwrap(),
            memory: Memory::Set(Size(33 << 20)),
            deny_list: Optional(Some("/etc/a \"list\"".into())),
            user: Optional(Some("nobody".to_owned())),
            limit_loopback: true,
            warning_message: Optional(Some("two\nlines".to_owned())),
            udp_workers: 2,
            ..Config::default()
        };
        for config in [Config::default(), changed] {
            let text = documented(&config);
            assert_eq!(toml::from_str::<Config>(&text).unwrap(), config);
            let table: toml::Table = toml::from_str(&text).unwrap();
            let mut names: Vec<_> = table.keys().map(String::as_str).collect();
            let mut settings: Vec<_> = Config::SETTINGS.iter().map(|setting| setting.name).collect();
            names.sort_unstable();
            settings.sort_unstable();
            assert_eq!(names, settings);
            assert_eq!(text.matches("# Default: ").count(), settings.len());
        }
        assert!(documented(&Config::default()).contains("# Default: \"30min\"\ninterval = \"30min\"\n"));
    }
}
