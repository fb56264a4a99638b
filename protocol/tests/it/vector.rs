//! Vectors: one story per file, with what is given and what must come of it. Their form: `fixtures/README.md`.
//!
//! A test does two things with a folder of them: [`bless`] compares the files that this code can make from fixed seeds with
//! what it makes (or writes them), and [`check`] runs every file, made here or not, and compares the outcome.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fmt, fs};

use serde_json::{Map, Value, json};

/// Everything at the root of the workspace.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace").to_path_buf()
}

/// What is given in a vector.
pub(crate) struct Given<'a> {
    /// What is to be done with it.
    pub(crate) kind: &'a str,
    fields: &'a Map<String, Value>,
}

impl<'a> Given<'a> {
    /// What is given, for a test of its own.
    pub(crate) fn new(kind: &'a str, fields: &'a Map<String, Value>) -> Self {
        Self { kind, fields }
    }
}

impl Given<'_> {
    /// A field, if it is there.
    pub(crate) fn optional(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)
    }

    /// A field of any type.
    pub(crate) fn value(&self, name: &str) -> &Value {
        self.optional(name).unwrap_or_else(|| panic!("the vector has no \"{name}\""))
    }

    /// A text.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.value(name).as_str().unwrap_or_else(|| panic!("\"{name}\" is no text"))
    }

    /// An integer.
    pub(crate) fn uint(&self, name: &str) -> u64 {
        self.value(name).as_u64().unwrap_or_else(|| panic!("\"{name}\" is no integer"))
    }

    /// Bytes, written in hex.
    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        unhex(self.text(name))
    }

    /// Exactly `N` bytes, written in hex.
    pub(crate) fn array<const N: usize>(&self, name: &str) -> [u8; N] {
        self.bytes(name).try_into().unwrap_or_else(|_| panic!("\"{name}\" has not {N} bytes"))
    }

    /// A list of byte strings, each written in hex.
    pub(crate) fn byte_list(&self, name: &str) -> Vec<Vec<u8>> {
        let items = self.value(name).as_array().unwrap_or_else(|| panic!("\"{name}\" is no list"));
        items.iter().map(|item| unhex(item.as_str().expect("a list of hex texts"))).collect()
    }
}

/// What comes of a vector: the values that must be there, or one word that says why it is refused.
pub(crate) type Outcome = Result<Value, String>;

/// Runs every vector of `fixtures/vectors/<folder>` and compares what comes of it. At least one must be accepted and one
/// refused, so that a folder that went missing is noticed.
pub(crate) fn check(folder: &str, run: impl Fn(&Given<'_>) -> Outcome) {
    let directory = workspace().join("fixtures/vectors").join(folder);
    let mut paths: Vec<_> = fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    paths.sort();
    let (mut accepted, mut refused) = (0, 0);
    for path in paths {
        let name = path.display();
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let vector: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let kind = vector["kind"].as_str().unwrap_or_else(|| panic!("{name} has no kind"));
        let fields = vector["given"].as_object().unwrap_or_else(|| panic!("{name} gives nothing"));
        let outcome = run(&Given { kind, fields });
        assert_eq!(expectation(&outcome), vector["expect"], "{name}: {}", vector["story"]);
        if outcome.is_ok() {
            accepted += 1;
        } else {
            refused += 1;
        }
    }
    assert!(accepted > 0 && refused > 0, "{folder}: {accepted} vectors accepted, {refused} refused");
}

/// A vector that this code makes.
#[derive(Clone)]
#[expect(clippy::struct_field_names, reason = "the fields are named as in the file")]
pub(crate) struct Story {
    /// The file's name without `.json`: the story in a few words.
    pub(crate) name: &'static str,
    /// The story in a sentence.
    pub(crate) story: &'static str,
    /// What is to be done with what is given.
    pub(crate) kind: &'static str,
    /// Requirements that it shows.
    pub(crate) spec: &'static [&'static str],
    /// What is given.
    pub(crate) given: Value,
    /// Whether it must be accepted.
    pub(crate) accepted: bool,
}

/// Compares the files of `fixtures/vectors/<folder>` with these stories; with `PEERFEED_BLESS=1`, writes them instead.
///
/// What must come of each is computed by `run`, but whether it is accepted is said by the story: a file never records by
/// accident that a broken record is taken.
pub(crate) fn bless(folder: &str, stories: &[Story], run: impl Fn(&Given<'_>) -> Outcome) {
    let directory = workspace().join("fixtures/vectors").join(folder);
    let writing = env::var_os("PEERFEED_BLESS").is_some_and(|value| value == "1");
    for story in stories {
        let fields = story.given.as_object().expect("what is given is an object");
        let outcome = run(&Given { kind: story.kind, fields });
        assert_eq!(outcome.is_ok(), story.accepted, "{folder}/{}: {outcome:?}", story.name);
        let text = format!(
            "{{\n  \"story\": {},\n  \"kind\": {},\n  \"spec\": {},\n  \"given\": {},\n  \"expect\": {}\n}}\n",
            json!(story.story),
            json!(story.kind),
            json!(story.spec),
            indented(&story.given),
            indented(&expectation(&outcome)),
        );
        let path = directory.join(story.name).with_extension("json");
        if writing {
            fs::create_dir_all(&directory).expect("a folder that can be made");
            fs::write(&path, text).expect("a file that can be written");
        } else {
            let held = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(held, text, "{} is not what the code makes; PEERFEED_BLESS=1 writes it", path.display());
        }
    }
}

/// The word for a refusal: the name of the error's variant, in small letters with dashes.
pub(crate) fn word(error: &impl fmt::Debug) -> String {
    let name = format!("{error:?}");
    let variant = name.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let mut word = String::new();
    for (at, letter) in variant.chars().enumerate() {
        if letter.is_uppercase() && at > 0 {
            word.push('-');
        }
        word.extend(letter.to_lowercase());
    }
    word
}

/// Lowercase hex.
pub(crate) fn hex(bytes: impl AsRef<[u8]>) -> String {
    let mut text = String::new();
    for byte in bytes.as_ref() {
        write!(text, "{byte:02x}").expect("a string takes everything");
    }
    text
}

/// Bytes from hex.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2) && text.is_ascii(), "hex has an even number of digits: {text}");
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap_or_else(|_| panic!("no hex: {text}")))
        .collect()
}

fn expectation(outcome: &Outcome) -> Value {
    match outcome {
        Ok(value) => json!({ "ok": value }),
        Err(word) => json!({ "error": word }),
    }
}

fn indented(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("JSON can be written").replace('\n', "\n  ")
}

#[test]
fn an_errors_word_is_the_name_of_its_variant() {
    #[derive(Debug)]
    enum Error {
        #[expect(dead_code, reason = "only its name is looked at")]
        NotCanonical { position: u8 },
    }
    assert_eq!(word(&Error::NotCanonical { position: 1 }), "not-canonical");
}
