//! `peerfeed seed`

use clap::Args;

use super::add::MAX_LINK_BYTES;
use super::{Context, amount, given_or_stdin};
use crate::api::{Failure, Reply, Request};
use crate::ui::{Paint, rates, size};

const EXAMPLES: &str = "\
Examples:
  peerfeed seed peerfeed:… && peerfeed run
  peerfeed seed feed1… --tracker https://tracker.example/announce --quota 5GiB
  peerfeed seed feed1… --up 500KiB --down 2MB     leave some of the line to other feeds

A seeder holds and serves ciphertext. A key in the link is not kept. No identity is needed.";

/// Hold and serve a feed for somebody, without reading it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Seed {
    /// The link or feed id; - reads it from standard input
    #[arg(value_name = "FEED-ID|LINK")]
    link: String,
    /// Hold at most so much of it, for example 5GiB
    #[arg(long, value_name = "SIZE", value_parser = amount::size)]
    quota: Option<u64>,
    /// Send at most so many bytes of it per second, for example 500KiB, or none for no limit of its own
    #[arg(long, value_name = "RATE", value_parser = amount::rate_or_none)]
    up: Option<u64>,
    /// Fetch at most so many bytes of it per second, for example 2MB, or none for no limit of its own
    #[arg(long, value_name = "RATE", value_parser = amount::rate_or_none)]
    down: Option<u64>,
}

impl Seed {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let link = given_or_stdin(self.link, "link", MAX_LINK_BYTES)?;
        let mut has_code = false;
        let show = |terminal: &crate::ui::Terminal, reply| match reply {
            Reply::Feed(feed) => {
                let quota = feed.quota_bytes.map(|quota| format!(", at most {}", size(quota))).unwrap_or_default();
                let rates = rates(&feed).map(|rates| format!(", {rates}")).unwrap_or_default();
                terminal.line(format_args!("seeding {}{quota}{rates}", terminal.paint(Paint::Name, &feed.feed)));
            }
            Reply::Seeder(seeder) => {
                let Some(code) = seeder.code else { return };
                has_code = true;
                terminal.line(format_args!("seeder code {}", terminal.paint(Paint::Name, code)));
                terminal.line("The feed's owner lists this seeder with `peerfeed seeders add CODE`.");
            }
            _ => {}
        };
        let request = Request::Seed { link, quota_bytes: self.quota, up: self.up, down: self.down };
        context.call(request, show).await?;
        if !has_code && !context.terminal().json() {
            context
                .terminal()
                .line("Next: `peerfeed run` fetches and serves it. It prints the code by which the owner lists it.");
        }
        Ok(())
    }
}
