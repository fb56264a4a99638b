//! `peerfeed seed`

use std::time::Duration;

use clap::Args;

use super::add::MAX_LINK_BYTES;
use super::{Context, amount, given_or_stdin};
use crate::api::{Failure, Reply, Request};
use crate::ui::{Paint, counted, rates, size};

const EXAMPLES: &str = "\
Examples:
  peerfeed seed peerfeed:… && peerfeed run
  peerfeed seed feed1… --tracker https://tracker.example/announce --quota 5GiB
  peerfeed seed feed1… --up 500KiB --down 2MB     leave some of the line to other feeds
  peerfeed seed --code                            a code to give away: by it, one feed is held here
  peerfeed seed --code --uses 20 --expires 30d --quota 1GiB

A seeder holds and serves ciphertext. A key in the link is not kept. No identity is needed. Who gets a code gives it to \
`peerfeed seeders add CODE`; the feed need not be known here before.";

/// For how long a code is good.
const A_WEEK: Duration = Duration::from_secs(7 * 86_400);

/// What a feed may take that was brought by a code.
const CODE_QUOTA_BYTES: u64 = 10 << 30;

/// Hold and serve a feed for somebody, without reading it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Seed {
    /// The link or feed id; - reads it from standard input
    #[arg(value_name = "FEED-ID|LINK", required_unless_present = "code", conflicts_with = "code")]
    link: Option<String>,
    /// Hold at most so much of it, for example 5GiB, and leave out a file that does not fit; of each that a code brings,
    /// 10GiB if nothing is said
    #[arg(long, value_name = "SIZE", value_parser = amount::size)]
    quota: Option<u64>,
    /// Send at most so many bytes of it per second, for example 500KiB, or none for no limit of its own
    #[arg(long, value_name = "RATE", value_parser = amount::rate_or_none, conflicts_with = "code")]
    up: Option<u64>,
    /// Fetch at most so many bytes of it per second, for example 2MB, or none for no limit of its own
    #[arg(long, value_name = "RATE", value_parser = amount::rate_or_none, conflicts_with = "code")]
    down: Option<u64>,
    /// Print a code to give away: by it, somebody's own program has a feed held here
    #[arg(long)]
    code: bool,
    /// How many feeds may be brought by the code
    #[arg(long, value_name = "NUMBER", default_value = "1", value_parser = clap::value_parser!(u64).range(1..=1000), requires = "code")]
    uses: u64,
    /// How long the code is good: 12h, 7d; a week if nothing is said
    #[arg(long, value_name = "DURATION", value_parser = amount::days_or_duration, requires = "code")]
    expires: Option<Duration>,
    /// Where others reach this machine, for the code: HOST:PORT
    #[arg(long, value_name = "ADDRESS", requires = "code")]
    address: Option<String>,
}

impl Seed {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let Some(link) = self.link else { return self.give_code(context).await };
        let link = given_or_stdin(link, "link", MAX_LINK_BYTES)?;
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

    async fn give_code(self, context: &Context) -> Result<(), Failure> {
        let show = |terminal: &crate::ui::Terminal, reply| {
            let Reply::HoldCode(told) = reply else { return };
            let code = told.code.unwrap_or_default();
            terminal.line(terminal.paint(Paint::Name, &code));
            let feeds = counted(told.uses, "feed", "feeds");
            let most = told.quota_bytes.map(|quota| format!(" of at most {}", size(quota))).unwrap_or_default();
            let until = told.expires.unwrap_or_default();
            terminal.aside(format_args!(
                "good until {until} for {feeds}{most}: who has a feed gives it to `peerfeed seeders add CODE`"
            ));
            if code.starts_with("HOST:") {
                terminal.aside("HOST: put this machine's name or address there, as others reach it, or use --address");
            }
        };
        let request = Request::SeedCode {
            address: self.address,
            uses: self.uses,
            expires_s: self.expires.unwrap_or(A_WEEK).as_secs(),
            quota_bytes: self.quota.unwrap_or(CODE_QUOTA_BYTES),
        };
        context.call(request, show).await
    }
}
