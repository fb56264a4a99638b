//! Secrets stay where they belong: a search through all that commands, a daemon and a blind seeder print, log, store and
//! show of themselves.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use bech32::{Bech32m, Hrp};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use peerfeed_protocol::bencode;
use peerfeed_protocol::crypto::{BoxKey, DeviceKey, Entropy, HoldKey, IdentityKey, Phrase, WitnessSecret};
use peerfeed_protocol::feed::{EpochSecret, Granted, Link, ReadKey};
use peerfeed_protocol::hold::HoldCode;
use peerfeed_protocol::ids::EpochId;
use peerfeed_protocol::peer::NodeSecret;

use super::folder::Folder;
use super::friends::Server;

const PASSPHRASE: &str = "correct horse battery";

/// A secret in every form in which it could be written.
struct Secret {
    name: &'static str,
    forms: Vec<Vec<u8>>,
}

impl Secret {
    fn text(name: &'static str, text: &str) -> Self {
        let mut forms = Self::bytes(name, text.as_bytes()).forms;
        forms.push(text.to_uppercase().into_bytes());
        Self { name, forms }
    }

    fn bytes(name: &'static str, bytes: &[u8]) -> Self {
        let hex = peerfeed::ui::hex(bytes);
        let mut forms = vec![bytes.to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes()];
        for alphabet in [STANDARD, URL_SAFE] {
            // Wherever in a longer text it begins, the middle looks like one of three.
            for before in 0..3 {
                let padded = [&[0; 3][..before], bytes].concat();
                let text = base64(&padded, alphabet);
                forms.push(text[4..text.len() - 4].to_vec());
            }
        }
        let bech32 = bech32::encode::<Bech32m>(Hrp::parse("x").unwrap(), bytes).unwrap();
        forms.push(bech32.as_bytes()[2..bech32.len() - 6].to_vec());
        let list = format!("{bytes:?}");
        forms.push(list.as_bytes()[1..list.len() - 1].to_vec());
        Self { name, forms }
    }

    fn is_in(&self, content: &[u8]) -> bool {
        self.forms.iter().any(|form| content.windows(form.len()).any(|window| window == form.as_slice()))
    }
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Base64 without padding.
fn base64(bytes: &[u8], alphabet: &[u8; 64]) -> Vec<u8> {
    let mut text = Vec::new();
    for group in bytes.chunks(3) {
        let mut bits = [0; 3];
        bits[..group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes([0, bits[0], bits[1], bits[2]]);
        text.extend((0..=group.len()).map(|at| alphabet[(bits >> (18 - 6 * at)) as usize & 63]));
    }
    text
}

/// The secrets of a key file that is not sealed.
fn key_file(folder: &Folder, name: &str, key: &[u8]) -> Vec<u8> {
    let bytes = fs::read(folder.data().join(name)).unwrap();
    let value = bencode::decode(&bytes, 4_096).unwrap();
    value.as_dict().unwrap().bytes(key).unwrap().to_vec()
}

/// What a new author has to hide, once the passphrase is set: the words are those that `init` printed.
fn secrets_of(author: &Folder, words: &str) -> Vec<Secret> {
    vec![
        Secret::text("the passphrase", PASSPHRASE),
        Secret::text("the words", words),
        Secret::bytes("the identity's key", &key_file(author, "identity.key", b"k")),
        Secret::bytes("the device's signing key", &key_file(author, "device.key", b"k")),
        Secret::bytes("the device's box key", &key_file(author, "device.key", b"b")),
    ]
}

fn search(secrets: &[Secret], place: &str, content: &[u8]) {
    for secret in secrets {
        assert!(!secret.is_in(content), "{} is in {place}", secret.name);
    }
}

fn search_folder(secrets: &[Secret], folder: &Path) {
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            search(secrets, &path.display().to_string(), &fs::read(&path).unwrap());
        }
    }
}

/// Runs a command that logs all it can, looks at what the system shows of it meanwhile, and gives all that it said.
fn said(secrets: &[Secret], folder: &Folder, args: &[&str]) -> Vec<u8> {
    let mut command: Command = folder.command(args);
    command.env("PEERFEED_LOG", "trace").env("RUST_BACKTRACE", "full");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    for name in ["cmdline", "environ"] {
        if let Ok(shown) = fs::read(format!("/proc/{}/{name}", child.id())) {
            search(secrets, &format!("{name} of {args:?}"), &shown);
        }
    }
    child.stdin.take();
    let output = child.wait_with_output().unwrap();
    [output.stdout, output.stderr].concat()
}

#[test]
fn no_secret_is_printed_logged_shown_by_the_system_or_stored_open() {
    let (ann, server) = (Folder::empty(), Server::start());
    let words = ann.one(&["init", "--name", "Ann"])["recovery_phrase"].as_str().unwrap().to_owned();
    let phrase: Phrase = words.parse().unwrap();
    server.holds(&ann);
    let friends_key = ann.link_with_key();
    let mut secrets = secrets_of(&ann, &words);
    secrets.push(Secret::bytes("the recovery box", &*phrase.recovery_box().to_bytes()));
    secrets.push(Secret::bytes("the friends key", friends_key.key.as_ref().unwrap().1.expose()));
    let open = fs::read(ann.data().join("device.key")).unwrap();
    assert!(secrets[3].is_in(&open) && secrets[4].is_in(&open), "the search finds what is there");
    assert!(secrets[1].is_in(base64(words.as_bytes(), STANDARD).as_slice()), "in other forms, too");

    let (one, seal) = (ann.file("passphrase", PASSPHRASE.as_bytes()), ann.file("seal", PASSPHRASE.as_bytes()));
    let typed = ann.file("words", words.as_bytes());
    let exported = ann.root.path().join("export").display().to_string();
    let commands: [&[&str]; 14] = [
        &["passwd", "--new-passphrase-file", &one],
        &["id"],
        &["read", "--passphrase-file", &typed],
        &["id", "--passphrase-file", &one],
        &["post", "hello", "--passphrase-file", &one, "--wait", "60s"],
        &["read", "--passphrase-file", &one],
        &["invite", "--passphrase-file", &one],
        &["seeders", "--passphrase-file", &one],
        &["status"],
        &["trackers", "add", "udp://t.example:1", "--passphrase-file", &one, "--words-file", &typed],
        &["trackers", "remove", "udp://t.example:1", "--passphrase-file", &one, "--words-file", &one],
        &["export", &exported, "--new-passphrase-file", &seal, "--passphrase-file", &one],
        &["recover", "--words-file", &typed],
        &["passwd", "--new-passphrase-file", &seal, "--passphrase-file", &one],
    ];
    for args in commands {
        for format in [&[][..], &["--json"]] {
            let output = said(&secrets, &ann, &[format, args].concat());
            search(&secrets, &format!("what {args:?} said"), &output);
        }
    }
    search_folder(&secrets, &ann.data());
    search(&secrets, "the exported file", &fs::read(&exported).unwrap());
    search_folder(&secrets, &server.folder.data());
}

#[test]
fn a_crash_shows_no_secret_and_leaves_no_image_of_the_memory() {
    let ann = Folder::empty();
    let words = ann.one(&["init", "--name", "Ann"])["recovery_phrase"].as_str().unwrap().to_owned();
    let secrets = secrets_of(&ann, &words);
    let file = ann.file("passphrase", PASSPHRASE.as_bytes());
    ann.does(&["passwd", "--new-passphrase-file", &file]);
    let mut command = ann.command(&["--listen", "none", "run", "--passphrase-file", &file]);
    command.env("PEERFEED_LOG", "trace").env("RUST_BACKTRACE", "full").current_dir(ann.root.path());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut printed = BufReader::new(child.stdout.take().unwrap());
    let mut said = Vec::new();
    while !said.ends_with(b"Ctrl-C stops\n") {
        assert!(printed.read_until(b'\n', &mut said).unwrap() > 0, "it did not start");
    }
    ann.does(&["post", "the daemon has the keys"]);
    let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGABRT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.signal(), output.status.core_dumped()), (Some(Signal::SIGABRT as i32), false));
    printed.read_to_end(&mut said).unwrap();
    search(&secrets, "what it said", &[said, output.stderr].concat());
    let left: Vec<_> = fs::read_dir(ann.root.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "the data folder and the passphrase: {left:?}");
    search_folder(&secrets, &ann.data());
}

#[test]
fn what_a_panic_prints_of_a_key_is_not_the_key() {
    let bytes: [u8; 32] = std::array::from_fn(|at| 101 + u8::try_from(at).unwrap());
    let sixteen = *bytes.first_chunk::<16>().unwrap();
    let phrase = Phrase::from_entropy(&bytes);
    let feed = IdentityKey::from_seed(&bytes).feed_id();
    let witness = WitnessSecret::from_seed(&bytes);
    let code = HoldCode::new(witness.key(), 1, sixteen);
    let link = Link { key: Some((EpochId::new([9; 16]), EpochSecret::new(bytes))), ..Link::new(feed) };
    let typed = peerfeed::api::Secret::new(String::from_utf8(bytes[..26].to_vec()).unwrap());
    let shown = [
        format!("{:?}", IdentityKey::from_seed(&bytes)),
        format!("{:?}", phrase.successor()),
        format!("{:?}", DeviceKey::from_seed(&bytes)),
        format!("{witness:?}"),
        format!("{:?}", BoxKey::from_bytes(bytes)),
        format!("{:?}", NodeSecret::from_bytes(bytes)),
        format!("{:?}", EpochSecret::new(bytes)),
        format!("{:?}", Granted::Secret(EpochSecret::new(bytes))),
        format!("{:?}", Granted::ReadKey(ReadKey::new(bytes))),
        format!("{:?}", Entropy::from_seed(bytes)),
        format!("{phrase:?}"),
        format!("{:?}", HoldKey::from_secret(&sixteen)),
        format!("{code:?}"),
        format!("{link:?}"),
        format!("{typed:?}"),
    ];
    let secrets = [
        Secret::bytes("the key", &bytes[..26]),
        Secret::bytes("half of the key", &sixteen),
        Secret::text("the words", &phrase.to_text()),
        Secret::text("the link", &link.to_text().unwrap()[9..]),
        Secret::text("the code", &code.to_string()),
    ];
    for text in shown {
        assert!(!text.is_empty());
        search(&secrets, &format!("`{text}`"), text.as_bytes());
    }
}
