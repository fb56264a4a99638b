//! A sample feed: what the real program made, written out so that a reader without its store can open it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use peerfeed::store::{Options, Reading, Store};
use peerfeed_protocol::feed::Link;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::person::Person;

/// Runs the commands of an author in a temporary folder and describes the feed: the link, the signed records, all entries,
/// all sealed chunks, and what a reader must find in them.
pub fn make() -> Result<Value> {
    let folder = tempfile::tempdir()?;
    let author = Person::new(&folder.path().join("author"), &[]);
    let files = [("empty", Vec::new()), ("rose.txt", b"a rose is a rose".to_vec()), ("long.bin", vec![7; 150_000])];
    let paths = files
        .iter()
        .map(|(name, content)| {
            let path = folder.path().join(name);
            fs::write(&path, content)?;
            Ok(path.display().to_string())
        })
        .collect::<Result<Vec<String>>>()?;
    author.ok(&["init", "--name", "Sample"])?;
    author.ok(&["post", "hello, friends"])?;
    author.ok(&["post", "hello, everyone", "--to", "public"])?;
    author.ok(&[
        "post",
        "with files: \u{1f339}",
        "--channel",
        "roses",
        "--attach",
        &paths[0],
        "--attach",
        &paths[1],
    ])?;
    author.ok(&["post", "and a longer one", "--attach", &paths[2]])?;
    let link = author.link_with_key()?;
    let mut sample = written_out(author.data(), &link)?;
    sample["expect"] = json!({
        "texts": ["hello, friends", "hello, everyone", "with files: \u{1f339}", "and a longer one"],
        "files": files.map(|(name, content)| json!({ "name": name, "sha256": hex(&Sha256::digest(content)) })),
    });
    Ok(sample)
}

/// Everything of the feed that the link names, as the store in this folder holds it.
fn written_out(data: &Path, link: &str) -> Result<Value> {
    let feed = link.parse::<Link>()?.feed;
    let store = Store::open(data, &Options::default())?;
    let view = store.read()?;
    let logs = view.logs(feed)?;
    let logs = logs
        .iter()
        .map(|log| {
            let entries = view.entries(log, 0..log.size, usize::MAX)?;
            let entries = entries
                .iter()
                .map(|entry| {
                    let body = entry.body.as_ref().context("an own entry has its body")?;
                    Ok(json!({ "header": hex(&entry.header), "body": hex(body) }))
                })
                .collect::<Result<Vec<Value>>>()?;
            Ok(json!({ "head": hex(&log.head), "entries": entries }))
        })
        .collect::<Result<Vec<Value>>>()?;
    let blobs = view.blobs(feed)?;
    let blobs = blobs
        .iter()
        .map(|blob| {
            let row = view.blob(feed, *blob)?.context("an own blob is held")?;
            let chunks = view.chunks(&row, 0..blob.size.chunks())?;
            let chunks: Vec<String> = chunks.iter().map(|chunk| hex(chunk)).collect();
            Ok(json!({ "root": hex(blob.root.as_bytes()), "bytes": blob.size.bytes(), "chunks": chunks }))
        })
        .collect::<Result<Vec<Value>>>()?;
    Ok(json!({
        "story": "A feed as the program made it: two audiences, three files of which one is empty.",
        "feed": feed.to_string(),
        "link": link,
        "manifest": hex(&view.manifest(feed)?.context("an own feed has a manifest")?),
        "roster": hex(&view.roster(feed)?.context("an own feed has a roster")?),
        "logs": logs,
        "blobs": blobs,
    }))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all");
        text
    })
}
