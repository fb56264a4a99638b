//! `peerfeed invite`

use std::time::Duration;

use clap::Args;
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

use super::Context;
use super::amount::days_or_duration;
use crate::api::{Failure, Reply, Request};

const EXAMPLES: &str = "\
Examples:
  peerfeed invite                      whoever adds it first becomes your friend, within a week
  peerfeed invite --expires 1h --qr    within an hour, as a code to be read from the screen
  peerfeed invite --open               a link for all: who adds it waits in `peerfeed requests`
  peerfeed invite --with-key           who has it reads what is for friends, until you remove one

The link names your trackers and seeders. It works once: the next one who adds it is told so. Send it over a way that you \
trust, and compare the six words of `peerfeed friends` by voice.";

/// For how long an invitation is good.
const A_WEEK: Duration = Duration::from_secs(7 * 86_400);

/// Print a link to your feed
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Invite {
    /// Put the friends key into the link
    #[arg(long)]
    with_key: bool,
    /// How long the invitation is good: 30m, 12h, 7d; a week if nothing is said, and a link with a key has none
    #[arg(long, value_name = "DURATION", value_parser = days_or_duration, conflicts_with = "open")]
    expires: Option<Duration>,
    /// Invite nobody in particular: the link is good for ever, and who adds it has to be accepted
    #[arg(long)]
    open: bool,
    /// Show the link as a QR code even if standard output is no terminal
    #[arg(long)]
    qr: bool,
}

impl Invite {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let qr = self.qr;
        let show = |terminal: &crate::ui::Terminal, reply| {
            let Reply::Link(link) = reply else { return };
            terminal.line(&link.link);
            if qr || terminal.is_shown() {
                show_code(terminal, &link.link);
            }
        };
        let usual = (!self.open && !self.with_key).then_some(A_WEEK);
        let expires_s = self.expires.or(usual).map(|expires| expires.as_secs());
        context.call(Request::Invite { with_key: self.with_key, expires_s }, show).await
    }
}

/// The link as a QR code; nothing if it is too long for one.
fn show_code(terminal: &crate::ui::Terminal, link: &str) {
    if let Ok(code) = QrCode::with_error_correction_level(link, EcLevel::L) {
        // Light on dark, as most terminals are: readers of codes take it either way.
        terminal.line(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build());
    }
}
