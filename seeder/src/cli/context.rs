//! What a command finds around it: the options, the terminal, the way to the engine.

use std::path::{Path, PathBuf};

use peerfeed_protocol::announce::TrackerUrl;

use super::{Global, ask};
use crate::api::{Answers, Backend, BackendOptions, Call, Failure, Need, Reply, Request, Secret};
use crate::ui::{ProgressView, Terminal};

/// What a command finds around it.
#[derive(Debug)]
pub struct Context {
    global: Global,
    terminal: Terminal,
}

impl Context {
    /// Looks at the terminal.
    pub fn new(global: Global) -> Self {
        let terminal = Terminal::detect(global.json);
        Self { global, terminal }
    }

    /// Where output goes.
    pub fn terminal(&self) -> &Terminal {
        &self.terminal
    }

    /// The options of all commands.
    pub fn global(&self) -> &Global {
        &self.global
    }

    /// The data folder: `--data`, `PEERFEED_DATA`, `$XDG_DATA_HOME/peerfeed`, `~/.local/share/peerfeed`.
    pub fn data(&self) -> Result<PathBuf, Failure> {
        let folder = match &self.global.data {
            Some(folder) if !folder.as_os_str().is_empty() => folder.clone(),
            _ => default_data(|name| std::env::var_os(name).map(PathBuf::from))
                .ok_or_else(|| Failure::failed("no data folder: HOME is not set").hint("give one with `--data DIR`"))?,
        };
        absolute(&folder)
    }

    /// The trackers named with `--tracker`.
    pub fn trackers(&self) -> Result<Vec<TrackerUrl>, Failure> {
        let parse = |text: &String| text.parse().map_err(|error| Failure::failed(format!("`{text}`: {error}")));
        self.global.trackers.iter().map(parse).collect()
    }

    /// The passphrase that was given in a file.
    pub fn passphrase(&self) -> Result<Option<Secret>, Failure> {
        self.global.passphrase_file.as_deref().map(|path| ask::file(path, "passphrase")).transpose()
    }

    /// Sends a request, hands each reply but progress and notes to `show`, and ends with the request.
    pub async fn call(&self, request: Request, mut show: impl FnMut(&Terminal, Reply)) -> Result<(), Failure> {
        let options = BackendOptions {
            data: self.data()?,
            listen: self.global.listen_addrs(),
            trackers: self.trackers()?,
            creates_folder: request.creates_folder(),
            stays_connected: request.stays_connected(),
            purpose: request.name(),
        };
        let endless = request.stays_connected();
        let backend = Backend::open(options).await?;
        let mut call = Call {
            trackers: self.global.trackers.clone(),
            passphrase: self.passphrase()?,
            words: self.global.words_file.as_deref().map(|path| ask::file(path, "24 words")).transpose()?,
            request,
        };
        let outcome = tokio::select! {
            outcome = self.show_asking(&backend, &mut call, &mut show) => outcome,
            // Who reads along stops in no other way.
            _ = tokio::signal::ctrl_c() => if endless { Ok(()) } else { Err(Failure::no("stopped")) },
        };
        backend.close().await;
        outcome
    }

    /// As [`Self::show_all`]; what only the person knows is asked for when it turns out to be needed.
    async fn show_asking(
        &self,
        backend: &Backend,
        call: &mut Call,
        show: &mut impl FnMut(&Terminal, Reply),
    ) -> Result<(), Failure> {
        loop {
            let failure = match self.show_all(backend.call(call.clone()), show).await {
                Err(failure) if ask::possible() && !self.terminal.json() => failure,
                outcome => return outcome,
            };
            match failure.needs {
                Some(Need::Passphrase) if call.passphrase.is_none() => {
                    call.passphrase = Some(ask::terminal("passphrase: ")?);
                }
                Some(Need::Words) if call.words.is_none() => {
                    self.terminal.warn(&failure.message);
                    call.words = Some(ask::terminal("your 24 words (not shown): ")?);
                }
                _ => return Err(failure),
            }
        }
    }

    async fn show_all(&self, mut answers: Answers, show: &mut impl FnMut(&Terminal, Reply)) -> Result<(), Failure> {
        let mut view = ProgressView::new(self.terminal.clone());
        while let Some(reply) = answers.next().await {
            match reply {
                Reply::Done => return Ok(()),
                Reply::Error(failure) => {
                    view.clear();
                    return Err(failure);
                }
                Reply::Progress(progress) => view.show(&progress),
                reply => {
                    view.clear();
                    match reply {
                        Reply::Note { .. } if self.terminal.json() => self.terminal.aside_object(&reply),
                        _ if self.terminal.json() => self.terminal.object(&reply),
                        Reply::Note { text } => self.terminal.warn(text),
                        reply => show(&self.terminal, reply),
                    }
                }
            }
        }
        Err(Failure::failed("the engine stopped before it had answered"))
    }
}

/// A path as the daemon must see it, whose working directory is another.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|error| Failure::failed(format!("cannot tell where {} is: {error}", path.display())))
}

fn default_data(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let set = |name| variable(name).filter(|path| path.is_absolute());
    set("XDG_DATA_HOME").or_else(|| set("HOME").map(|home| home.join(".local/share"))).map(|base| base.join("peerfeed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_folder_follows_the_desktop_convention() {
        let home = |name: &str| (name == "HOME").then(|| PathBuf::from("/home/ann"));
        assert_eq!(default_data(home), Some("/home/ann/.local/share/peerfeed".into()));
        let xdg = |name: &str| Some(PathBuf::from(if name == "HOME" { "/home/ann" } else { "/data" }));
        assert_eq!(default_data(xdg), Some("/data/peerfeed".into()));
        assert_eq!(default_data(|_| None), None);
        assert_eq!(default_data(|_| Some("relative".into())), None);
    }
}
