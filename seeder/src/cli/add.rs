//! `peerfeed add`

use clap::Args;

use super::{Context, given_or_stdin, requests};
use crate::api::{Failure, Reply, Request};
use crate::ui::{Paint, Safe};

const EXAMPLES: &str = "\
Examples:
  peerfeed add peerfeed:… --name Ann
  peerfeed add feed1… --tracker https://tracker.example/announce
  peerfeed add - < link.txt                       keeps the link out of the shell's history
  peerfeed add peerfeed:… --follow-only           asks nothing of its owner

The owner is asked to be friends, if you have a feed of your own (`peerfeed init`): at once with an invitation in the link, \
else when they accept. Neither of you need be online at the same time. Then `peerfeed fetch` gets what is new.";

/// Most bytes of a link.
pub(super) const MAX_LINK_BYTES: u64 = 16_384;

/// Follow a feed, and ask its owner to be friends
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Add {
    /// The link or feed id; - reads it from standard input
    #[arg(value_name = "LINK|FEED-ID")]
    link: String,
    /// Your own name for it
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Ask nothing of its owner
    #[arg(long)]
    follow_only: bool,
}

impl Add {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let link = given_or_stdin(self.link, "link", MAX_LINK_BYTES)?;
        let asks = !self.follow_only;
        let show = |terminal: &crate::ui::Terminal, reply| {
            let feed = match reply {
                Reply::Feed(feed) => feed,
                Reply::Request(request) => return requests::show_asked(terminal, &request),
                _ => return,
            };
            let name = feed.name.as_deref().unwrap_or("this feed");
            let known = if feed.change.as_deref() == Some("known") { "already following" } else { "following" };
            let key = if feed.readable { "" } else { " (its public entries, until its owner accepts you)" };
            terminal.line(format_args!("{known} {}{key}", terminal.paint(Paint::Strong, Safe::line(name))));
            terminal.line(format_args!("  {}", terminal.paint(Paint::Name, &feed.feed)));
            terminal.line("Next: `peerfeed fetch`, then `peerfeed read`.");
        };
        context.call(Request::Add { link, name: self.name, follow_only: !asks }, show).await
    }
}
