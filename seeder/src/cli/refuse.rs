//! `peerfeed refuse`

use clap::Args;

use super::Context;
use crate::api::{Failure, Reply, Request};
use crate::ui::{Safe, Terminal};

const EXAMPLES: &str = "\
Example:
  peerfeed refuse Ben

Ben is told, reads nothing that is for friends, and may not ask again without an invitation from you.";

/// Say no to somebody who asks to be your friend
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Refuse {
    /// Their name or feed id
    #[arg(value_name = "NAME")]
    name: String,
}

impl Refuse {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let show = |terminal: &Terminal, reply| {
            let Reply::Request(request) = reply else { return };
            let name = Safe::line(request.name.as_ref().unwrap_or(&request.feed)).to_string();
            terminal.line(format_args!("{name} does not become your friend, and is told so"));
        };
        context.call(Request::Refuse { name: self.name }, show).await
    }
}
