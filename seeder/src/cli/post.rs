//! `peerfeed post`

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::context::absolute;
use super::{Context, amount, given_or_stdin};
use crate::api::{Audience, Failure, Reply, Request, milliseconds};
use crate::ui::Paint;

const EXAMPLES: &str = "\
Examples:
  peerfeed post \"hello\"
  peerfeed post \"from the garden\" --attach rose.png --channel garden
  peerfeed post \"for everyone\" --to public
  echo \"from a pipe\" | peerfeed post -
  peerfeed post \"on its way\" --wait 30s          until your seeders have stored it

The command ends when the post is on disk. `peerfeed run` hands it on.";

/// Most bytes of a post's text.
const MAX_TEXT_BYTES: u64 = 50_000;

/// Publish a text, files, or both
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Post {
    /// The text; - reads it from standard input
    #[arg(value_name = "TEXT", required_unless_present = "attach")]
    text: Option<String>,
    /// Attach a file; may be repeated
    #[arg(long, value_name = "FILE")]
    attach: Vec<PathBuf>,
    /// Channel to post in
    #[arg(long, value_name = "CHANNEL")]
    channel: Option<String>,
    /// Who may read it
    #[arg(long, value_name = "AUDIENCE", default_value = "friends")]
    to: To,
    /// Wait until your seeders have stored it, at most so long
    #[arg(long, value_name = "DURATION", value_parser = amount::duration)]
    wait: Option<Duration>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum To {
    /// Everyone who knows the feed id, seeders included
    Public,
    /// Those who hold the friends key
    Friends,
}

impl Post {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let text = given_or_stdin(self.text.unwrap_or_default(), "text", MAX_TEXT_BYTES)?;
        if text.len() as u64 > MAX_TEXT_BYTES {
            let message = format!("the text has {} bytes, a post at most {MAX_TEXT_BYTES}", text.len());
            return Err(Failure::failed(message).hint("attach it as a file: `peerfeed post --attach FILE`"));
        }
        let request = Request::Post {
            text,
            attach: self.attach.iter().map(|path| absolute(path)).collect::<Result<_, _>>()?,
            channel: self.channel,
            to: match self.to {
                To::Public => Audience::Public,
                To::Friends => Audience::Friends,
            },
            wait_ms: self.wait.map(milliseconds),
        };
        let show = |terminal: &crate::ui::Terminal, reply| {
            let Reply::Posted(posted) = reply else { return };
            let stored = match posted.stored_by.as_slice() {
                [] => String::new(),
                seeders => format!("  stored by {}", seeders.join(", ")),
            };
            terminal.line(format_args!("posted {}{stored}", terminal.paint(Paint::Name, &posted.id)));
        };
        context.call(request, show).await
    }
}
