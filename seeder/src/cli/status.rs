//! `peerfeed status`

use clap::Args;

use super::Context;
use crate::api::{Failure, Reply, Request};
use crate::ui::status_lines;

const EXAMPLES: &str = "\
Examples:
  peerfeed status
  peerfeed status --json | jq '.feeds[].seeders[].holds_all'";

/// Show what is stored and who is connected
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Status {}

impl Status {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let show = |terminal: &crate::ui::Terminal, reply| {
            let Reply::Status(status) = reply else { return };
            terminal.line(status_lines(terminal, &status));
        };
        context.call(Request::Status {}, show).await
    }
}
