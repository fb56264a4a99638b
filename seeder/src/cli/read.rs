//! `peerfeed read`

use clap::Args;

use super::{Context, moment};
use crate::api::{Failure, Reply, Request};
use crate::ui::entry_lines;

const EXAMPLES: &str = "\
Examples:
  peerfeed read                              the newest 20 entries, oldest of them first
  peerfeed read Ann --channel garden
  peerfeed read --since 3d --limit 100
  peerfeed read --grep roses                 searches what this machine can open, and asks nobody
  peerfeed read --follow                     go on with what arrives
  peerfeed read --json | jq -r .text

Only what was fetched is shown: `peerfeed fetch` gets what is new.";

/// Show the timeline
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Read {
    /// Only this feed: a name or feed id
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// At most so many entries, the newest
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// Only this channel
    #[arg(long, value_name = "CHANNEL")]
    channel: Option<String>,
    /// Only entries since then: 2026-11-20, 2026-11-20T18:00, or an age as 2h or 3d
    #[arg(long, value_name = "TIME", value_parser = moment::since)]
    since: Option<u64>,
    /// Only entries with this in the text, the channel or a file's name; capital or small letters are alike
    #[arg(long, value_name = "TEXT")]
    grep: Option<String>,
    /// Entries that no key here opens, too: they are for others, or the key is still to come
    #[arg(long)]
    sealed: bool,
    /// Go on with what arrives, until Ctrl-C
    #[arg(long)]
    follow: bool,
}

impl Read {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let request = Request::Read {
            name: self.name,
            with: None,
            limit: self.limit,
            channel: self.channel,
            containing: self.grep,
            since_ms: self.since,
            sealed: self.sealed,
            follow: self.follow,
        };
        let mut first = true;
        let show = |terminal: &crate::ui::Terminal, reply| {
            let Reply::Entry(entry) = reply else { return };
            if !std::mem::take(&mut first) {
                terminal.line("");
            }
            terminal.line(entry_lines(terminal, &entry));
        };
        context.call(request, show).await
    }
}
