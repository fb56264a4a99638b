//! `peerfeed completions`

use clap::Args;
use clap_complete::Shell;

use crate::ui::Terminal;

const EXAMPLES: &str = "\
Examples:
  peerfeed completions bash > ~/.local/share/bash-completion/completions/peerfeed
  peerfeed completions fish > ~/.config/fish/completions/peerfeed.fish";

/// Print a script that completes commands in your shell
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self, terminal: &Terminal) {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::definition(), "peerfeed", &mut script);
        terminal.line(String::from_utf8(script).expect("the script is text").trim_end());
    }
}
