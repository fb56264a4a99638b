//! `peerfeed unfollow`

use clap::Args;

use super::Context;
use crate::api::{Failure, Reply, Request};
use crate::ui::Safe;

const EXAMPLES: &str = "\
Example:
  peerfeed unfollow Ann

What was fetched of it is removed from this machine, unless it is also seeded here.";

/// Stop following a feed
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Unfollow {
    /// Its name or feed id
    #[arg(value_name = "NAME")]
    name: String,
}

impl Unfollow {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let show = |terminal: &crate::ui::Terminal, reply| {
            let Reply::Feed(feed) = reply else { return };
            terminal.line(format_args!("no longer following {}", Safe::line(feed.name.as_ref().unwrap_or(&feed.feed))));
        };
        context.call(Request::Unfollow { name: self.name }, show).await
    }
}
