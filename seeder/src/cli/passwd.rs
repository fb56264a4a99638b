//! `peerfeed passwd`

use std::path::PathBuf;

use clap::Args;

use super::{Context, ask};
use crate::api::{Failure, Reply, Request};
use crate::ui::Terminal;

const EXAMPLES: &str = "\
Examples:
  peerfeed passwd                                 asks for a new passphrase, twice
  peerfeed passwd --remove                        leaves the key files open again
  peerfeed passwd --passphrase-file old --new-passphrase-file new

It seals the keys of identity and device. Nobody can reset it: without it, only your 24 words bring the identity back. A daemon \
that was started without it serves and seeds all the same; `peerfeed unlock` opens the keys to it.";

/// Seal the key files under a passphrase, or change it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Passwd {
    /// Read the new passphrase from this file; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "remove")]
    new_passphrase_file: Option<PathBuf>,
    /// Leave the key files open
    #[arg(long)]
    remove: bool,
}

impl Passwd {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let new = if self.remove {
            None
        } else {
            Some(ask::new_passphrase(self.new_passphrase_file.as_deref(), "new passphrase")?)
        };
        let show = |terminal: &Terminal, reply| {
            let Reply::Keys(keys) = reply else { return };
            terminal.line(match keys.state.as_str() {
                "open" => "the key files are not sealed any more: who reads this disk has your keys",
                _ => "the key files are sealed under the new passphrase",
            });
        };
        context.call(Request::Passwd { new }, show).await
    }
}
