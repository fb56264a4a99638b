//! `peerfeed id`

use clap::Args;

use super::Context;
use crate::api::{Failure, Identity, Reply, Request};
use crate::ui::{Paint, Safe, Terminal};

const EXAMPLES: &str = "\
Example:
  peerfeed id

Two people who read the fingerprint to each other know that they mean the same feed.";

/// Show your feed id, devices and fingerprint
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Id {}

impl Id {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let show = |terminal: &crate::ui::Terminal, reply| {
            if let Reply::Identity(identity) = reply {
                tell(terminal, &identity);
            }
        };
        context.call(Request::Id {}, show).await
    }
}

/// Shows who this folder is.
pub(super) fn tell(terminal: &Terminal, identity: &Identity) {
    terminal.line(format_args!("feed         {}", terminal.paint(Paint::Name, &identity.feed)));
    if let Some(name) = &identity.name {
        terminal.line(format_args!("name         {}", Safe::line(name)));
    }
    terminal.line(format_args!("fingerprint  {}", identity.fingerprint));
    for device in &identity.devices {
        let mark = match (device.revoked, device.this) {
            (true, _) => "  revoked",
            (false, true) => "  this device",
            (false, false) => "",
        };
        terminal.line(format_args!("device       {}{mark}", device.key));
    }
}
