//! `peerfeed friends`

use clap::Args;

use super::Context;
use crate::api::{Failure, Friend, Reply, Request};
use crate::ui::{Paint, Safe, Terminal, local_time};

const EXAMPLES: &str = "\
Example:
  peerfeed friends

Friends are those who may read what you post to friends: `peerfeed accept NAME` adds one, `peerfeed remove NAME` takes one \
away.";

/// Show your friends, with six words each to compare by voice
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Friends {}

impl Friends {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let show = |terminal: &Terminal, reply| {
            if let Reply::Friend(friend) = reply {
                show(terminal, &friend);
            }
        };
        context.call(Request::Friends {}, show).await
    }
}

fn show(terminal: &Terminal, friend: &Friend) {
    let name = Safe::line(friend.name.as_deref().unwrap_or("(no name)")).to_string();
    let since = local_time(&friend.since);
    let reads = if friend.from_now { "reads what you post since" } else { "reads everything, since" };
    let state = if friend.granted { "" } else { "; waits for the key until their feed was fetched" };
    terminal.line(format_args!("{}  {reads} {since}{state}", terminal.paint(Paint::Strong, name)));
    terminal.line(format_args!("  {}", terminal.paint(Paint::Name, &friend.feed)));
    terminal.line(format_args!("  {}", friend.fingerprint));
}
