//! `peerfeed requests`

use clap::Args;

use super::Context;
use crate::api::{Failure, FriendRequest, Reply, Request};
use crate::ui::{Paint, Safe, Terminal, local_time};

const EXAMPLES: &str = "\
Example:
  peerfeed requests

`peerfeed accept NAME` says yes, `peerfeed refuse NAME` says no. Before you do, compare the six words by voice: they are the \
same on the other's machine under `peerfeed id`. Names are what people call themselves; the words are who they are.";

/// Show who asks to be your friend, and what came of your own requests
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Requests {}

impl Requests {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let show = |terminal: &Terminal, reply| {
            if let Reply::Request(request) = reply {
                show(terminal, &request);
            }
        };
        context.call(Request::Requests {}, show).await
    }
}

fn show(terminal: &Terminal, request: &FriendRequest) {
    let name = Safe::line(request.name.as_deref().unwrap_or("(no name)")).to_string();
    let since = local_time(&request.since);
    let state = match request.state.as_str() {
        "waits for you" => "asks to be your friend",
        "not sent yet" => "is to be asked; the request goes out when a seeder of theirs answers",
        "sent" => "was asked, and has not answered yet",
        "friends" => "is your friend now",
        "refused by them" => "said no",
        "turned away" => "was not asked: the invitation was used or is over; ask for a new link",
        other => other,
    };
    terminal.line(format_args!("{}  {state}, {since}", terminal.paint(Paint::Strong, name)));
    terminal.line(format_args!("  {}", terminal.paint(Paint::Name, &request.feed)));
    terminal.line(format_args!("  {}", request.fingerprint));
}

/// What `add` says about the request that it made.
pub(super) fn show_asked(terminal: &Terminal, request: &FriendRequest) {
    let line = match request.state.as_str() {
        "friends" => "You are friends now.",
        "sent" => "A request to be friends is on its way: `peerfeed requests` shows what comes of it.",
        _ => {
            "A request to be friends goes out when a seeder of theirs answers: `peerfeed run` or `peerfeed fetch` tries."
        }
    };
    terminal.line(line);
    terminal.line(format_args!("Compare these words by voice: {}", request.fingerprint));
}
