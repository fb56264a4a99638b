//! `peerfeed mute`

use clap::Args;

use super::Context;
use crate::api::{Failure, Reply, Request};
use crate::ui::Safe;

const EXAMPLES: &str = "\
Examples:
  peerfeed mute Ben                    `peerfeed read` leaves Ben out, `peerfeed read Ben` does not
  peerfeed mute Ben --undo

Only this machine knows. Their feed is still fetched and served.";

/// Leave somebody out of what `read` shows
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Mute {
    /// Their name or feed id
    #[arg(value_name = "NAME")]
    name: String,
    /// Show them again
    #[arg(long)]
    undo: bool,
}

impl Mute {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let show = |terminal: &crate::ui::Terminal, reply| {
            let Reply::Feed(feed) = reply else { return };
            let name = Safe::line(feed.name.as_ref().unwrap_or(&feed.feed)).to_string();
            let state = if feed.muted { "is left out of what `peerfeed read` shows" } else { "is shown again" };
            terminal.line(format_args!("{name} {state}"));
        };
        context.call(Request::Mute { name: self.name, undo: self.undo }, show).await
    }
}
