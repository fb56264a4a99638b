//! Flags: a few of their own, and one per setting.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgAction, ArgMatches, Args as _, Command, FromArgMatches as _};
use clap_complete::Shell;

use crate::config::{Change, Config, Flags, Kind, Setting};

const NAME: &str = "peerfeed-tracker";

const ABOUT: &str =
    "A BitTorrent tracker: tells the peers of a swarm about each other, over HTTP, HTTPS and UDP, IPv4 and IPv6";

const ABOUT_LONG: &str = "\
A BitTorrent tracker: tells the peers of a swarm about each other, over HTTP, HTTPS and UDP, IPv4 and IPv6.

Keeps everything in memory and needs no configuration: without addresses it listens on port 6969 of all of them for HTTP \
and UDP, and shows its state on http://127.0.0.1:6970/. Clients announce every 30 min; a peer counts for 45 min.";

const AFTER: &str = "\
Each setting may also stand in the file, as `--print-config` shows it, or in the environment: \
PEERFEED_TRACKER_INTERVAL=30min. A flag goes over the environment, that over the file. Naming addresses by flags switches the default ones off.

Signals: SIGHUP reads lists, certificate and settings again; SIGTERM and SIGINT end it.
Exit codes: 0 done or ended by a signal, 2 failure.

Examples:
  peerfeed-tracker
  peerfeed-tracker --http [::]:80 --udp [::]:6969 --status 127.0.0.1:6970 --user nobody
  peerfeed-tracker --https [::]:443 --tls-certificate chain.pem --tls-key key.pem
  peerfeed-tracker --config /etc/peerfeed-tracker.toml --check-config";

/// What the command line asks for.
#[derive(Debug)]
pub(super) struct Arguments {
    pub(super) config: Option<PathBuf>,
    pub(super) flags: Flags,
    pub(super) task: Task,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    Serve,
    PrintConfig,
    CheckConfig,
    Man,
    Completions(Shell),
}

/// The flags that are no settings.
#[derive(clap::Args, Debug)]
struct Own {
    /// Read settings from this TOML file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Print the configuration in force, each setting under its meaning and default, and end
    #[arg(long, group = "task")]
    print_config: bool,

    /// Read everything that is configured, say what is wrong with it or with the machine, and end
    #[arg(long, group = "task")]
    check_config: bool,

    /// Print the manual page and end
    #[arg(long, group = "task")]
    man: bool,

    /// Print a script that completes these flags in your shell, and end
    #[arg(long, value_name = "SHELL", group = "task")]
    completions: Option<Shell>,
}

impl Arguments {
    pub(super) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let matches = definition().try_get_matches_from(args)?;
        let own = Own::from_arg_matches(&matches)?;
        let task = match own.completions {
            Some(shell) => Task::Completions(shell),
            None if own.print_config => Task::PrintConfig,
            None if own.check_config => Task::CheckConfig,
            None if own.man => Task::Man,
            None => Task::Serve,
        };
        Ok(Self { config: own.config, flags: flags(&matches), task })
    }
}

impl Task {
    /// The text of a task that only prints.
    pub(super) fn render(self) -> std::io::Result<Vec<u8>> {
        let mut text = vec![];
        match self {
            Self::Man => clap_mangen::Man::new(definition()).render(&mut text)?,
            Self::Completions(shell) => clap_complete::generate(shell, &mut definition(), NAME, &mut text),
            Self::Serve | Self::PrintConfig | Self::CheckConfig => {}
        }
        Ok(text)
    }
}

fn definition() -> Command {
    let command = Command::new(NAME).version(env!("CARGO_PKG_VERSION")).max_term_width(110);
    Own::augment_args(command)
        // Afterwards: the flags bring texts of their own.
        .about(ABOUT)
        .long_about(ABOUT_LONG)
        .after_help(AFTER)
        .next_help_heading("Settings")
        .args(Config::SETTINGS.iter().map(argument))
}

fn argument(setting: &'static Setting) -> Arg {
    let meaning: Vec<_> = setting.meaning.split_whitespace().collect();
    let reload = match setting.change {
        Change::OnReload => "; changes on SIGHUP",
        Change::OnStart => "",
    };
    let position = Config::SETTINGS.iter().position(|other| other == setting).expect("it is one of them");
    let default = Config::default().shown().swap_remove(position);
    let several = if setting.kind == Kind::List { " May be given several times." } else { "" };
    Arg::new(setting.name)
        .long(setting.flag())
        .value_name(setting.value_name)
        .action(if setting.kind == Kind::List { ArgAction::Append } else { ArgAction::Set })
        .value_parser(NonEmptyStringValueParser::new())
        .help(setting.summary())
        .long_help(format!("{}{several}\n[default: {default}{reload}]", meaning.join(" ")))
}

fn flags(matches: &ArgMatches) -> Flags {
    let given = Config::SETTINGS.iter().filter_map(|setting| {
        let values = matches.get_many::<String>(setting.name)?;
        Some((setting, values.cloned().collect()))
    });
    Flags(given.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_hang_together() {
        definition().debug_assert();
    }

    #[test]
    fn every_setting_is_a_flag_with_its_meaning_and_default_in_the_help() {
        let help = definition().render_long_help().to_string();
        assert!(help.starts_with("A BitTorrent tracker: ") && help.contains("Signals: SIGHUP"), "{help}");
        for setting in Config::SETTINGS {
            assert!(help.contains(&format!("--{} <{}>", setting.flag(), setting.value_name)), "{}", setting.name);
            let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(words(&help).contains(&words(setting.meaning)), "{}", setting.name);
        }
        assert!(help.contains("[default: \"30min\"; changes on SIGHUP]"), "{help}");
    }

    #[test]
    fn what_is_given_is_handed_on_by_setting() {
        let args = ["peerfeed-tracker", "--udp", "[::]:1", "--udp", "[::]:2", "--interval", "20min", "--check-config"];
        let arguments = Arguments::parse(args.map(OsString::from)).unwrap();
        let given: Vec<_> = arguments.flags.0.iter().map(|(setting, values)| (setting.name, values.len())).collect();
        assert_eq!((given, arguments.task), (vec![("udp", 2), ("interval", 1)], Task::CheckConfig));
    }
}
