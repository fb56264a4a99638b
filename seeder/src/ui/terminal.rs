//! Where output goes: standard output for results, standard error for what goes on beside them.

use std::io::{IsTerminal, Write};

use serde::Serialize;

use crate::api::{Failure, FailureKind};

/// The two streams of this process and what they can show.
#[derive(Clone, Debug)]
pub struct Terminal {
    json: bool,
    output: Stream,
    errors: Stream,
}

/// What one stream can show.
#[derive(Clone, Debug, Default)]
struct Stream {
    color: bool,
    bars: bool,
}

/// What a piece of text is, which decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Names, headings.
    Strong,
    /// Beside the point.
    Dim,
    /// All is well.
    Good,
    /// Needs attention.
    Warn,
    /// Went wrong.
    Bad,
    /// Channels, ids: what one may type again.
    Name,
}

impl Paint {
    fn code(self) -> &'static str {
        match self {
            Self::Strong => "1",
            Self::Dim => "2",
            Self::Good => "32",
            Self::Warn => "33",
            Self::Bad => "1;31",
            Self::Name => "36",
        }
    }
}

impl Terminal {
    /// Looks at the streams and at `NO_COLOR` (<https://no-color.org>) and `TERM`.
    pub fn detect(json: bool) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let stream = |terminal: bool| Stream { color: terminal && !plain && !json, bars: terminal && !json };
        Self { json, output: stream(std::io::stdout().is_terminal()), errors: stream(std::io::stderr().is_terminal()) }
    }

    /// A terminal without colours and bars, as for a pipe.
    pub fn plain(json: bool) -> Self {
        Self { json, output: Stream::default(), errors: Stream::default() }
    }

    /// Whether a program reads along.
    pub fn json(&self) -> bool {
        self.json
    }

    /// Whether results are shown to a person.
    pub fn is_shown(&self) -> bool {
        self.output.bars
    }

    /// Whether progress may move.
    pub fn bars(&self) -> bool {
        self.errors.bars
    }

    /// Whether what stands beside the results may be coloured.
    pub fn colors_aside(&self) -> bool {
        self.errors.color
    }

    /// Colours text for standard output, if it is a terminal.
    pub fn paint(&self, paint: Paint, text: impl std::fmt::Display) -> String {
        colored(self.output.color, paint, text)
    }

    /// A line of result.
    pub fn line(&self, text: impl std::fmt::Display) {
        write_line(&mut std::io::stdout().lock(), &text.to_string());
    }

    /// A result for programs: one object, one line.
    pub fn object(&self, object: &impl Serialize) {
        let text = serde_json::to_string(object).expect("results have only string keys");
        write_line(&mut std::io::stdout().lock(), &text);
    }

    /// A line beside the result.
    pub fn aside(&self, text: impl std::fmt::Display) {
        write_line(&mut std::io::stderr().lock(), &text.to_string());
    }

    /// Something for programs beside the result: one object, one line.
    pub fn aside_object(&self, object: &impl Serialize) {
        self.aside(serde_json::to_string(object).expect("objects have only string keys"));
    }

    /// Something that needs attention, beside the result.
    pub fn warn(&self, text: impl std::fmt::Display) {
        self.aside(format_args!("{} {text}", colored(self.errors.color, Paint::Warn, "note:")));
    }

    /// Why the command ended without success, and what to do next.
    pub fn failure(&self, failure: &Failure) {
        if self.json {
            let object = serde_json::json!({
                "event": "error",
                "kind": failure.kind,
                "message": failure.message,
                "hint": failure.hint,
            });
            return self.aside(object);
        }
        let next = match failure.kind {
            // Nothing is broken: somebody who has no friends yet made no mistake.
            FailureKind::No => {
                self.aside(&failure.message);
                "next:"
            }
            FailureKind::Failed => {
                let word = colored(self.errors.color, Paint::Bad, "error:");
                self.aside(format_args!("{word} {}", failure.message));
                " next:"
            }
        };
        if let Some(hint) = &failure.hint {
            self.aside(format_args!("{} {hint}", colored(self.errors.color, Paint::Good, next)));
        }
    }
}

fn colored(color: bool, paint: Paint, text: impl std::fmt::Display) -> String {
    if color { format!("\x1b[{}m{text}\x1b[0m", paint.code()) } else { text.to_string() }
}

fn write_line(stream: &mut impl Write, text: &str) {
    let written =
        stream.write_all(text.as_bytes()).and_then(|()| stream.write_all(b"\n")).and_then(|()| stream.flush());
    if let Err(error) = written {
        // `peerfeed read | head`: the reader has seen enough, which is no failure. Anything else has nowhere to be told.
        std::process::exit(if error.kind() == std::io::ErrorKind::BrokenPipe { 0 } else { 2 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_gets_no_colours() {
        assert_eq!(Terminal::plain(false).paint(Paint::Bad, "x"), "x");
        assert_eq!(colored(true, Paint::Bad, "x"), "\x1b[1;31mx\x1b[0m");
    }
}
