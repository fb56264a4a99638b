//! `peerfeed get`

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::context::absolute;
use super::{Context, amount};
use crate::api::{Failure, Reply, Request, milliseconds};
use crate::ui::{Paint, size};

const EXAMPLES: &str = "\
Examples:
  peerfeed get mzxw6ytbojtg633c              into this folder
  peerfeed get mzxw6y --out ~/Downloads      the beginning of an id is enough

`peerfeed read` shows the ids. A file that is there already is not overwritten: the new one gets a number.";

/// Download an entry's files
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Get {
    /// The entry's id, or enough of its beginning
    #[arg(value_name = "ENTRY")]
    entry: String,
    /// Folder to write into
    #[arg(long, value_name = "DIR", default_value = ".", hide_default_value = true)]
    out: PathBuf,
    /// Give up when nothing arrived for so long
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = amount::duration)]
    timeout: Duration,
}

impl Get {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let request =
            Request::Get { entry: self.entry, out: absolute(&self.out)?, timeout_ms: milliseconds(self.timeout) };
        let show = |terminal: &crate::ui::Terminal, reply| {
            let Reply::File(file) = reply else { return };
            terminal.line(format_args!(
                "{}  {}",
                file.path,
                terminal.paint(Paint::Dim, format_args!("{}", size(file.size_bytes))),
            ));
        };
        context.call(request, show).await
    }
}
