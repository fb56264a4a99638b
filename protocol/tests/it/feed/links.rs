//! Vectors of links.

use peerfeed_protocol::feed::{Link, LinkError, LinkSeeder};
use serde_json::{Value as Json, json};

use super::Kind;
use super::actors::{device, entropy, feed, friends_epoch, witness};
use crate::vector::{Given, Outcome, Story, hex, word};
use peerfeed_protocol::mailbox::{Token, TokenKind};

pub(super) fn link(given: &Given<'_>) -> Outcome {
    let link: Link = given.text("text").parse().map_err(|error: LinkError| match error {
        LinkError::Field(error) => word(&error.problem),
        LinkError::FeedId(error) => word(&error),
        error => word(&error),
    })?;
    let seeders: Vec<Json> = link
        .seeders
        .iter()
        .map(|seeder| json!({ "address": seeder.address, "key": seeder.witness.map(hex) }))
        .collect();
    let mut found = json!({ "feed": hex(link.feed), "seeders": seeders, "trackers": link.trackers });
    if let Some((epoch, secret)) = &link.key {
        found["epoch"] = json!(hex(epoch));
        found["secret"] = json!(hex(secret.expose()));
    }
    if let Some(invitation) = &link.invitation {
        found["invitation"] = json!(hex(invitation.as_bytes()));
    }
    if let Some(name) = &link.name {
        found["name"] = json!(name);
    }
    if let Some(expiry) = link.expiry {
        found["expiry"] = json!(expiry);
    }
    Ok(found)
}

fn with_key() -> Link {
    Link {
        key: Some(friends_epoch()),
        expiry: Some(1_900_000_000),
        name: Some("Ada".to_owned()),
        seeders: vec![
            LinkSeeder { address: "seeder.example:6881".to_owned(), witness: Some(witness().key()) },
            LinkSeeder { address: "192.0.2.7:6881".to_owned(), witness: None },
        ],
        trackers: vec!["udp://tracker.example:6969".to_owned()],
        ..Link::new(feed())
    }
}

pub(super) fn stories() -> Vec<Story> {
    let kind = Kind { kind: "link", spec: &["LINK-1", "LINK-2", "LINK-3", "LINK-4", "LINK-5"] };
    let full = with_key().to_text().expect("a link within its limits").to_string();
    let bare = Link::new(feed()).to_text().expect("a link within its limits").to_string();
    let token = Token::issue(&device(), &feed(), TokenKind::Invitation, 1_900_000_000, &mut entropy());
    let invitation = Link { invitation: Some(token), ..Link::new(feed()) };
    let invitation = invitation.to_text().expect("a link within its limits").to_string();
    let given = |text: &str| json!({ "text": text });
    let mut mistyped = full.clone().into_bytes();
    mistyped[40] = if mistyped[40] == b'x' { b'y' } else { b'x' };
    let mistyped = String::from_utf8(mistyped).expect("ASCII");
    let small_order = feed().to_string().replace('q', "p");
    vec![
        kind.accepted("a-link-with-a-key", "All that a link can hold.", given(&full)),
        kind.accepted("a-link-to-the-bare-feed", "Nothing but the feed id.", given(&bare)),
        kind.accepted("a-link-with-an-invitation", "Who has it may ask once and is let in.", given(&invitation)),
        kind.accepted("a-feed-id-in-place-of-a-link", "Taken too.", given(&feed().to_string())),
        kind.refused("a-mistyped-link", "One character is another one; the checksum says so.", given(&mistyped)),
        kind.refused("a-link-cut-short", "The last characters are missing.", given(&full[..full.len() - 4])),
        kind.refused("a-link-in-ordinary-base64", "With `+` and `/`, which links do not have.", given("peerfeed:ab+/")),
        kind.refused("a-mistyped-feed-id-in-place-of-a-link", "Its own checksum says so.", given(&small_order)),
        kind.refused("neither-a-link-nor-a-feed-id", "Something else altogether.", given("magnet:?xt=urn:btih:00")),
    ]
}
