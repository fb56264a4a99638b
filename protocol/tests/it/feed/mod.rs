//! The feed chapter: vectors of every format, and properties of all of them.

pub(crate) mod actors;
mod blobs;
mod entries;
mod epochs;
mod links;
mod logs;
mod private;
mod properties;
mod records;

use serde_json::Value as Json;

use crate::vector::{self, Given, Outcome, Story};

#[test]
fn feeds_are_what_the_vectors_say() {
    vector::bless("feed", &stories(), run);
    vector::check("feed", run);
}

fn stories() -> Vec<Story> {
    let parts = [
        records::stories(),
        logs::stories(),
        entries::stories(),
        epochs::stories(),
        blobs::stories(),
        links::stories(),
        private::stories(),
    ];
    parts.into_iter().flatten().collect()
}

fn run(given: &Given<'_>) -> Outcome {
    match given.kind {
        "manifest" => records::manifest(given),
        "roster" => records::roster(given),
        "records" => records::pair(given),
        "head" => logs::head(given),
        "head-in-roster" => logs::head_in_roster(given),
        "next-head" => logs::next_head(given),
        "leaf" => entries::leaf(given),
        "entry" => entries::entry(given),
        "control" => epochs::control(given),
        "grant" => epochs::grant(given),
        "history" => epochs::history(given),
        "private" => private::private(given),
        "blob" => blobs::blob(given),
        "blob-size" => blobs::size(given),
        "link" => links::link(given),
        other => panic!("no vector of kind {other} belongs here"),
    }
}

/// Makes the stories of one kind.
pub(crate) struct Kind {
    pub(crate) kind: &'static str,
    pub(crate) spec: &'static [&'static str],
}

impl Kind {
    pub(crate) fn accepted(&self, name: &'static str, story: &'static str, given: Json) -> Story {
        self.story(name, story, given, true)
    }

    pub(crate) fn refused(&self, name: &'static str, story: &'static str, given: Json) -> Story {
        self.story(name, story, given, false)
    }

    fn story(&self, name: &'static str, story: &'static str, given: Json, accepted: bool) -> Story {
        Story { name, story, kind: self.kind, spec: self.spec, given, accepted }
    }
}
