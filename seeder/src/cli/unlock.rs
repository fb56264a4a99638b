//! `peerfeed unlock`

use clap::Args;

use super::Context;
use crate::api::{Failure, Reply, Request};
use crate::ui::Terminal;

const EXAMPLES: &str = "\
Examples:
  peerfeed unlock
  peerfeed unlock --passphrase-file - < passphrase

A daemon without the passphrase holds and serves; with it, it also opens what arrives and grants keys to new friends.";

/// Open the sealed keys to the running daemon, until it ends
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Unlock {}

impl Unlock {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let show = |terminal: &Terminal, reply| {
            let Reply::Keys(keys) = reply else { return };
            terminal.line(match keys.state.as_str() {
                "open" => "the key files are not sealed: `peerfeed passwd` seals them",
                _ => "unlocked",
            });
        };
        context.call(Request::Unlock {}, show).await
    }
}
