//! `peerfeed post`

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::context::absolute;
use super::{Context, amount, given_or_stdin};
use crate::api::{Audience, Failure, Posted, Reply, Request, milliseconds};
use crate::ui::{Paint, Terminal};

const EXAMPLES: &str = "\
Examples:
  peerfeed post \"hello\"
  peerfeed post \"from the garden\" --attach rose.png --channel garden
  peerfeed post \"for everyone\" --to public
  peerfeed post \"Sunday at ours?\" --to family      a list of yours: `peerfeed list add family Ben`
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
    /// Who may read it: friends, public (everyone who knows the feed id, seeders included), or a list of yours
    #[arg(long, value_name = "AUDIENCE", default_value = "friends")]
    to: String,
    /// Wait until your seeders have stored it, at most so long
    #[arg(long, value_name = "DURATION", value_parser = amount::duration)]
    wait: Option<Duration>,
}

impl Post {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let text = text(self.text)?;
        let request = Request::Post {
            text,
            attach: self.attach.iter().map(|path| absolute(path)).collect::<Result<_, _>>()?,
            channel: self.channel,
            to: match self.to.to_lowercase().as_str() {
                "public" => Audience::Public,
                "friends" => Audience::Friends,
                _ => Audience::List(self.to),
            },
            wait_ms: self.wait.map(milliseconds),
        };
        let show = |terminal: &crate::ui::Terminal, reply| {
            if let Reply::Posted(posted) = reply {
                tell(terminal, "posted", &posted);
            }
        };
        context.call(request, show).await
    }
}

/// A text as given, or from standard input.
pub(super) fn text(given: Option<String>) -> Result<String, Failure> {
    let text = given_or_stdin(given.unwrap_or_default(), "text", MAX_TEXT_BYTES)?;
    if text.len() as u64 > MAX_TEXT_BYTES {
        let message = format!("the text has {} bytes, a post at most {MAX_TEXT_BYTES}", text.len());
        return Err(Failure::failed(message).hint("attach it as a file: `peerfeed post --attach FILE`"));
    }
    Ok(text)
}

/// Says that an entry was written, and who has stored it.
pub(super) fn tell(terminal: &Terminal, done: &str, posted: &Posted) {
    let stored = match posted.stored_by.as_slice() {
        [] => String::new(),
        seeders => format!("  stored by {}", seeders.join(", ")),
    };
    terminal.line(format_args!("{done} {}{stored}", terminal.paint(Paint::Name, &posted.id)));
}
