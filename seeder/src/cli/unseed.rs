//! `peerfeed unseed`

use clap::Args;

use super::Context;
use crate::api::{Failure, Reply, Request};
use crate::ui::counted;

const EXAMPLES: &str = "\
Examples:
  peerfeed unseed feed1…
  peerfeed unseed --codes      no code that `peerfeed seed --code` printed brings a feed any more

What is held of it is removed from this machine, unless you follow it or it is yours.";

/// Stop holding a feed
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Unseed {
    /// Its feed id, or the name under which you follow it
    #[arg(value_name = "FEED", required_unless_present = "codes", conflicts_with = "codes")]
    feed: Option<String>,
    /// Take back every code that was given away
    #[arg(long)]
    codes: bool,
}

impl Unseed {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let show = |terminal: &crate::ui::Terminal, reply| match reply {
            Reply::Feed(feed) => terminal.line(format_args!("no longer seeding {}", feed.feed)),
            Reply::HoldCode(told) => {
                terminal.line(format_args!("took back {}", counted(told.uses, "code", "codes")));
            }
            _ => {}
        };
        let request = self.feed.map_or(Request::UnseedCodes {}, |feed| Request::Unseed { feed });
        context.call(request, show).await
    }
}
