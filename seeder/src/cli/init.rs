//! `peerfeed init`

use clap::Args;

use super::Context;
use crate::api::{Failure, Reply, Request};
use crate::ui::{Paint, Safe};

const EXAMPLES: &str = "\
Examples:
  peerfeed init --name Ann
  peerfeed init --name Ann --tracker https://tracker.example/announce

Trackers given here are named by your feed: links that you hand out carry them. With `--cold`, changing these, the seeders or the \
devices of your feed later takes the 24 words; posting and reading do not.";

/// Make a new identity; shows the recovery phrase, this once
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Init {
    /// Name that friends see
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Keep the identity's key nowhere on this machine: the 24 words are asked for by the rare acts that need it
    #[arg(long)]
    cold: bool,
}

impl Init {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let request = Request::Init { name: self.name, cold: self.cold };
        let show = |terminal: &crate::ui::Terminal, reply| {
            let Reply::Created(created) = reply else {
                return;
            };
            let name = created.name.as_deref().map(|name| format!(" {}", Safe::line(name))).unwrap_or_default();
            terminal.line(format_args!("Welcome{name}. Your feed:"));
            terminal.line(format_args!("  {}", terminal.paint(Paint::Name, &created.feed)));
            terminal.line("");
            terminal.line(
                "Recovery phrase: write these 24 words on paper. They are your identity; they are not shown again.",
            );
            let words: Vec<_> = created.recovery_phrase.split_whitespace().collect();
            for (row, words) in words.chunks(6).enumerate() {
                let numbered = words.iter().enumerate().map(|(at, word)| format!("{:>2} {word:<9}", row * 6 + at + 1));
                terminal.line(format_args!("  {}", numbered.collect::<Vec<_>>().join(" ").trim_end()));
            }
            terminal.line("");
            terminal.line("Next: `peerfeed post \"hello\"`, then `peerfeed invite` for a friend.");
        };
        context.call(request, show).await
    }
}
