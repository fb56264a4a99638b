//! `read` and `get`.

use super::folder::{Folder, said};

fn texts(folder: &Folder, args: &[&str]) -> Vec<String> {
    let lines = folder.json(&[&["read"], args].concat());
    lines.iter().map(|entry| entry["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_timeline_ends_with_the_newest_and_can_be_narrowed() {
    let ann = Folder::of("Ann");
    for (text, channel) in [("one", "a"), ("two", "b"), ("three", "a")] {
        ann.does(&["post", text, "--channel", channel]);
    }
    assert_eq!(texts(&ann, &[]), ["one", "two", "three"]);
    assert_eq!(texts(&ann, &["--limit", "2"]), ["two", "three"]);
    assert_eq!(texts(&ann, &["--channel", "a"]), ["one", "three"]);
    assert_eq!(texts(&ann, &["--since", "1h"]), ["one", "two", "three"]);
    assert!(texts(&ann, &["--since", "2099-01-01"]).is_empty());
    assert_eq!(texts(&ann, &["ann", "--limit", "1"]), ["three"]);
    assert_eq!(texts(&ann, &["--grep", "T"]), ["two", "three"], "in any case of letters");
    assert_eq!(texts(&ann, &["--grep", "t", "--limit", "1"]), ["three"]);
    ann.tries(&["read", "--grep", "four"]).ends(0, &["nothing that fits is here"]);
    ann.tries(&["read", "--limit", "0"]).ends(2, &["--limit"]);
    ann.tries(&["read", "--since", "later"]).ends(2, &["3d"]);
    ann.tries(&["read", "Zoe"]).ends(2, &["nobody here is called Zoe"]);
}

#[test]
fn a_search_looks_into_texts_channels_and_names_of_files() {
    let ann = Folder::of("Ann");
    ann.does(&["post", "Die ERSTE Größe"]);
    ann.does(&["post", "two", "--channel", "roses"]);
    ann.does(&["post", "three", "--attach", &ann.file("Rose.png", b"r")]);
    assert_eq!(texts(&ann, &["--grep", "rose"]), ["two", "three"]);
    assert_eq!(texts(&ann, &["--grep", "erste grö"]), ["Die ERSTE Größe"]);
    assert!(texts(&ann, &["--grep", "png", "--channel", "roses"]).is_empty());
}

#[test]
fn the_text_form_is_plain_in_a_pipe_and_shows_control_characters() {
    let ann = Folder::of("Ann");
    ann.does(&["post", "red \u{1b}[31malert", "--channel", "x"]);
    let page = ann.does(&["read"]);
    assert!(!page.contains('\u{1b}'), "{page:?}");
    assert!(page.contains("red \\u{1b}[31malert") && page.contains("#x") && page.starts_with("Ann"), "{page}");
    assert_eq!(ann.one(&["read"])["text"], "red \u{1b}[31malert", "programs get it as it is");
}

#[test]
fn an_entrys_files_come_back_as_they_were_and_overwrite_nothing() {
    let ann = Folder::of("Ann");
    let content: Vec<u8> = (0..200_000_u32).map(|at| (at * 7 % 251) as u8).collect();
    let file = ann.file("data.bin", &content);
    let id = ann.one(&["post", "", "--attach", &file])["id"].as_str().unwrap().to_owned();
    let out = ann.root.path().join("out");
    for name in ["data.bin", "data (2).bin"] {
        let got = ann.one(&["get", &id[..6], "--out", out.to_str().unwrap()]);
        assert_eq!(got["event"], "file");
        assert_eq!(got["size_bytes"], 200_000);
        assert_eq!(got["path"].as_str().unwrap(), out.join(name).to_str().unwrap());
        assert_eq!(std::fs::read(out.join(name)).unwrap(), content);
    }
}

#[test]
fn get_without_an_answer_says_why() {
    let ann = Folder::of("Ann");
    let id = ann.one(&["post", "no file"])["id"].as_str().unwrap().to_owned();
    ann.tries(&["get", &id]).ends(1, &["no files"]);
    ann.tries(&["get", "aaaaaaaaaaaaaaaa"]).ends(2, &["no entry here", "peerfeed read"]);
    ann.tries(&["get", "ab"]).ends(2, &["4 characters"]);
    ann.tries(&["get", "../../etc"]).ends(2, &["no entry here"]);
}

#[test]
fn a_reader_that_stops_early_is_no_failure() {
    let ann = Folder::of("Ann");
    for _ in 0..3 {
        ann.does(&["post", &"long ".repeat(2_000)]);
    }
    let program = env!("CARGO_BIN_EXE_peerfeed");
    let mut shell = std::process::Command::new("sh");
    shell.env("PEERFEED_DATA", ann.data()).args(["-c", &format!("{program} read | head -c 10; echo")]);
    let said = said(&mut shell);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
}
