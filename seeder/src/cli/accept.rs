//! `peerfeed accept`

use clap::Args;

use super::Context;
use crate::api::{Failure, Reply, Request};
use crate::ui::{Paint, Safe};

const EXAMPLES: &str = "\
Examples:
  peerfeed accept Ben                  Ben reads everything that you post to friends, old posts too
  peerfeed accept Ben --from-now       only what you post from now on
  peerfeed accept Ben --seed           and Ben's feed is held here for others, too

`peerfeed requests` shows who asks. Who has not asked has to be followed first, with the link that they gave you. Compare \
the six words by voice: they are the same on Ben's machine under `peerfeed id`.";

/// Make somebody a friend: let them read what you post to friends
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Accept {
    /// Their name or feed id
    #[arg(value_name = "NAME")]
    name: String,
    /// Nothing that was posted before
    #[arg(long)]
    from_now: bool,
    /// Hold their feed for others, too
    #[arg(long)]
    seed: bool,
    /// Your own name for them
    #[arg(long = "name", value_name = "PETNAME")]
    petname: Option<String>,
}

impl Accept {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let show = |terminal: &crate::ui::Terminal, reply| {
            let Reply::Friend(friend) = reply else { return };
            let name = terminal.paint(Paint::Strong, Safe::line(friend.name.as_ref().unwrap_or(&friend.feed)));
            let known = friend.change.as_deref() == Some("known");
            let becomes = if known { "is your friend already" } else { "is your friend now" };
            let reads = if friend.from_now { "what you post from now on" } else { "everything you post to friends" };
            terminal.line(format_args!("{name} {becomes}, and reads {reads}"));
            terminal.line(format_args!("  {}", friend.fingerprint));
        };
        let Self { name, from_now, seed, petname } = self;
        context.call(Request::Accept { name, from_now, seed, petname }, show).await
    }
}
