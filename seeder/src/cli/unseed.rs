//! `peerfeed unseed`

use clap::Args;

use super::Context;
use crate::api::{Failure, Reply, Request};

const EXAMPLES: &str = "\
Example:
  peerfeed unseed feed1…

What is held of it is removed from this machine, unless you follow it or it is yours.";

/// Stop holding a feed
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Unseed {
    /// Its feed id, or the name under which you follow it
    #[arg(value_name = "FEED")]
    feed: String,
}

impl Unseed {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let show = |terminal: &crate::ui::Terminal, reply| {
            let Reply::Feed(feed) = reply else { return };
            terminal.line(format_args!("no longer seeding {}", feed.feed));
        };
        context.call(Request::Unseed { feed: self.feed }, show).await
    }
}
