//! `peerfeed remove`

use clap::Args;

use super::Context;
use crate::api::{Failure, Reply, Request};
use crate::ui::Safe;

const EXAMPLES: &str = "\
Example:
  peerfeed remove Ben

Ben keeps what could be read until now, and reads nothing that you post to friends after this. You go on following Ben: \
`peerfeed unfollow Ben` ends that.";

/// End a friendship: they read nothing that you post from now on
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Remove {
    /// Their name or feed id
    #[arg(value_name = "NAME")]
    name: String,
}

impl Remove {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let show = |terminal: &crate::ui::Terminal, reply| {
            let Reply::Friend(friend) = reply else { return };
            let name = Safe::line(friend.name.as_ref().unwrap_or(&friend.feed)).to_string();
            terminal
                .line(format_args!("{name} reads nothing that you post from now on, and keeps what was there before"));
        };
        context.call(Request::Remove { name: self.name }, show).await
    }
}
