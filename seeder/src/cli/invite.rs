//! `peerfeed invite`

use clap::Args;

use super::Context;
use crate::api::{Failure, Reply, Request};

const EXAMPLES: &str = "\
Examples:
  peerfeed invite                  who has it can follow or hold your feed, and reads what is public
  peerfeed invite --with-key       who has it can read what you post to friends, until you remove somebody

The link names your trackers and seeders. A friend needs no key in it: follow each other (`peerfeed add LINK`), then
`peerfeed accept NAME`. Send a link with a key only over a way that you trust.";

/// Print a link to your feed
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Invite {
    /// Put the friends key into the link
    #[arg(long)]
    with_key: bool,
}

impl Invite {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let show = |terminal: &crate::ui::Terminal, reply| {
            let Reply::Link(link) = reply else { return };
            terminal.line(&link.link);
        };
        context.call(Request::Invite { with_key: self.with_key }, show).await
    }
}
