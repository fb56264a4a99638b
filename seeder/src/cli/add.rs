//! `peerfeed add`

use clap::Args;

use super::{Context, given_or_stdin};
use crate::api::{Failure, Reply, Request};
use crate::ui::{Paint, Safe};

const EXAMPLES: &str = "\
Examples:
  peerfeed add peerfeed:… --name Ann
  peerfeed add feed1… --tracker https://tracker.example/announce
  peerfeed add - < link.txt                       keeps the link out of the shell's history

Then `peerfeed fetch` gets what is new.";

/// Most bytes of a link.
pub(super) const MAX_LINK_BYTES: u64 = 16_384;

/// Follow a feed
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Add {
    /// The link or feed id; - reads it from standard input
    #[arg(value_name = "LINK|FEED-ID")]
    link: String,
    /// Your own name for it
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

impl Add {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let link = given_or_stdin(self.link, "link", MAX_LINK_BYTES)?;
        let show = |terminal: &crate::ui::Terminal, reply| {
            let Reply::Feed(feed) = reply else { return };
            let name = feed.name.as_deref().unwrap_or("this feed");
            let known = if feed.change.as_deref() == Some("known") { "already following" } else { "following" };
            let key = if feed.readable { "" } else { " (its public entries, until its owner accepts you)" };
            terminal.line(format_args!("{known} {}{key}", terminal.paint(Paint::Strong, Safe::line(name))));
            terminal.line(format_args!("  {}", terminal.paint(Paint::Name, &feed.feed)));
            terminal.line("Next: `peerfeed fetch`, then `peerfeed read`.");
            if !feed.readable {
                terminal
                    .line("To become friends, send back your own link (`peerfeed invite`): each accepts the other.");
            }
        };
        context.call(Request::Add { link, name: self.name }, show).await
    }
}
