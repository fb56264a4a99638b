//! `peerfeed export`

use std::path::PathBuf;

use clap::Args;

use super::context::absolute;
use super::{Context, ask};
use crate::api::{Failure, Reply, Request};
use crate::ui::Terminal;

const EXAMPLES: &str = "\
Example:
  peerfeed export ann.peerfeed

The file is sealed under a passphrase of its own, which is asked for. It holds the identity's key, the keys of your own posts, your \
lists and who is on them; not the posts themselves, which `peerfeed import` fetches. Keep it as you keep the 24 words.";

/// Write your identity into one sealed file, for another machine
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Export {
    /// The file to make
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Read the passphrase for the file from this one; - is standard input
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
}

impl Export {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let seal = ask::new_passphrase(self.new_passphrase_file.as_deref(), "passphrase for the file")?;
        let show = |terminal: &Terminal, reply| {
            let Reply::File(file) = reply else { return };
            terminal.line(format_args!("written: {}", file.path));
            terminal.line(
                "Next, on the other machine: `peerfeed import FILE`. Both can then post, each to a log of its own.",
            );
        };
        context.call(Request::Export { file: absolute(&self.file)?, seal }, show).await
    }
}
