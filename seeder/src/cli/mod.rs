//! The commands. Each file holds one: its flags and help, what it asks of the engine, how it shows the answer.

mod accept;
mod add;
mod amount;
mod ask;
mod completions;
mod context;
#[cfg(feature = "demo")]
mod demo;
mod dm;
mod export;
mod fetch;
mod friends;
mod get;
mod global;
mod id;
mod import;
mod init;
mod invite;
mod list;
mod man;
mod moment;
mod mute;
mod passwd;
mod post;
mod read;
mod recover;
mod refuse;
mod remove;
mod requests;
mod run;
mod seed;
mod seeders;
mod status;
mod trackers;
mod unfollow;
mod unlock;
mod unseed;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

pub use context::Context;
pub use global::Global;

use crate::api::Failure;
use crate::ui::Terminal;

const EXAMPLES: &str = "\
First minute:
  peerfeed demo                                   see the whole system on this machine
  peerfeed init --name Ann                        a new identity
  peerfeed post \"hello\" --attach rose.png         publish to friends
  peerfeed dm Ben \"only for you\"                  a message that only Ben can read
  peerfeed list add family Ben                    a list of friends, to post to
  peerfeed invite                                 a link to your feed, good for one new friend
  peerfeed add peerfeed:… --name Ben              follow somebody, and ask to be friends
  peerfeed requests                               who asks; `peerfeed accept NAME` says yes
  peerfeed fetch && peerfeed read                 get what is new, read it
  peerfeed seed peerfeed:… && peerfeed run        hold a feed for somebody, without reading it

Environment:
  PEERFEED_DATA=DIR                               data folder
  PEERFEED_LOG=peerfeed=debug                     what goes on inside, on standard error
  NO_COLOR=1                                      no colours

Exit codes: 0 done, 1 a plain no, 2 failure.";

/// Columns of help on a terminal that has as many or more.
const WIDTH: usize = 100;

/// Version of the program and of the protocol that it speaks.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (protocol 1)");

/// Feeds that travel like torrents: signed, end-to-end encrypted, held and served by anyone.
#[derive(Debug, Parser)]
#[command(name = "peerfeed", version = VERSION, about, after_help = EXAMPLES, propagate_version = true, max_term_width = WIDTH)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Init),
    Recover(recover::Recover),
    Passwd(passwd::Passwd),
    Unlock(unlock::Unlock),
    Export(export::Export),
    Import(import::Import),
    Id(id::Id),
    Post(post::Post),
    Dm(dm::Dm),
    List(list::List),
    Invite(invite::Invite),
    Add(add::Add),
    Requests(requests::Requests),
    Accept(accept::Accept),
    Refuse(refuse::Refuse),
    Friends(friends::Friends),
    Remove(remove::Remove),
    Mute(mute::Mute),
    Unfollow(unfollow::Unfollow),
    Fetch(fetch::Fetch),
    Read(read::Read),
    Get(get::Get),
    Run(run::Run),
    Seed(seed::Seed),
    Unseed(unseed::Unseed),
    Seeders(seeders::Seeders),
    Trackers(trackers::Trackers),
    Status(status::Status),
    #[cfg(feature = "demo")]
    Demo(demo::Demo),
    #[cfg(feature = "demo")]
    #[command(hide = true)]
    DemoTracker(demo::DemoTracker),
    Completions(completions::Completions),
    Man(man::Man),
}

impl Cli {
    /// Reads the command line. What is wrong with it, or the help that it asks for, is shown, and the process is to end so.
    pub fn read() -> Result<Self, ExitCode> {
        Self::try_parse().map_err(|error| {
            let is_read_by_program = error.use_stderr() && std::env::args_os().any(|arg| arg == "--json");
            if is_read_by_program {
                Terminal::plain(true).failure(&refused(&error));
            } else {
                // Nowhere is left to tell that nothing can be told.
                let _ = error.print();
            }
            ExitCode::from(if error.use_stderr() { 2 } else { 0 })
        })
    }

    /// Runs the command that the process was started with.
    pub async fn run(self) -> ExitCode {
        let context = Context::new(self.global);
        #[cfg(feature = "demo")]
        if let Command::DemoTracker(tracker) = self.command {
            return tracker.run().await;
        }
        let outcome = self.command.run(&context).await;
        match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                context.terminal().failure(&failure);
                ExitCode::from(failure.exit_code())
            }
        }
    }

    /// Where messages for operators go: standard error, filtered by `PEERFEED_LOG`.
    pub fn start_log() {
        let colors = Terminal::detect(false).colors_aside();
        let filter = tracing_subscriber::EnvFilter::try_from_env("PEERFEED_LOG")
            .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(colors)
            .without_time()
            .init();
    }
}

impl Command {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Init(command) => command.run(context).await,
            Self::Recover(command) => command.run(context).await,
            Self::Passwd(command) => command.run(context).await,
            Self::Unlock(command) => command.run(context).await,
            Self::Export(command) => command.run(context).await,
            Self::Import(command) => command.run(context).await,
            Self::Id(command) => command.run(context).await,
            Self::Post(command) => command.run(context).await,
            Self::Dm(command) => command.run(context).await,
            Self::List(command) => command.run(context).await,
            Self::Invite(command) => command.run(context).await,
            Self::Add(command) => command.run(context).await,
            Self::Requests(command) => command.run(context).await,
            Self::Accept(command) => command.run(context).await,
            Self::Refuse(command) => command.run(context).await,
            Self::Friends(command) => command.run(context).await,
            Self::Remove(command) => command.run(context).await,
            Self::Mute(command) => command.run(context).await,
            Self::Unfollow(command) => command.run(context).await,
            Self::Fetch(command) => command.run(context).await,
            Self::Read(command) => command.run(context).await,
            Self::Get(command) => command.run(context).await,
            Self::Run(command) => command.run(context).await,
            Self::Seed(command) => command.run(context).await,
            Self::Unseed(command) => command.run(context).await,
            Self::Seeders(command) => command.run(context).await,
            Self::Trackers(command) => command.run(context).await,
            Self::Status(command) => command.run(context).await,
            #[cfg(feature = "demo")]
            Self::Demo(command) => command.run(context).await,
            #[cfg(feature = "demo")]
            Self::DemoTracker(_) => unreachable!("it was run before"),
            Self::Completions(command) => {
                command.run(context.terminal());
                Ok(())
            }
            Self::Man(command) => command.run(),
        }
    }
}

/// What is wrong with a command line, as a sentence and what to do next.
fn refused(error: &clap::Error) -> Failure {
    let text = error.to_string();
    let mut lines = text.lines().map(str::trim);
    let first: Vec<&str> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    let message = first.join(" ");
    let hint = "`peerfeed help` names the commands, and `--help` after one of them what it takes";
    Failure::failed(message.strip_prefix("error: ").unwrap_or(&message)).hint(hint)
}

/// The whole command line, for completions and manual pages.
fn definition() -> clap::Command {
    Cli::command()
}

/// Text that was given as `-` is read from standard input, at most `limit` bytes of it.
fn given_or_stdin(given: String, what: &str, limit: u64) -> Result<String, Failure> {
    use std::io::Read;
    if given != "-" {
        return Ok(given);
    }
    let mut text = String::new();
    let read = std::io::stdin().lock().take(limit + 1).read_to_string(&mut text);
    read.map_err(|error| Failure::failed(format!("cannot read the {what} from standard input: {error}")))?;
    if text.len() as u64 > limit {
        return Err(Failure::failed(format!("the {what} on standard input is longer than {limit} bytes")));
    }
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() {
        return Err(Failure::failed(format!("no {what} on standard input")));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        definition().debug_assert();
    }

    #[test]
    fn every_command_has_help_and_an_example() {
        for command in definition().get_subcommands().filter(|command| !command.is_hide_set()) {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name} has no help");
            let example = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(example.contains(&format!("peerfeed {name}")), "{name} has no example");
        }
    }

    #[test]
    fn the_terminal_breaks_the_lines_of_help_and_not_its_writer() {
        for command in definition().get_subcommands().chain([&definition()]) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let mut before = "";
            for line in help.lines() {
                let is_text = |line: &str| !line.is_empty() && !line.starts_with(' ');
                assert!(!is_text(before) || !is_text(line), "{}: {before} / {line}", command.get_name());
                assert!(is_text(line) || line.chars().count() <= WIDTH, "{}: {line}", command.get_name());
                before = line;
            }
        }
    }

    #[test]
    fn the_port_in_the_help_is_the_one_that_is_taken() {
        let help = definition().find_subcommand("run").and_then(|run| run.get_after_help()).unwrap().to_string();
        assert!(help.contains(&format!("port {}", peerfeed_protocol::limits::DEFAULT_PEER_PORT)));
    }
}
