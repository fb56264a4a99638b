//! Other people's text on this person's terminal.

use std::fmt;

use peerfeed_protocol::feed::{shown, shown_in_line};

/// Shows text from elsewhere without its power over a terminal. spec: ENTRY-20
#[derive(Clone, Copy, Debug)]
pub struct Safe<'a> {
    text: &'a str,
    lines: bool,
}

impl<'a> Safe<'a> {
    /// Text that must stay on its line: names, channels, file names.
    pub fn line(text: &'a str) -> Self {
        Self { text, lines: false }
    }

    /// Text of several lines: line breaks and tabs stay.
    pub fn text(text: &'a str) -> Self {
        Self { text, lines: true }
    }
}

impl fmt::Display for Safe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&if self.lines { shown(self.text) } else { shown_in_line(self.text) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_sequence_does_not_reach_the_terminal() {
        assert_eq!(Safe::text("a\x1b[2Jb\nc").to_string(), "a\\u{1b}[2Jb\nc");
        assert_eq!(Safe::line("a\nb").to_string(), "a\\u{a}b");
    }
}
