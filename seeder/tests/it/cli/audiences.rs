//! `list`, `post --to`, `dm`.

use super::folder::Folder;
use super::friends::{Server, posts};

/// What a person reads of another one: type and text of each entry that can be read, oldest first.
fn reads(person: &Folder, name: &str) -> Vec<(String, String)> {
    person.does(&["fetch", name]);
    let word = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let entries = person.json(&["read", name]);
    entries.iter().filter_map(|entry| Some((word(&entry["type"])?, word(&entry["text"])?))).collect()
}

fn post(text: &str) -> (String, String) {
    ("post".to_owned(), text.to_owned())
}

#[test]
fn a_post_goes_to_a_list_and_a_message_to_one_person() {
    let (ann, ben, cleo, server) = (Folder::of("Ann"), Folder::of("Ben"), Folder::of("Cleo"), Server::start());
    for person in [&ann, &ben, &cleo] {
        server.holds(person);
        posts(person, "Hello.");
    }
    for (one, other, name) in [(&ann, &ben, "Ben"), (&ann, &cleo, "Cleo"), (&ben, &ann, "Ann"), (&cleo, &ann, "Ann")] {
        one.does(&["add", &other.link(&[]), "--name", name, "--follow-only"]);
        one.does(&["fetch"]);
        one.does(&["accept", name]);
    }
    ann.tries(&["list"]).ends(1, &["no lists yet", "peerfeed list add"]);
    ann.tries(&["post", "x", "--to", "family"]).ends(2, &["no list called family", "peerfeed list"]);
    ann.tries(&["list", "add", "family", "Zoe"]).ends(2, &["nobody here is called Zoe"]);
    let list = ann.one(&["list", "add", "family", "ben"]);
    assert_eq!((&list["list"], &list["members"][0]["name"]), (&"family".into(), &"Ben".into()));
    assert!(ann.does(&["list"]).contains("family  Ben"));

    ann.does(&["post", "Sunday at ours?", "--to", "Family", "--wait", "60s"]);
    ann.does(&["dm", "cleo", "What shall we cook?", "--wait", "60s"]);
    assert_eq!(reads(&ben, "Ann"), [post("Hello."), post("Sunday at ours?")]);
    assert_eq!(reads(&cleo, "Ann"), [post("Hello."), ("message".to_owned(), "What shall we cook?".to_owned())]);
    assert!(cleo.does(&["read", "Ann"]).contains("  direct message  "));
    let shown = ann.does(&["read", "Ann"]);
    for words in ["  to friends  ", "  to family  ", "  direct message to Cleo  "] {
        assert!(shown.contains(words), "{words} in {shown}");
    }

    cleo.does(&["dm", "Ann", "Soup.", "--wait", "60s"]);
    ann.does(&["fetch"]);
    let thread = ann.json(&["dm", "Cleo"]);
    let texts: Vec<_> = thread.iter().map(|entry| entry["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["What shall we cook?", "Soup."]);
    assert_eq!(thread[1]["to"], ann.one(&["id"])["feed"]);
    ann.tries(&["dm", "Ben", ""]).ends(2, &["a text or a file"]);
    ann.does(&["remove", "Ben"]);
    ann.tries(&["dm", "Ben", "Are you there?"]).ends(1, &["Ben is no friend of yours", "peerfeed accept Ben"]);
    ann.tries(&["post", "x", "--to", "family"]).ends(2, &["nobody is on the list family", "peerfeed list add"]);
    ann.tries(&["list", "remove", "family", "Cleo"]).ends(1, &["Cleo is not on this list"]);
    assert_eq!(ann.one(&["list", "delete", "family"])["change"], "deleted");
}
