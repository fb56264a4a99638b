//! Letters in both directions: brought to the mailboxes of others, fetched from one's own.

use std::time::Duration;

use bytes::Bytes;
use peerfeed_protocol::ids::{FeedId, WitnessKey};
use peerfeed_protocol::limits::{PACKET_SECONDS_MAX, TOKENS_REVOKED_MAX};
use peerfeed_protocol::mailbox::{Cursor, Token, Work};
use peerfeed_protocol::peer::message::{Admission, MailWanted};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Service;
use super::mailing::Tries;
use super::names::{Names, short};
use super::publishing::blocking;
use crate::api::{Failure, Replies};
use crate::author::{Author, News};
use crate::net::{Line, LineError};
use crate::store::{Contact, Outgoing, Reading};
use crate::ui::Safe;

/// How long a command tries to bring and fetch letters.
const ROUND: Duration = Duration::from_secs(10);

/// How long a command waits until a seeder has what it granted.
const HAND_ON: Duration = Duration::from_secs(15);

/// Under which the mailbox of the own feed on this very node is noted.
const HERE: &str = "";

/// Who may keep a mailbox: an address, and the key that it proves if it is known.
type Place = (String, Option<WitnessKey>);

/// What became of the letters of a round.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// Letters that are in a mailbox now: for whom.
    pub delivered: Vec<FeedId>,
    /// Letters that no mailbox lets in.
    pub turned_away: Vec<FeedId>,
    /// What letters that came have brought.
    pub news: Vec<News>,
}

impl Service {
    /// Writes the letters that are due, brings them, and fetches what came, as far as that is done in a moment.
    pub(super) async fn mail_round(&self) -> Result<Round, Failure> {
        let Some(author) = self.letter_writer().await? else { return Ok(Round::default()) };
        // Not in the round's time: how long a stranger's letter takes to write, with its work, is a matter of luck.
        self.write_letters(&author).await?;
        let round = async {
            let mut round = self.bring_letters(&mut Tries::default()).await?;
            round.news = self.fetch_letters(&author).await?;
            if !round.news.is_empty() {
                // What came may want an answer.
                self.write_letters(&author).await?;
                let answers = self.bring_letters(&mut Tries::default()).await?;
                round.delivered.extend(answers.delivered);
                round.turned_away.extend(answers.turned_away);
            }
            Ok::<_, Failure>(round)
        };
        let round = timeout(ROUND, round).await.unwrap_or_else(|_| Ok(Round::default()))?;
        let something_new = !(round.delivered.is_empty() && round.news.is_empty());
        if something_new && !self.daemon {
            // A key that was granted is worth nothing on this disk alone; a daemon hands it on by itself.
            let _ = self.node().wait_stored(author.feed(), HAND_ON).await;
        }
        Ok(round)
    }

    /// Tells a person who became a friend just now, and who said no.
    pub(super) async fn tell_news(&self, news: &[News], replies: &Replies) -> Result<(), Failure> {
        let names = Names::load(self)?;
        let called = |feed: FeedId, contact: Option<Contact>| {
            let name = names.name(feed).map(str::to_owned).or(contact.and_then(|contact| contact.name));
            Safe::line(&name.unwrap_or_else(|| short(feed))).to_string()
        };
        for news in news {
            let (News::Asked(feed) | News::Friends(feed) | News::Refused(feed)) = *news;
            let name = called(feed, self.store().read()?.contact(feed)?);
            replies
                .note(match news {
                    News::Asked(_) => format!("{name} asks to be your friend: `peerfeed requests`"),
                    News::Friends(_) => format!("{name} is your friend now"),
                    News::Refused(_) => format!("{name} does not become your friend"),
                })
                .await;
        }
        Ok(())
    }

    /// Writes the letters that are due; tells for whom none can be written yet.
    pub(super) async fn write_letters(&self, author: &Author) -> Result<Vec<FeedId>, Failure> {
        let writer = author.clone();
        blocking(move || writer.write_letters()).await
    }

    /// Brings the letters that are written to the mailboxes of those they are for.
    pub(super) async fn bring_letters(&self, tries: &mut Tries) -> Result<Round, Failure> {
        let now_s = super::state::unix_ms() / 1_000;
        let mut round = Round::default();
        for letter in self.store().read()?.outbox()? {
            let to = letter.to;
            if !tries.is_due(letter.number) {
                continue;
            }
            let outcome = self.deliver(&letter).await?;
            let over = now_s >= letter.written_s + PACKET_SECONDS_MAX;
            match outcome {
                Some(true) => round.delivered.push(to),
                Some(false) => round.turned_away.push(to),
                None if over => {}
                None => continue,
            }
            let (number, away) = (letter.number, outcome == Some(false));
            self.store()
                .write(move |txn| {
                    txn.drop_outgoing(number)?;
                    if let Some(contact) = txn.contact(to)?.filter(|_| away) {
                        let contact = Contact { turned_away: true, token: None, invitation: None, ..contact };
                        txn.put_contact(to, &contact)?;
                    }
                    Ok(())
                })
                .await?;
        }
        Ok(round)
    }

    /// Whether a letter is in a mailbox now, or will never be let in; none if it can be tried again.
    async fn deliver(&self, letter: &Outgoing) -> Result<Option<bool>, Failure> {
        let Some(admission) = admission(&letter.admission) else { return Ok(Some(false)) };
        let mut tries = JoinSet::new();
        for (address, witness) in self.places(letter.to).await? {
            let (to, packet, admission) = (letter.to, Bytes::from(letter.packet.clone()), admission.clone());
            tries.spawn(async move {
                let brought = put(to, &address, witness, packet, admission).await;
                (address, brought)
            });
        }
        let (mut kept, mut turned_away) = (false, false);
        while let Some(tried) = tries.join_next().await {
            match tried {
                Ok((_, Ok(()))) => kept = true,
                Ok((address, Err(error))) => {
                    tracing::debug!(address, %error, "a letter was not taken");
                    turned_away |= error.is_final();
                }
                Err(_) => {}
            }
        }
        Ok(if kept { Some(true) } else { turned_away.then_some(false) })
    }

    /// Fetches what waits in the own mailboxes; what it brought.
    async fn fetch_letters(&self, author: &Author) -> Result<Vec<News>, Failure> {
        let mut news = self.read_here(author).await?;
        let known = self.places(author.feed()).await?;
        let answered = self.read_there(author, &known, &mut news).await?;
        if !answered {
            // A seeder that the feed does not name keeps letters, too, and is found as a reader finds it.
            if self.seek_own(author.feed()).await.is_some() {
                self.index().await?;
            }
            let mut found = self.places(author.feed()).await?;
            found.retain(|place| !known.contains(place));
            self.read_there(author, &found, &mut news).await?;
        }
        Ok(news)
    }

    /// Reads mailboxes elsewhere; whether any of them could be read.
    async fn read_there(&self, author: &Author, places: &[Place], news: &mut Vec<News>) -> Result<bool, Failure> {
        let mut tries = JoinSet::new();
        for (address, witness) in places.iter().cloned() {
            let (service, author) = (self.clone(), author.clone());
            tries.spawn(async move {
                let mut line = Line::open(author.feed(), &address, witness).await?;
                service.empty(&author, &address, &mut line).await
            });
        }
        let mut answered = false;
        while let Some(tried) = tries.join_next().await {
            match tried {
                Ok(Ok(more)) => {
                    answered = true;
                    news.extend(more);
                }
                Ok(Err(error)) => tracing::debug!(%error, "a mailbox was not read"),
                Err(_) => {}
            }
        }
        Ok(answered)
    }

    /// Reads a mailbox to its end over an open line; what it brought.
    pub(super) async fn empty(
        &self,
        author: &Author,
        address: &str,
        line: &mut Line,
    ) -> Result<Vec<News>, LetterError> {
        let mut news = Vec::new();
        let txn = self.store().read().map_err(Failure::from)?;
        let mut after = txn.mail_cursor(address).map_err(Failure::from)?;
        let mut revoked = txn.tokens_revoked(super::state::unix_ms() / 1_000).map_err(Failure::from)?;
        drop(txn);
        revoked.truncate(TOKENS_REVOKED_MAX);
        let device = author.device_key();
        loop {
            let wanted = MailWanted { after, revoked: std::mem::take(&mut revoked) };
            let answer = line.get(&device, wanted).await?;
            if answer.packets.is_empty() {
                return Ok(news);
            }
            news.extend(self.read_packets(author, answer.packets, address, answer.cursor).await?);
            // Asking behind it says that it is on the disk here.
            after = Some(answer.cursor);
        }
    }

    /// Reads the mailbox of the own feed on this very node; what it brought.
    pub(super) async fn read_here(&self, author: &Author) -> Result<Vec<News>, Failure> {
        let mut news = Vec::new();
        loop {
            let txn = self.store().read()?;
            let after = txn.mail_cursor(HERE)?;
            let Some(page) = txn.mail_page(author.feed(), after.map_or(0, |after| after.number))? else { break };
            drop(txn);
            if page.packets.is_empty() {
                break;
            }
            let packets = page.packets.into_iter().map(Bytes::from).collect();
            news.extend(self.read_packets(author, packets, HERE, page.cursor).await?);
            let (feed, device, cursor) = (author.feed(), author.device(), page.cursor);
            self.store().write(move |txn| txn.read_mail(feed, device, &[device], Some(cursor)).map(drop)).await?;
        }
        Ok(news)
    }

    async fn read_packets(
        &self,
        author: &Author,
        packets: Vec<Bytes>,
        place: &str,
        cursor: Cursor,
    ) -> Result<Vec<News>, Failure> {
        let (reader, place) = (author.clone(), place.to_owned());
        let news = blocking(move || reader.read_packets(&packets, &place, cursor)).await?;
        for news in &news {
            match news {
                News::Asked(feed) => tracing::info!(%feed, "somebody asks to be friends"),
                News::Friends(feed) => tracing::info!(%feed, "a new friend"),
                News::Refused(feed) => tracing::info!(%feed, "somebody said no"),
            }
        }
        if !news.is_empty() {
            self.node().feeds_changed();
            self.node().notify_appended(author.feed());
        }
        Ok(news)
    }

    /// Where a mailbox for a feed may be: the seeders that it and links to it name, and who serves it just now.
    pub(super) async fn places(&self, feed: FeedId) -> Result<Vec<Place>, Failure> {
        let mut places: Vec<Place> = Vec::new();
        let mut add = |address: String, witness: Option<WitnessKey>| {
            if places.iter().all(|(held, _)| *held != address) {
                places.push((address, witness));
            }
        };
        let txn = self.store().read()?;
        let contact = txn.contact(feed)?.and_then(|contact| contact.records);
        for records in txn.records(feed)?.into_iter().chain(contact) {
            for seeder in &records.manifest().content().seeders {
                add(seeder.address.clone(), Some(seeder.witness));
            }
        }
        for seeder in txn.feed(feed)?.into_iter().flat_map(|row| row.seeders) {
            add(seeder.address, seeder.witness);
        }
        drop(txn);
        let status = self.node().status().await;
        for peer in status.peers.iter().filter(|peer| peer.outgoing && peer.feeds.contains(&feed)) {
            add(peer.address.to_string(), peer.witness);
        }
        Ok(places)
    }

    /// Who writes and reads letters here; nobody where there is no identity.
    pub(super) async fn letter_writer(&self) -> Result<Option<Author>, Failure> {
        let store = self.store().clone();
        blocking(move || Author::open(&store)).await
    }

    /// Who was asked and has granted: friends now.
    pub(super) async fn notice_grants(&self, author: &Author) -> Result<Vec<FeedId>, Failure> {
        let noticing = author.clone();
        let noticed = blocking(move || noticing.notice_grants()).await?;
        if !noticed.is_empty() {
            self.node().feeds_changed();
            self.node().notify_appended(author.feed());
        }
        Ok(noticed)
    }
}

/// Why a mailbox was not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum LetterError {
    #[error(transparent)]
    Line(#[from] LineError),
    #[error(transparent)]
    Here(#[from] Failure),
}

async fn put(
    to: FeedId,
    address: &str,
    witness: Option<WitnessKey>,
    packet: Bytes,
    admission: Admission,
) -> Result<(), LineError> {
    Line::open(to, address, witness).await?.put(packet, admission).await
}

/// What is kept with a packet on its way: a token, or eight bytes of work.
fn admission(bytes: &[u8]) -> Option<Admission> {
    match <[u8; 8]>::try_from(bytes) {
        Ok(work) => Some(Admission::Work(Work(u64::from_be_bytes(work)))),
        Err(_) => Token::from_slice(bytes).ok().map(|token| Admission::Token(Box::new(token))),
    }
}
