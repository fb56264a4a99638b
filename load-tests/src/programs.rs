//! Where the programs under test are: next to the program or test that runs this.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};

/// The programs of the workspace, built from the sources as they are.
#[derive(Clone, Debug)]
pub struct Programs {
    /// Seeder and client.
    pub peerfeed: PathBuf,
    /// The tracker.
    pub tracker: PathBuf,
}

impl Programs {
    /// Finds them, after cargo brought them up to date; that happens once per process.
    ///
    /// `PEERFEED_PROGRAMS` names a folder to take them from instead, and nothing is built then.
    pub fn find() -> Result<&'static Self> {
        static FOUND: OnceLock<Result<Programs, String>> = OnceLock::new();
        match FOUND.get_or_init(|| Self::look().map_err(|error| format!("{error:#}"))) {
            Ok(programs) => Ok(programs),
            Err(message) => Err(anyhow::anyhow!(message.clone())),
        }
    }

    fn look() -> Result<Self> {
        let folder = match std::env::var_os("PEERFEED_PROGRAMS") {
            Some(folder) => PathBuf::from(folder),
            None => built_folder()?,
        };
        let programs = Self { peerfeed: folder.join("peerfeed"), tracker: folder.join("peerfeed-tracker") };
        for path in [&programs.peerfeed, &programs.tracker] {
            ensure!(path.is_file(), "{} is missing", path.display());
        }
        Ok(programs)
    }
}

/// Builds in the profile and target folder of the running executable, and returns that folder.
fn built_folder() -> Result<PathBuf> {
    let executable = std::env::current_exe().context("cannot tell where this program is")?;
    let mut folder = executable.parent().context("this program is in no folder")?.to_path_buf();
    if folder.ends_with("deps") {
        folder.pop();
    }
    let target = folder.parent().context("no target folder above the program")?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--quiet", "--locked", "-p", "peerfeed", "-p", "peerfeed-tracker", "--bins"])
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    if let Some(profile) = folder.file_name().filter(|&name| name != "debug") {
        cargo.arg("--profile").arg(profile);
    }
    let status = cargo.status().context("cannot run cargo to build the programs")?;
    ensure!(status.success(), "cargo could not build the programs");
    Ok(folder)
}
