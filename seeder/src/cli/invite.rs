//! `peerfeed invite`

use clap::Args;

use super::Context;
use crate::api::{Failure, Reply, Request};

const EXAMPLES: &str = "\
Examples:
  peerfeed invite                  for a seeder: who has it can hold your feed, not read it
  peerfeed invite --with-key       for a friend: who has it can read what you post to friends

The link names your trackers and seeders. Send one with a key only over a way that you trust.";

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
