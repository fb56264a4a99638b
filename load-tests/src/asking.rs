//! The state of a running daemon, asked over its socket: a command for it would take a part of the machine that is measured.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use peerfeed::api::{Call, Client, Reply, Request, SOCKET, Status};
use tokio::runtime::{Builder, Runtime};

use crate::person::Person;

/// Asks one daemon.
pub struct Asking {
    runtime: Runtime,
    socket: PathBuf,
}

impl Asking {
    /// For the daemon on this person's data folder.
    pub fn new(person: &Person) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, socket: person.data().join(SOCKET) })
    }

    /// What `peerfeed status` would be told.
    pub fn status(&self) -> Result<Status> {
        self.runtime.block_on(async {
            let client = Client::connect(&self.socket).await.context("the daemon does not answer")?;
            let mut answers =
                client.call(Call { trackers: Vec::new(), passphrase: None, words: None, request: Request::Status {} });
            while let Some(reply) = answers.next().await {
                match reply {
                    Reply::Status(status) => return Ok(*status),
                    Reply::Error(failure) => bail!("{}", failure.message),
                    _ => {}
                }
            }
            bail!("the daemon told no status")
        })
    }
}
