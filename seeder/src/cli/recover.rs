//! `peerfeed recover`

use std::time::Duration;

use clap::Args;

use super::add::MAX_LINK_BYTES;
use super::{Context, amount, given_or_stdin, id};
use crate::api::{Failure, Reply, Request, milliseconds};
use crate::ui::Terminal;

const EXAMPLES: &str = "\
Examples:
  peerfeed recover --tracker https://tracker.example/announce
  peerfeed recover - < link.txt                   a link to your feed: a friend's, or an old note
  peerfeed recover --stolen                       your machine was stolen: take the feed back

It asks for your 24 words, fetches your feed from whoever holds it, and makes this folder a new device of it. Your own posts open \
again. Friends, lists, whom you follow and the names that you gave them come back, too: your feed keeps them, sealed for the words.

With `--stolen` a second key from the same words takes over: all other devices are revoked, and whoever has the stolen keys can \
change nothing any more. Then friends and lists do not come back by themselves, since a thief could have added some: `accept` \
those whom you know.";

/// Bring your identity back from its 24 words, on a new machine
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Recover {
    /// A link to your feed, or its feed id; - reads it from standard input
    #[arg(value_name = "LINK")]
    link: Option<String>,
    /// Take the feed back from a thief of the keys
    #[arg(long)]
    stolen: bool,
    /// Keep the identity's key nowhere on this machine, either
    #[arg(long)]
    cold: bool,
    /// How long to look for the feed
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = amount::duration)]
    timeout: Duration,
}

impl Recover {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let link = self.link.map(|link| given_or_stdin(link, "link", MAX_LINK_BYTES)).transpose()?;
        let request =
            Request::Recover { link, stolen: self.stolen, cold: self.cold, timeout_ms: milliseconds(self.timeout) };
        let show = |terminal: &Terminal, reply| {
            let Reply::Identity(identity) = reply else { return };
            terminal.line("Welcome back. Your feed:");
            id::tell(terminal, &identity);
        };
        context.call(request, show).await
    }
}
