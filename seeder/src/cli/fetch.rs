//! `peerfeed fetch`

use std::time::Duration;

use clap::Args;

use super::{Context, amount};
use crate::api::{Failure, Reply, Request, milliseconds};
use crate::ui::{Paint, Safe, counted, size};

const EXAMPLES: &str = "\
Examples:
  peerfeed fetch                     everybody you follow
  peerfeed fetch Ann --files         with all files
  peerfeed fetch --newest 50         only the newest 50 entries of each; a later fetch gets the rest
  peerfeed fetch --timeout 5s
  peerfeed fetch && peerfeed read

Exit code 1 when nobody who has the feed answered; the message names each one tried.";

/// Get what is new, now
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Fetch {
    /// Names or feed ids; all that you follow when none is given
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Get the files too; without it, `peerfeed get ENTRY` gets those of one entry
    #[arg(long)]
    files: bool,
    /// Of each feed only the newest N entries; a daemon gets the rest too, when it runs
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    newest: Option<u64>,
    /// How long to try
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = amount::duration)]
    timeout: Duration,
}

impl Fetch {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let Self { names, files, newest, timeout } = self;
        let request = Request::Fetch { names, files, newest, timeout_ms: milliseconds(timeout) };
        let show = |terminal: &crate::ui::Terminal, reply| {
            let Reply::Fetched(fetched) = reply else {
                return;
            };
            let mut parts = vec![match fetched.new_entries {
                0 => format!("nothing new, {} here", counted(fetched.entries, "entry", "entries")),
                new => format!("{} new, {} here", counted(new, "entry", "entries"), fetched.entries),
            }];
            if fetched.file_bytes > 0 {
                parts.push(format!("{} of files", size(fetched.file_bytes)));
            }
            if !fetched.complete {
                parts.push(terminal.paint(Paint::Warn, "not complete yet"));
            }
            let name = terminal.paint(Paint::Strong, Safe::line(&fetched.name));
            terminal.line(format_args!("{name}: {}", parts.join("; ")));
        };
        context.call(request, show).await
    }
}
