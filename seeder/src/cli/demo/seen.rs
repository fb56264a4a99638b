//! What each party of the demo could see: what the seeder and the tracker were left with is searched, the rest follows
//! from it.

use super::child::Party;
use super::play::{ANN, FILM_NAME, FILM_TEXT, FIRST, PICTURE_NAME, PICTURE_TEXT, SECOND, read_file};
use super::search::{Secret, absent_from_folder, absent_from_text};
use super::stage::Stage;
use crate::api::Failure;
use crate::ui::{hex, size};

/// What was said and done.
pub(super) struct Story {
    pub(super) feed: String,
    pub(super) phrase: String,
    /// The link with the key.
    pub(super) link: String,
    pub(super) people: [Party; 2],
    pub(super) seeder: Party,
    pub(super) seeder_output: String,
    pub(super) tracker_output: String,
}

/// Searches what the seeder and the tracker were left with for every secret, and tells what they saw instead.
pub(super) fn what_was_seen(stage: &Stage, story: &Story) -> Result<(), Failure> {
    let mut secrets = secrets(stage, story)?;
    let searched = absent_from_folder("the seeder's folder", &story.seeder.data, &secrets)?;
    absent_from_text("the seeder's output", &story.seeder_output, &secrets)?;
    secrets.push(Secret::new("the feed id", story.feed.as_bytes()));
    absent_from_text("the tracker's output", &story.tracker_output, &secrets)?;
    let swarm = swarm_id(&story.feed)?;
    stage.tell(&format!("tracker  a 20-byte hash, {swarm}, and the addresses that asked for it"));
    stage.tell(&format!(
        "seeder   the feed id, sizes, times and ciphertext; no text, name, file name or key in {} on its disk",
        size(searched)
    ));
    stage.tell("ann      everything: it is her feed");
    stage.tell("bob      everything, with the key from Ann's link; he served it to Cleo as ciphertext");
    stage.tell("cleo     the same, from Bob alone");
    stage.tell(&format!("{} secrets were searched for, raw, in hex and in base64", secrets.len()));
    Ok(())
}

fn secrets(stage: &Stage, story: &Story) -> Result<Vec<Secret>, Failure> {
    let mut secrets = vec![
        Secret::new("the recovery phrase", story.phrase.as_bytes()),
        Secret::new("Ann's name", ANN.as_bytes()),
        Secret::new("the link with the key", story.link.as_bytes()),
    ];
    for text in [FIRST, SECOND, PICTURE_TEXT, FILM_TEXT, PICTURE_NAME, FILM_NAME] {
        secrets.push(Secret::new(format!("\"{text}\""), text.as_bytes()));
    }
    // A piece from the middle of each file: the seeder holds their ciphertext.
    for name in [PICTURE_NAME, FILM_NAME] {
        let bytes = read_file(&stage.path(name))?;
        secrets.push(Secret::new(format!("a piece of {name}"), &bytes[bytes.len() / 2..][..48]));
    }
    for person in &story.people {
        for name in ["identity.key", "device.key", "node.key"] {
            let file = read_file(&person.data.join(name))?;
            let keys: Vec<_> = if name == "node.key" { file.chunks(32).collect() } else { keys_in(&file).collect() };
            if keys.is_empty() {
                return Err(Failure::failed(format!("{name} of {} holds no key to search for", person.name)));
            }
            secrets.extend(keys.into_iter().map(|key| Secret::new(format!("{name} of {}", person.name), key)));
        }
    }
    Ok(secrets)
}

/// The 32-byte strings of a bencoded key file.
fn keys_in(file: &[u8]) -> impl Iterator<Item = &[u8]> {
    memchr::memmem::find_iter(file, b"32:").filter_map(|at| file.get(at + 3..at + 35))
}

fn swarm_id(feed: &str) -> Result<String, Failure> {
    let feed: peerfeed_protocol::ids::FeedId = feed.parse().map_err(|_| Failure::failed("no feed id"))?;
    Ok(hex(feed.swarm_id().as_bytes()))
}
