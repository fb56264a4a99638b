//! `peerfeed trackers`

use clap::{Args, Subcommand};

use super::Context;
use crate::api::{Failure, Reply, Request};
use crate::ui::Paint;

const EXAMPLES: &str = "\
Examples:
  peerfeed trackers
  peerfeed trackers add https://tracker.example/announce
  peerfeed trackers add udp://tracker.example:6969
  peerfeed trackers remove udp://tracker.example:6969

Links that you hand out carry them. `--tracker URL` with any command asks one more.";

/// Show, add or remove the trackers that your feed names
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(super) struct Trackers {
    #[command(subcommand)]
    change: Option<Change>,
}

#[derive(Debug, Subcommand)]
enum Change {
    /// Name a tracker, so that readers and seeders find each other
    Add {
        /// http://…, https://…, udp://… or HOST:PORT
        #[arg(value_name = "URL")]
        url: String,
    },
    /// Name a tracker no more
    Remove {
        /// As `peerfeed trackers` shows it
        #[arg(value_name = "URL")]
        url: String,
    },
}

impl Trackers {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let request = match self.change {
            None => Request::Trackers {},
            Some(Change::Add { url }) => Request::TrackersAdd { url },
            Some(Change::Remove { url }) => Request::TrackersRemove { url },
        };
        let list = matches!(request, Request::Trackers {});
        let mut any = false;
        let show = |terminal: &crate::ui::Terminal, reply| {
            let Reply::Tracker(tracker) = reply else {
                return;
            };
            any = true;
            let url = terminal.paint(Paint::Name, &tracker.url);
            match tracker.change.as_deref() {
                Some("removed") => terminal.line(format_args!("no longer named: {url}")),
                Some("known") => terminal.line(format_args!("already named: {url}")),
                Some(_) => terminal.line(format_args!("added {url}")),
                None => terminal
                    .line(format_args!("{url}  {}", tracker.state.as_deref().unwrap_or("")).to_string().trim_end()),
            }
        };
        context.call(request, show).await?;
        if list && !any && !context.terminal().json() {
            context.terminal().aside("your feed names no tracker: `peerfeed trackers add URL`");
        }
        Ok(())
    }
}
