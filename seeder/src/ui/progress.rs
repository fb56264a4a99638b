//! Progress of long work: bars on a terminal, plain lines elsewhere, objects for programs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Safe, Terminal, percent, size};
use crate::api::{Progress, Reply, Stage};

/// How often a plain line may tell of the same work.
const PLAIN_INTERVAL: Duration = Duration::from_secs(2);

/// Bars shown at once; a fetch of two hundred feeds does not scroll the terminal away.
const MAX_BARS: usize = 8;

/// Shows progress on standard error.
#[derive(Debug)]
pub struct ProgressView {
    terminal: Terminal,
    bars: MultiProgress,
    shown: BTreeMap<(String, Stage), Shown>,
}

#[derive(Debug)]
struct Shown {
    bar: Option<ProgressBar>,
    last_line: Instant,
    last: Progress,
}

impl ProgressView {
    /// A view for one command.
    pub fn new(terminal: Terminal) -> Self {
        let target = if terminal.bars() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { terminal, bars: MultiProgress::with_draw_target(target), shown: BTreeMap::new() }
    }

    /// Shows one step.
    pub fn show(&mut self, progress: &Progress) {
        if self.terminal.json() {
            return self.terminal.aside_object(&Reply::Progress(progress.clone()));
        }
        let key = (progress.what.clone(), progress.stage);
        if self.terminal.bars() {
            self.show_bar(&key, progress);
        } else {
            self.show_line(key, progress, Instant::now());
        }
    }

    /// Takes the bars away, so that other lines can follow.
    pub fn clear(&mut self) {
        for shown in self.shown.values() {
            if let Some(bar) = &shown.bar {
                bar.finish_and_clear();
            }
        }
        self.bars.clear().ok();
        self.shown.clear();
    }

    fn show_bar(&mut self, key: &(String, Stage), progress: &Progress) {
        if !self.shown.contains_key(key) {
            // The next stage of the same work takes the place of the one before.
            let before = self.shown.extract_if(.., |(what, _), _| *what == progress.what);
            before.filter_map(|(_, shown)| shown.bar).for_each(|bar| bar.finish_and_clear());
            let bar = (self.shown.len() < MAX_BARS).then(|| new_bar(&self.bars, progress));
            self.shown.insert(key.clone(), Shown { bar, last_line: Instant::now(), last: progress.clone() });
        }
        if let Some(bar) = self.shown.get(key).and_then(|shown| shown.bar.as_ref()) {
            bar.set_length(progress.total);
            bar.set_position(progress.done);
            bar.set_message(peers(progress));
        }
    }

    fn show_line(&mut self, key: (String, Stage), progress: &Progress, now: Instant) {
        let complete = progress.total > 0 && progress.done >= progress.total;
        if let Some(shown) = self.shown.get_mut(&key) {
            let was_complete = shown.last.total > 0 && shown.last.done >= shown.last.total;
            let news = shown.last != *progress;
            shown.last = progress.clone();
            if !news || was_complete || !(complete || now.duration_since(shown.last_line) >= PLAIN_INTERVAL) {
                return;
            }
            shown.last_line = now;
        } else {
            self.shown.insert(key, Shown { bar: None, last_line: now, last: progress.clone() });
        }
        self.terminal.aside(plain_line(progress));
    }
}

impl Drop for ProgressView {
    fn drop(&mut self) {
        self.clear();
    }
}

fn new_bar(bars: &MultiProgress, progress: &Progress) -> ProgressBar {
    let template = match progress.stage {
        Stage::Connecting => "{prefix:.bold} {spinner} {msg}",
        Stage::Entries | Stage::Storing => "{prefix:.bold} {bar:24.cyan/dim} {pos} of {len} {msg}",
        Stage::Files | Stage::Sealing | Stage::Writing => {
            "{prefix:.bold} {bar:24.cyan/dim} {binary_bytes} of {binary_total_bytes} {binary_bytes_per_sec} {eta} {msg}"
        }
    };
    let style = ProgressStyle::with_template(template).expect("the template is valid").progress_chars("━╸─");
    // Hidden until it has its place, or it would draw itself where it stands.
    let bar = bars.add(ProgressBar::with_draw_target(Some(progress.total), ProgressDrawTarget::hidden()));
    bar.set_prefix(Safe::line(&progress.what).to_string());
    bar.set_message(peers(progress));
    bar.set_style(style);
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

fn peers(progress: &Progress) -> String {
    match (progress.stage, progress.peers) {
        (Stage::Connecting, _) => "looking for a peer".into(),
        (Stage::Sealing | Stage::Writing, _) | (_, 0) => String::new(),
        (_, 1) => "from 1 peer".into(),
        (_, many) => format!("from {many} peers"),
    }
}

fn plain_line(progress: &Progress) -> String {
    let Progress { done, total, .. } = *progress;
    let what = Safe::line(&progress.what);
    let peers = peers(progress);
    let space = if peers.is_empty() { "" } else { " " };
    match progress.stage {
        Stage::Connecting => format!("{what}: {peers}"),
        Stage::Entries => format!("{what}: {done} of {total} entries{space}{peers}"),
        Stage::Storing => format!("{what}: {done} of {total} entries stored by seeders"),
        Stage::Files => format!("{what}: {} of {} ({}){space}{peers}", size(done), size(total), percent(done, total)),
        Stage::Sealing => format!("{what}: sealing, {} of {}", size(done), size(total)),
        Stage::Writing => format!("{what}: writing, {} of {}", size(done), size(total)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_line_tells_how_far_it_is_and_from_whom() {
        let progress =
            Progress { what: "film.mkv".into(), stage: Stage::Files, done: 10 << 20, total: 20 << 20, peers: 2 };
        assert_eq!(plain_line(&progress), "film.mkv: 10.0 MiB of 20.0 MiB (50 %) from 2 peers");
        let progress = Progress { what: "ann".into(), ..Progress::default() };
        assert_eq!(plain_line(&progress), "ann: looking for a peer");
    }

    #[test]
    fn every_stage_has_a_valid_bar() {
        for stage in [Stage::Connecting, Stage::Entries, Stage::Files, Stage::Storing, Stage::Sealing] {
            new_bar(&MultiProgress::new(), &Progress { stage, ..Progress::default() });
        }
    }
}
