//! `peerfeed demo`: the whole system on this machine, with real sockets, folders and processes.
//!
//! Each party is a child process of this executable with a data folder of its own, as if it were another machine.

mod child;
mod picture;
mod play;
mod search;
mod seen;
mod stage;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use super::Context;
use crate::api::Failure;

const EXAMPLES: &str = "\
Example:
  peerfeed demo

A tracker, a blind seeder and three people, for about half a minute; nothing is left behind, and nothing but this machine \
is spoken to. Exit code 0 when every step worked.";

/// See the whole system on this machine, in one minute
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Demo {}

impl Demo {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let stage = stage::Stage::build(context.terminal().clone())?;
        let outcome = tokio::select! {
            outcome = play::play(&stage) => outcome,
            () = stopped() => Err(Failure::failed("stopped")),
        };
        // The children end with the stage; tell of success only when everything is gone.
        stage.strike().await?;
        outcome
    }
}

async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// A tracker for the demo: the real one, in a child of this executable
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(super) struct DemoTracker {
    /// Arguments of peerfeed-tracker
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

impl DemoTracker {
    pub(super) async fn run(self) -> ExitCode {
        let args = std::iter::once(OsString::from("peerfeed-tracker")).chain(self.args);
        tokio::select! {
            code = peerfeed_tracker::cli::main_with_args(args) => code,
            () = super::run::end_of_input() => ExitCode::SUCCESS,
        }
    }
}
