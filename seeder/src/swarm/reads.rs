//! What peers are to be told or have asked for, read from the store, and the commands that say it.

use std::collections::BTreeMap;

use bytes::Bytes;
use peerfeed_protocol::feed::{BlobRef, stored_number};
use peerfeed_protocol::ids::{BlobRoot, FeedId, LogId};
use peerfeed_protocol::limits::{BLOBS_PER_MESSAGE_MAX, FIRST_FLIGHT_BYTES_MAX, HELD_RANGES_MAX};
use peerfeed_protocol::merkle::{RangeProof, consistency_proof, range_proof};
use peerfeed_protocol::peer::message::{
    BlobHeld, ChunksWanted, EntriesWanted, EntryBytes, HeadNews, HeldRange, Interest, Newest, PushedEntry, RejectCode,
    State, Stored,
};
use peerfeed_protocol::peer::{ChannelId, EntriesAnswer, RequestId};

use super::action::ConnectionId;
use super::command::Command;
use super::job::{Read, Recipient};
use super::limits::PUSH_BODY_BYTES;
use crate::store::{LogRow, ReadTxn, Reading, StorageError, StoredEntry};

/// Bytes of entries in one frame: small enough that the receiver has something to do while the next one travels.
const FRAME_BYTES: usize = 200_000;

/// Bytes of entries in the first frame of an answer that begins with the newest, so that it arrives at once.
const FIRST_FRAME_BYTES: usize = FIRST_FLIGHT_BYTES_MAX;

/// What is to be said to whom.
pub type Said = Vec<(ConnectionId, Command)>;

/// Reads what is asked; a disk that fails is answered by rejections.
pub fn answer(txn: &ReadTxn, read: &Read) -> Said {
    match read {
        Read::State { to, feed, known, newest } => state(txn, *feed, to.channel, known, *newest)
            .unwrap_or_default()
            .into_iter()
            .map(|command| (to.connection, command))
            .collect(),
        Read::Push { to, feed, log, stored } => pushes(txn, *feed, *log, to, *stored).unwrap_or_default(),
        Read::Entries { to, request, feed, wanted } => {
            let answers = entries(txn, *feed, wanted).unwrap_or_default();
            answered(
                to.channel,
                *request,
                answers.into_iter().map(|answer| Command::AnswerEntries(to.channel, *request, answer)),
            )
            .map(|command| (to.connection, command))
            .collect()
        }
        Read::Chunks { to, request, feed, wanted } => {
            let answer = chunks(txn, *feed, wanted).ok().flatten();
            answered(
                to.channel,
                *request,
                answer.into_iter().map(|(proof, chunks)| Command::AnswerChunks(to.channel, *request, proof, chunks)),
            )
            .map(|command| (to.connection, command))
            .collect()
        }
        Read::Blobs { to, feed, roots } => {
            let held = |root: &BlobRoot| blob(txn, *feed, *root).unwrap_or_else(|_| BlobHeld::nothing(*root));
            let blobs = roots.iter().take(BLOBS_PER_MESSAGE_MAX).map(held).collect();
            vec![(to.connection, Command::TellBlobs(to.channel, blobs))]
        }
    }
}

/// Bytes of payload in what is said.
pub fn payload_bytes(said: &Said) -> usize {
    let bytes = |command: &Command| match command {
        Command::AnswerEntries(_, _, answer) => answer.entries.iter().map(EntryBytes::len).sum(),
        Command::AnswerChunks(_, _, _, chunks) => chunks.iter().map(Bytes::len).sum(),
        _ => 0,
    };
    said.iter().map(|(_, command)| bytes(command)).sum()
}

/// What is said when the store cannot be read: requests are rejected, the rest is left unsaid.
pub fn decline(read: &Read) -> Said {
    match (read.asker(), read.request()) {
        (Some(to), Some(request)) => vec![(to.connection, Command::Reject(to.channel, request, RejectCode::Busy))],
        _ => Vec::new(),
    }
}

/// The answers, or a rejection when there is none.
fn answered(
    channel: ChannelId,
    request: RequestId,
    answers: impl Iterator<Item = Command>,
) -> impl Iterator<Item = Command> {
    let mut answers = answers.peekable();
    let rejection = answers.peek().is_none().then_some(Command::Reject(channel, request, RejectCode::NotHeld));
    answers.chain(rejection)
}

fn state(
    txn: &ReadTxn,
    feed: FeedId,
    channel: ChannelId,
    known: &Interest,
    newest: Option<Newest>,
) -> Result<Vec<Command>, StorageError> {
    let logs = txn.logs(feed)?;
    let mut state = State::default();
    let newer = |record: Option<Bytes>, known| record.filter(|record| stored_number(record).is_ok_and(|n| n > known));
    state.manifest = newer(txn.manifest(feed)?, known.manifest);
    state.roster = newer(txn.roster(feed)?, known.roster);
    let mut told = Vec::new();
    for log in &logs {
        let from = known.heads.iter().find(|(id, _)| *id == log.log).map_or(0, |(_, size)| *size);
        if let Some(news) = head_news(txn, log, from) {
            state.heads.push(news);
            told.push(log);
        }
    }
    state.held = held(txn, &logs)?;
    let mut commands = Vec::new();
    let mut entries = Vec::new();
    if let Some(newest) = newest {
        entries = self::newest(txn, &told, newest, channel)?;
    }
    state.newest_follow = !entries.is_empty();
    commands.push(Command::State(channel, state));
    commands.extend(entries);
    Ok(commands)
}

/// The head of a log that is larger than what the other side knows, if it can be proven to continue that.
fn head_news(txn: &ReadTxn, log: &LogRow, from: u64) -> Option<HeadNews> {
    if from >= log.size {
        return None;
    }
    let proof = consistency_proof(&txn.nodes(log), from, log.size)?;
    Some(HeadNews { record: log.head.clone(), from, proof })
}

/// What is held, unless it is everything.
fn held(txn: &ReadTxn, logs: &[LogRow]) -> Result<Option<Vec<HeldRange>>, StorageError> {
    let mut ranges = Vec::new();
    let mut all = true;
    for log in logs {
        let held = txn.held(log)?;
        all &= held.len() == 1 && held[0] == (0..log.size);
        // The newest first: when there are too many to tell, what is left out is old.
        ranges.extend(held.into_iter().rev().map(|range| HeldRange { log: log.log, from: range.start, to: range.end }));
    }
    ranges.truncate(HELD_RANGES_MAX);
    Ok((!all).then_some(ranges))
}

/// The newest entries of these logs, as far as they fit into what is wanted.
fn newest(txn: &ReadTxn, logs: &[&LogRow], newest: Newest, channel: ChannelId) -> Result<Vec<Command>, StorageError> {
    let mut parts: Vec<(LogId, u64, EntriesAnswer)> = Vec::new();
    let mut left = newest.body_bytes as usize;
    for log in logs {
        let mut end = log.size;
        let start = log.size.saturating_sub(u64::from(newest.entries));
        while end > start {
            let frame = if parts.is_empty() { FIRST_FRAME_BYTES } else { FRAME_BYTES };
            let entries = txn.newest_entries(log, start..end, frame.min(left))?;
            let bytes: usize = entries.iter().map(weight).sum();
            if entries.is_empty() || bytes > left {
                break;
            }
            let Some(answer) = part(txn, log, log.size, entries, false) else { break };
            end = answer.from;
            left -= bytes;
            parts.push((log.log, log.size, answer));
        }
    }
    if let Some((.., answer)) = parts.last_mut() {
        answer.last = true;
    }
    Ok(parts.into_iter().map(|(log, size, answer)| Command::Newest(channel, log, size, answer)).collect())
}

/// The answer to a request for entries, in frames; empty if nothing of it is held or can be proven.
fn entries(txn: &ReadTxn, feed: FeedId, wanted: &EntriesWanted) -> Result<Vec<EntriesAnswer>, StorageError> {
    let Some(log) = txn.log_row(feed, wanted.log)?.filter(|log| log.size >= wanted.size) else { return Ok(Vec::new()) };
    let (mut start, mut end) = (wanted.from, wanted.to);
    let mut left = wanted.bytes_max as usize;
    let mut answers: Vec<EntriesAnswer> = Vec::new();
    while start < end {
        let frame = if answers.is_empty() && wanted.newest_first { FIRST_FRAME_BYTES } else { FRAME_BYTES };
        let room = frame.min(left);
        let entries = if wanted.newest_first {
            txn.newest_entries(&log, start..end, room)?
        } else {
            txn.entries(&log, start..end, room)?
        };
        let bytes: usize = entries.iter().map(weight).sum();
        // One entry may always be sent.
        if entries.is_empty() || bytes > left && !answers.is_empty() {
            break;
        }
        left = left.saturating_sub(bytes);
        let count = entries.len() as u64;
        let Some(answer) = part(txn, &log, wanted.size, entries, false) else { break };
        if wanted.newest_first {
            end -= count;
        } else {
            start += count;
        }
        answers.push(answer);
    }
    if let Some(answer) = answers.last_mut() {
        answer.last = true;
    }
    Ok(answers)
}

/// A run of entries with its proof; none if it cannot be proven.
fn part(txn: &ReadTxn, log: &LogRow, size: u64, entries: Vec<StoredEntry>, last: bool) -> Option<EntriesAnswer> {
    let from = entries.first()?.index;
    let proof = range_proof(&txn.nodes(log), from, from + entries.len() as u64, size)?;
    let entries = entries.into_iter().map(|entry| EntryBytes { header: entry.header, body: entry.body }).collect();
    Some(EntriesAnswer { from, proof, entries, last })
}

fn weight(entry: &StoredEntry) -> usize {
    entry.header.len() + entry.body.as_ref().map_or(0, Bytes::len)
}

/// A group of chunks with its proof; none if it is not held.
fn chunks(
    txn: &ReadTxn,
    feed: FeedId,
    wanted: &ChunksWanted,
) -> Result<Option<(RangeProof, Vec<Bytes>)>, StorageError> {
    let blob = BlobRef { root: wanted.root, size: wanted.size };
    let Some(row) = txn.blob(feed, blob)? else { return Ok(None) };
    let chunks = txn.chunks(&row, wanted.from..wanted.to)?;
    if chunks.len() as u64 != u64::from(wanted.to - wanted.from) {
        return Ok(None);
    }
    let size = u64::from(wanted.size.chunks());
    let proof = range_proof(&txn.blob_nodes(&row), wanted.from.into(), wanted.to.into(), size);
    Ok(proof.map(|proof| (proof, chunks)))
}

fn blob(txn: &ReadTxn, feed: FeedId, root: BlobRoot) -> Result<BlobHeld, StorageError> {
    let Some(row) = txn.blob_by_root(feed, root)?.filter(|row| row.held_bytes > 0) else {
        return Ok(BlobHeld::nothing(root));
    };
    let bytes = row.blob.size.bytes();
    if row.is_complete() {
        return Ok(BlobHeld::complete(root, bytes));
    }
    let mut bits = row.held_groups;
    let due = BlobHeld::groups_in(bytes).div_ceil(8);
    bits.resize(usize::try_from(due).expect("a blob has at most 2^20 groups"), 0);
    Ok(BlobHeld { root, bytes, groups: Some(bits.into()) })
}

/// A head to push, with its last entry if that is small, and what is synced here of the log. Followers mostly know the same size: one proof serves them all.
fn pushes(
    txn: &ReadTxn,
    feed: FeedId,
    log: LogId,
    to: &[(Recipient, u64)],
    stored: Option<Stored>,
) -> Result<Said, StorageError> {
    let Some(log) = txn.log_row(feed, log)? else { return Ok(Vec::new()) };
    let place = log.size - 1;
    let entry = txn.entry(&log, place)?.and_then(|entry| {
        let body = entry.body.filter(|body| body.len() <= PUSH_BODY_BYTES)?;
        let proof = range_proof(&txn.nodes(&log), place, log.size, log.size)?;
        let bytes = EntryBytes { header: entry.header, body: Some(body) };
        Some(PushedEntry { bytes, proof: proof.hashes().to_vec() })
    });
    let mut by_size: BTreeMap<u64, Option<HeadNews>> = BTreeMap::new();
    let mut said = Vec::with_capacity(to.len());
    for (to, from) in to {
        let news = by_size.entry(*from).or_insert_with(|| head_news(txn, &log, *from));
        if let Some(news) = news.clone() {
            said.push((to.connection, Command::PushHead(to.channel, news, entry.clone())));
        }
        said.extend(stored.map(|stored| (to.connection, Command::Stored(to.channel, stored, None))));
    }
    Ok(said)
}
