//! `peerfeed dm`

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::context::absolute;
use super::{Context, amount, post};
use crate::api::{Failure, Reply, Request, milliseconds};
use crate::ui::{Terminal, entry_lines};

const EXAMPLES: &str = "\
Examples:
  peerfeed dm Ben \"only for you\"
  peerfeed dm Ben \"look\" --attach rose.png
  peerfeed dm Ben                              what you and Ben wrote to each other, the newest 20

A message lies in your feed as a post does, sealed for Ben alone. Ben must be a friend: `peerfeed accept Ben`.";

/// Write to one friend alone, or show what you wrote to each other
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Dm {
    /// Their name or feed id
    #[arg(value_name = "NAME")]
    name: String,
    /// The text; - reads it from standard input
    #[arg(value_name = "TEXT")]
    text: Option<String>,
    /// Attach a file; may be repeated
    #[arg(long, value_name = "FILE")]
    attach: Vec<PathBuf>,
    /// Wait until your seeders have stored it, at most so long
    #[arg(long, value_name = "DURATION", value_parser = amount::duration)]
    wait: Option<Duration>,
    /// Show at most so many messages, the newest
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..), conflicts_with_all = ["text", "attach", "wait"])]
    limit: u64,
}

impl Dm {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        if self.text.is_none() && self.attach.is_empty() {
            return self.show(context).await;
        }
        let request = Request::Message {
            to: self.name,
            text: post::text(self.text)?,
            attach: self.attach.iter().map(|path| absolute(path)).collect::<Result<_, _>>()?,
            wait_ms: self.wait.map(milliseconds),
        };
        let show = |terminal: &Terminal, reply| {
            if let Reply::Posted(posted) = reply {
                post::tell(terminal, "written", &posted);
            }
        };
        context.call(request, show).await
    }

    async fn show(self, context: &Context) -> Result<(), Failure> {
        let request = Request::Read {
            name: None,
            with: Some(self.name),
            limit: self.limit,
            channel: None,
            containing: None,
            since_ms: None,
            sealed: false,
            follow: false,
        };
        let mut first = true;
        let show = |terminal: &Terminal, reply| {
            let Reply::Entry(entry) = reply else { return };
            if !std::mem::take(&mut first) {
                terminal.line("");
            }
            terminal.line(entry_lines(terminal, &entry));
        };
        context.call(request, show).await
    }
}
