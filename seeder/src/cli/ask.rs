//! Asking for what only the person here knows: at a terminal without echo, or from a file that they name. Never from an
//! argument, which others could see.

use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::Path;

use crate::api::{Failure, Secret};

/// Bytes of a file with a passphrase or 24 words.
const SECRET_BYTES_MAX: u64 = 4_096;

/// Whether a person can be asked.
pub(super) fn possible() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// The first line of a file that was named, or of standard input for `-`.
pub(super) fn file(path: &Path, what: &str) -> Result<Secret, Failure> {
    let failed =
        |error: std::io::Error| Failure::failed(format!("cannot read the {what} from {}: {error}", path.display()));
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(SECRET_BYTES_MAX).read_to_string(&mut text)
    } else {
        File::open(path).map_err(failed)?.take(SECRET_BYTES_MAX).read_to_string(&mut text)
    };
    read.map_err(failed)?;
    let trimmed = text.trim_end_matches(['\n', '\r']).to_owned();
    zeroize::Zeroize::zeroize(&mut text);
    if trimmed.is_empty() {
        return Err(Failure::failed(format!("there is no {what} in {}", path.display())));
    }
    Ok(Secret::new(trimmed))
}

/// Asks at the terminal, without echo.
pub(super) fn terminal(prompt: &str) -> Result<Secret, Failure> {
    let terminal = console::Term::stderr();
    let asked = terminal.write_str(prompt).and_then(|()| terminal.read_secure_line());
    asked.map(Secret::new).map_err(|error| Failure::failed(format!("nothing could be asked at the terminal: {error}")))
}

/// A new passphrase: from a file, or asked for twice.
pub(super) fn new_passphrase(path: Option<&Path>, what: &str) -> Result<Secret, Failure> {
    if let Some(path) = path {
        return file(path, what);
    }
    if !possible() {
        return Err(Failure::failed(format!("the {what} is asked for at a terminal"))
            .hint("elsewhere, give it with `--new-passphrase-file FILE`"));
    }
    let first = terminal(&format!("{what}: "))?;
    if terminal("once more: ")? != first {
        return Err(Failure::failed("the two are not the same: nothing was changed"));
    }
    Ok(first)
}
