//! A daemon's letters: brought when they are due, read when they come.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use peerfeed_protocol::ids::WitnessKey;
use tokio::task::{AbortHandle, JoinSet};

use super::Service;
use super::letters::LetterError;
use super::publishing::blocking;
use crate::api::Failure;
use crate::author::Author;
use crate::net::Line;

/// A daemon looks this often whether there are letters to bring, and whether its seeders are others than before.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Letters for others that nobody fetched go after thirty days; this often it is looked for them.
const SWEEP_EVERY: Duration = Duration::from_secs(3_600);

/// A mailbox that says nothing is asked this often.
const ASK_EVERY: Duration = Duration::from_secs(120);

/// A mailbox that cannot be reached is tried again after this long, and then after twice as long, up to [`ASK_EVERY`].
const RETRY_FIRST: Duration = Duration::from_secs(1);

/// A letter that no mailbox takes is tried this often in the end.
const BRING_EVERY: Duration = Duration::from_secs(900);

/// Wakes who brings letters.
pub(super) type MailDue = Arc<tokio::sync::Notify>;

impl Service {
    /// Brings letters and reads those that come, until dropped.
    pub(crate) async fn keep_mailing(&self) {
        let mut readers: HashMap<String, AbortHandle> = HashMap::new();
        let mut reading = JoinSet::new();
        let mut tries = Tries::default();
        let mut here = self.node().mail_came();
        let mut swept: Option<Instant> = None;
        loop {
            if swept.is_none_or(|swept| swept.elapsed() >= SWEEP_EVERY) {
                swept = Some(Instant::now());
                let now_s = super::state::unix_ms() / 1_000;
                if let Err(error) = self.store().write(move |txn| txn.drop_all_old_packets(now_s)).await {
                    tracing::warn!(%error, "old letters for others stay for now");
                }
            }
            if let Err(failure) = self.mail_once(&mut readers, &mut reading, &mut tries).await {
                tracing::warn!(%failure, "letters wait");
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = self.mail_due.notified() => {}
                _ = here.recv() => {}
            }
        }
    }

    /// Brings what is due, reads what came to this node, and has one reader for each mailbox elsewhere.
    async fn mail_once(
        &self,
        readers: &mut HashMap<String, AbortHandle>,
        reading: &mut JoinSet<()>,
        tries: &mut Tries,
    ) -> Result<(), Failure> {
        let Some(author) = self.letter_writer().await? else { return Ok(()) };
        let places = self.places(author.feed()).await?;
        readers.retain(|address, reader| {
            let stays = places.iter().any(|(place, _)| place == address);
            if !stays {
                reader.abort();
            }
            stays && !reader.is_finished()
        });
        for (address, witness) in places {
            readers.entry(address.clone()).or_insert_with(|| {
                let (service, author) = (self.clone(), author.clone());
                reading.spawn(async move { service.keep_reading(&author, &address, witness).await })
            });
        }
        while reading.try_join_next().is_some() {}
        let writer = author.clone();
        if blocking(move || writer.renew_prekey()).await? || !self.notice_grants(&author).await?.is_empty() {
            self.node().notify_appended(author.feed());
        }
        self.read_here(&author).await?;
        self.write_letters(&author).await?;
        self.bring_letters(tries).await?;
        Ok(())
    }

    /// Reads one mailbox whenever something comes, until dropped.
    async fn keep_reading(&self, author: &Author, address: &str, witness: Option<WitnessKey>) {
        let mut pause = RETRY_FIRST;
        loop {
            let outcome: Result<(), LetterError> = async {
                let mut line = Line::open(author.feed(), address, witness).await?;
                loop {
                    if !self.empty(author, address, &mut line).await?.is_empty() {
                        self.mail_due.notify_one();
                    }
                    pause = RETRY_FIRST;
                    line.wait(ASK_EVERY).await?;
                }
            }
            .await;
            if let Err(error) = outcome {
                tracing::debug!(address, %error, "a mailbox cannot be read now");
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(ASK_EVERY);
        }
    }
}

/// When letters that could not be brought are tried again: after a while, and then after twice as long.
#[derive(Debug, Default)]
pub(super) struct Tries(HashMap<u64, (Instant, Duration)>);

impl Tries {
    /// Whether a letter is to be tried now; notes that it is.
    pub(super) fn is_due(&mut self, number: u64) -> bool {
        let (next, pause) = self.0.entry(number).or_insert((Instant::now(), RETRY_FIRST));
        if *next > Instant::now() {
            return false;
        }
        *next = Instant::now() + *pause;
        *pause = (*pause * 2).min(BRING_EVERY);
        true
    }
}
