//! Taking up a changed configuration while requests go on.

use std::sync::Arc;

use crate::access::{ListError, Listed};
use crate::config::{Change, Config, Setting};
use crate::tls::{Acceptor, CertificateError};
use crate::tracker::Tracker;

/// What can be exchanged in a running server.
pub struct Reloader {
    pub(super) tracker: Arc<Tracker>,
    pub(super) tls: Option<Acceptor>,
    /// In force.
    pub(super) config: Config,
}

/// What a reload has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// The lists now in force.
    pub listed: Listed,
    /// Settings whose new values need a restart.
    pub need_restart: Vec<&'static Setting>,
}

/// Why nothing was taken up, or not everything. All of these are for the operator.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// A list cannot be read: nothing has changed.
    #[error(transparent)]
    List(#[from] ListError),
    /// The certificate cannot be used: lists are exchanged, the old certificate and the old settings stay.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

impl Reloader {
    /// Reads lists and certificate anew and puts the settings of `config` in force that need no restart.
    ///
    /// Blocks while it reads files. What cannot be read stays as it was.
    pub fn reload(&mut self, config: &Config) -> Result<Reloaded, ReloadError> {
        let listed = self.tracker.access.reload(&config.access_files())?;
        if let (Some(tls), Some(files)) = (&self.tls, config.certificate_files()) {
            tls.reload(&files)?;
        }
        self.tracker.answer_by(config);
        let differing = config.differing(&self.config);
        let need_restart = differing.into_iter().filter(|setting| setting.change == Change::OnStart).collect();
        Ok(Reloaded { listed, need_restart })
    }
}
