//! `peerfeed man`

use std::path::{Path, PathBuf};

use clap::Args;

use crate::api::Failure;

const EXAMPLES: &str = "\
Examples:
  peerfeed man > peerfeed.1
  peerfeed man --out ~/.local/share/man/man1       one page per command";

/// Print the manual page
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Man {
    /// Write a page for each command into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.out {
            None => {
                let page = clap_mangen::Man::new(super::definition());
                page.render(&mut std::io::stdout())
                    .map_err(|error| Failure::failed(format!("cannot print it: {error}")))
            }
            Some(folder) => write_all(&folder)
                .map_err(|error| Failure::failed(format!("cannot write to {}: {error}", folder.display()))),
        }
    }
}

fn write_all(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(super::definition(), folder)
}
