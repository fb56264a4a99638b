//! `peerfeed import`

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::context::absolute;
use super::{Context, amount, ask, id};
use crate::api::{Failure, Reply, Request, milliseconds};
use crate::ui::Terminal;

const EXAMPLES: &str = "\
Example:
  peerfeed import ann.peerfeed

This machine becomes a further device of the feed, with keys and a log of its own: two machines never write one log. The one that \
exported goes on as before.";

/// Make this machine a further device of an exported identity
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Import {
    /// The exported file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Read the file's passphrase from this one; - is standard input
    #[arg(long, value_name = "FILE")]
    file_passphrase: Option<PathBuf>,
    /// How long to look for the feed
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = amount::duration)]
    timeout: Duration,
}

impl Import {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let seal = match &self.file_passphrase {
            Some(path) => ask::file(path, "passphrase")?,
            None if ask::possible() => ask::terminal("passphrase of the file: ")?,
            None => {
                return Err(Failure::failed("the file's passphrase is asked for at a terminal")
                    .hint("elsewhere, give it with `--file-passphrase FILE`"));
            }
        };
        let request = Request::Import { file: absolute(&self.file)?, seal, timeout_ms: milliseconds(self.timeout) };
        let show = |terminal: &Terminal, reply| {
            let Reply::Identity(identity) = reply else { return };
            terminal.line("This machine is a device of your feed now:");
            id::tell(terminal, &identity);
        };
        context.call(request, show).await
    }
}
