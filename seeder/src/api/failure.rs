//! Why a request ended without success, in words for a person.

use serde::{Deserialize, Serialize};

/// Why a request ended without success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Whether it is a plain no or a failure.
    pub kind: FailureKind,
    /// What happened: lower case, no full stop.
    pub message: String,
    /// What to do next: a sentence that names a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What the person would have to type for it to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<Need>,
}

/// Something that only the person here knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// The passphrase of the key files.
    Passphrase,
    /// The 24 words.
    Words,
}

/// A plain no or a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailureKind {
    /// The answer is no: nothing is broken. Exit code 1.
    No,
    /// It could not be done. Exit code 2.
    Failed,
}

impl Failure {
    /// A plain no.
    pub fn no(message: impl Into<String>) -> Self {
        Self { kind: FailureKind::No, message: message.into(), hint: None, needs: None }
    }

    /// It could not be done.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { kind: FailureKind::Failed, message: message.into(), hint: None, needs: None }
    }

    /// A failure that tells an error with all its causes.
    pub fn of(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            message.push_str(": ");
            message.push_str(&cause.to_string());
            source = cause.source();
        }
        Self::failed(message)
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says what the person would have to type.
    #[must_use]
    pub fn needs(mut self, need: Need) -> Self {
        self.needs = Some(need);
        self
    }

    /// The exit code of the process.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            FailureKind::No => 1,
            FailureKind::Failed => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("could not read it")]
        struct Outer(#[source] std::fmt::Error);
        let failure = Failure::of(&Outer(std::fmt::Error));
        assert_eq!(failure.message.matches("could not read it").count(), 1);
        assert!(failure.message.contains(": "));
    }
}
