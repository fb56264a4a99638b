//! `peerfeed list`

use clap::{Args, Subcommand};

use super::Context;
use crate::api::{Failure, Friend, Reply, Request};
use crate::ui::{Paint, Safe, Terminal};

const EXAMPLES: &str = "\
Examples:
  peerfeed list                                your lists, and who is on them
  peerfeed list add family Ben Cleo            makes the list if there is none
  peerfeed list add family Dan --from-now      Dan reads only what you post to it from now on
  peerfeed list remove family Cleo             Cleo reads nothing that you post to it after this
  peerfeed list delete family
  peerfeed post \"Sunday at ours?\" --to family

Only friends can be on a list. Nobody but you learns its name, or who else is on it.";

/// Show, fill or empty your lists of friends, to which you can post
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(super) struct List {
    #[command(subcommand)]
    change: Option<Change>,
}

#[derive(Debug, Subcommand)]
enum Change {
    /// Put friends on a list
    Add {
        /// The list; made if there is none of this name
        #[arg(value_name = "LIST")]
        list: String,
        /// Their names or feed ids
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
        /// Let them read nothing that was posted to it before
        #[arg(long)]
        from_now: bool,
    },
    /// Take friends off a list
    Remove {
        /// The list
        #[arg(value_name = "LIST")]
        list: String,
        /// Their names or feed ids
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
    },
    /// Forget a list; what was posted to it stays
    Delete {
        /// The list
        #[arg(value_name = "LIST")]
        list: String,
    },
}

impl List {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let request = match self.change {
            None => Request::Lists {},
            Some(Change::Add { list, names, from_now }) => Request::ListAdd { list, names, from_now },
            Some(Change::Remove { list, names }) => Request::ListRemove { list, names },
            Some(Change::Delete { list }) => Request::ListDelete { list },
        };
        let show = |terminal: &Terminal, reply| {
            let Reply::List(list) = reply else { return };
            let name = terminal.paint(Paint::Strong, Safe::line(&list.list));
            if list.change.as_deref() == Some("deleted") {
                terminal.line(format_args!("the list {name} is forgotten"));
                return;
            }
            let members: Vec<_> = list.members.iter().map(member).collect();
            let members = if members.is_empty() { "(nobody)".to_owned() } else { members.join(", ") };
            terminal.line(format_args!("{name}  {members}"));
        };
        context.call(request, show).await
    }
}

fn member(friend: &Friend) -> String {
    let name = Safe::line(friend.name.as_ref().unwrap_or(&friend.feed)).to_string();
    if friend.from_now { format!("{name} (from {})", crate::ui::local_time(&friend.since)) } else { name }
}
