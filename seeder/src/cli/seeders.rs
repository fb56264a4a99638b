//! `peerfeed seeders`

use std::time::Duration;

use clap::{Args, Subcommand};

use super::{Context, amount};
use crate::api::{Failure, Reply, Request, milliseconds};
use crate::ui::{Paint, counted};

const EXAMPLES: &str = "\
Examples:
  peerfeed seeders
  peerfeed seeders add seeder.example:4040#wit1…  the code that the seeder prints at `run`
  peerfeed seeders add seeder.example:4040#hold1… a code of `peerfeed seed --code` on the seeder
  peerfeed seeders add 192.0.2.7:4040             asks the seeder for its key first
  peerfeed seeders remove 192.0.2.7:4040

A seeder must hold your feed before it answers: its host runs `peerfeed seed LINK` and `peerfeed run`, or gives you a \
code by which your own program brings it.";

/// Show, add or remove the seeders that your feed names
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(super) struct Seeders {
    #[command(subcommand)]
    change: Option<Change>,
}

#[derive(Debug, Subcommand)]
enum Change {
    /// Name a seeder, so that readers find it without a tracker
    Add {
        /// HOST:PORT, or HOST:PORT#KEY as the seeder or its host prints it
        #[arg(value_name = "ADDRESS|CODE")]
        code: String,
        /// How long to wait for the seeder's answer
        #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = amount::duration)]
        timeout: Duration,
    },
    /// Name a seeder no more
    Remove {
        /// HOST:PORT
        #[arg(value_name = "ADDRESS")]
        address: String,
    },
}

impl Seeders {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let request = match self.change {
            None => Request::Seeders {},
            Some(Change::Add { code, timeout }) => Request::SeedersAdd { code, timeout_ms: milliseconds(timeout) },
            Some(Change::Remove { address }) => Request::SeedersRemove { address },
        };
        let list = matches!(request, Request::Seeders {});
        let mut any = false;
        let show = |terminal: &crate::ui::Terminal, reply| {
            let Reply::Seeder(seeder) = reply else { return };
            any = true;
            let code = seeder.code.as_deref().unwrap_or(&seeder.address);
            let code = terminal.paint(Paint::Name, code);
            let stored = if seeder.this {
                "this machine".to_owned()
            } else if seeder.holds_all {
                format!("holds all {}", counted(seeder.entries, "entry", "entries"))
            } else {
                format!("holds {} of {}", seeder.entries_stored, counted(seeder.entries, "entry", "entries"))
            };
            match (list, seeder.listed) {
                (true, true) => terminal.line(format_args!("{code}  {stored}")),
                (true, false) => terminal.line(format_args!("{code}  {stored}, unlisted")),
                (false, true) if seeder.holds_all => terminal.line(format_args!("listed {code}, which holds all")),
                (false, true) => terminal.line(format_args!("listed {code}")),
                (false, false) => terminal.line(format_args!("no longer listed: {code}")),
            }
        };
        context.call(request, show).await?;
        if list && !any && !context.terminal().json() {
            context.terminal().aside("your feed names no seeder: `peerfeed seeders add ADDRESS`");
        }
        Ok(())
    }
}
