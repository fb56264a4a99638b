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
    multi: MultiProgress,
    /// By what the work is about: one bar each, which changes its words from stage to stage.
    bars: BTreeMap<String, (ProgressBar, Stage)>,
    lines: BTreeMap<(String, Stage), LastLine>,
}

#[derive(Debug)]
struct LastLine {
    at: Instant,
    last: Progress,
}

impl ProgressView {
    /// A view for one command.
    pub fn new(terminal: Terminal) -> Self {
        let target = if terminal.bars() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let multi = MultiProgress::with_draw_target(target);
        Self { terminal, multi, bars: BTreeMap::new(), lines: BTreeMap::new() }
    }

    /// Shows one step.
    pub fn show(&mut self, progress: &Progress) {
        if self.terminal.json() {
            return self.terminal.aside_object(&Reply::Progress(progress.clone()));
        }
        if self.terminal.bars() {
            self.show_bar(progress);
        } else {
            self.show_line(progress, Instant::now());
        }
    }

    /// Takes the bars away, so that other lines can follow.
    pub fn clear(&mut self) {
        for (bar, _) in self.bars.values() {
            bar.finish_and_clear();
        }
        self.multi.clear().ok();
        self.bars.clear();
        self.lines.clear();
    }

    fn show_bar(&mut self, progress: &Progress) {
        if !self.bars.contains_key(&progress.what) {
            if self.bars.len() >= MAX_BARS {
                return;
            }
            self.bars.insert(progress.what.clone(), (new_bar(&self.multi, progress), progress.stage));
        }
        let Some((bar, stage)) = self.bars.get_mut(&progress.what) else { return };
        if *stage != progress.stage {
            *stage = progress.stage;
            bar.reset();
            bar.set_style(style(progress.stage));
        }
        bar.set_length(progress.total);
        bar.set_position(progress.done);
        bar.set_message(words(progress));
    }

    fn show_line(&mut self, progress: &Progress, now: Instant) {
        let complete = progress.total > 0 && progress.done >= progress.total;
        let key = (progress.what.clone(), progress.stage);
        if let Some(line) = self.lines.get_mut(&key) {
            let was_complete = line.last.total > 0 && line.last.done >= line.last.total;
            let news = line.last != *progress;
            line.last = progress.clone();
            if !news || was_complete || !(complete || now.duration_since(line.at) >= PLAIN_INTERVAL) {
                return;
            }
            line.at = now;
        } else {
            self.lines.insert(key, LastLine { at: now, last: progress.clone() });
        }
        self.terminal.aside(plain_line(progress));
    }
}

impl Drop for ProgressView {
    fn drop(&mut self) {
        self.clear();
    }
}

fn new_bar(multi: &MultiProgress, progress: &Progress) -> ProgressBar {
    // Hidden until it has its place, or it would draw itself where it stands.
    let bar = multi.add(ProgressBar::with_draw_target(Some(progress.total), ProgressDrawTarget::hidden()));
    bar.set_prefix(Safe::line(&progress.what).to_string());
    bar.set_message(words(progress));
    bar.set_style(style(progress.stage));
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

fn style(stage: Stage) -> ProgressStyle {
    let template = match stage {
        Stage::Connecting => "{prefix:.bold} {spinner} {msg}",
        Stage::Entries | Stage::Storing => "{prefix:.bold} {bar:24.cyan/dim} {pos} of {len} {msg}",
        Stage::Files | Stage::Sealing | Stage::Writing => {
            "{prefix:.bold} {bar:24.cyan/dim} {binary_bytes} of {binary_total_bytes} {binary_bytes_per_sec} {eta} {msg}"
        }
    };
    ProgressStyle::with_template(template).expect("the template is valid").progress_chars("━╸─")
}

/// What is being done, beside the bar.
fn words(progress: &Progress) -> String {
    let from = match progress.peers {
        0 => String::new(),
        1 => " from 1 peer".into(),
        many => format!(" from {many} peers"),
    };
    match progress.stage {
        Stage::Connecting => "looking for a peer".into(),
        Stage::Entries => format!("entries{from}"),
        Stage::Files => format!("fetching{from}"),
        Stage::Storing => "entries stored by seeders".into(),
        Stage::Sealing => "sealing".into(),
        Stage::Writing => "writing".into(),
    }
}

fn plain_line(progress: &Progress) -> String {
    let Progress { done, total, .. } = *progress;
    let (what, words) = (Safe::line(&progress.what), words(progress));
    match progress.stage {
        Stage::Connecting => format!("{what}: {words}"),
        Stage::Entries | Stage::Storing => format!("{what}: {done} of {total} {words}"),
        Stage::Files | Stage::Sealing | Stage::Writing => {
            format!("{what}: {words}, {} of {} ({})", size(done), size(total), percent(done, total))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_line_tells_how_far_it_is_and_from_whom() {
        let progress =
            Progress { what: "film.mkv".into(), stage: Stage::Files, done: 10 << 20, total: 20 << 20, peers: 2 };
        assert_eq!(plain_line(&progress), "film.mkv: fetching from 2 peers, 10.0 MiB of 20.0 MiB (50 %)");
        let progress = Progress { what: "ann".into(), ..Progress::default() };
        assert_eq!(plain_line(&progress), "ann: looking for a peer");
    }

    #[test]
    fn every_stage_has_a_valid_bar() {
        for stage in [Stage::Connecting, Stage::Entries, Stage::Files, Stage::Storing, Stage::Sealing, Stage::Writing] {
            new_bar(&MultiProgress::new(), &Progress { stage, ..Progress::default() });
        }
    }

    #[test]
    fn one_work_has_one_bar_through_all_its_stages() {
        let mut view = ProgressView::new(Terminal::plain(false));
        for stage in [Stage::Connecting, Stage::Files, Stage::Writing] {
            view.show_bar(&Progress { what: "film.mkv".into(), stage, ..Progress::default() });
            assert_eq!(view.bars.len(), 1);
            assert_eq!(view.bars["film.mkv"].1, stage);
        }
        view.clear();
        assert!(view.bars.is_empty());
    }
}
