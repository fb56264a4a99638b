//! Who is let in: the budget of its address, and whether it knows a feed that is held here.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::clock::Clock;
use super::connection::Commander;
use super::hold::Wishes;
use crate::swarm::{Command, Gate, GuestId, Refusal};
use peerfeed_protocol::crypto::WitnessSecret;
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::peer::Moment;
use peerfeed_protocol::peer::hint::{FirstMessage, HintTable, SeenEphemerals};
use peerfeed_protocol::peer::message::RejectCode;

/// Shared by everybody who comes in.
#[derive(Clone)]
pub struct Admission {
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    gate: Gate,
    /// Those whose handshake is not done, so that they can be sent away.
    shaking: HashMap<GuestId, Commander>,
    hints: Arc<HintTable>,
    codes: BTreeSet<FeedId>,
    wishes: Wishes,
    seen: SeenEphemerals,
    witness: Option<Arc<WitnessSecret>>,
    turned_away: u64,
    strangers: u64,
}

impl Admission {
    /// Lets so many in at a time; who comes with a code says there what is to be held.
    pub fn new(connections_max: usize, wishes: Wishes) -> Self {
        let shared = Shared {
            gate: Gate::new(connections_max),
            shaking: HashMap::new(),
            hints: Arc::default(),
            codes: BTreeSet::new(),
            wishes,
            seen: SeenEphemerals::default(),
            witness: None,
            turned_away: 0,
            strangers: 0,
        };
        Self { shared: Arc::new(Mutex::new(shared)) }
    }

    /// The feeds that may be asked for from now on, and the codes by which further ones may be brought.
    pub fn serve(&self, feeds: impl IntoIterator<Item = FeedId>, codes: impl IntoIterator<Item = FeedId>) {
        let mut hints = HintTable::new();
        let codes: BTreeSet<FeedId> = codes.into_iter().collect();
        for feed in codes.iter().copied().chain(feeds) {
            if !hints.insert(feed) {
                tracing::warn!("more feeds are held than can be recognised by who connects first for one of them");
                break;
            }
        }
        let mut shared = self.lock();
        shared.hints = Arc::new(hints);
        shared.codes = codes;
    }

    /// The witness key to be proven to who is admitted from now on: a seeder's.
    pub fn prove(&self, witness: Option<Arc<WitnessSecret>>) {
        self.lock().witness = witness;
    }

    /// Lets a connection in, if its address has room.
    pub fn enter(&self, now: Moment, address: SocketAddr, commands: Commander) -> Result<Guest, Refusal> {
        let mut shared = self.lock();
        let entered = match shared.gate.enter(now, address) {
            Ok(entered) => entered,
            Err(refusal) => {
                shared.turned_away += 1;
                return Err(refusal);
            }
        };
        shared.shaking.insert(entered.guest, commands.clone());
        if let Some(commands) = entered.gives_way.and_then(|guest| shared.shaking.remove(&guest)) {
            shared.turned_away += 1;
            // One that has ended by itself needs no word.
            let _ = commands.send(Box::new(Command::Close(RejectCode::Busy)));
        }
        drop(shared);
        let id = entered.guest;
        Ok(Guest { admission: self.clone(), id, address, commands: Some(commands), left: false })
    }

    /// Connections that were closed since the start for want of room, and those of strangers.
    pub fn refused(&self) -> (u64, u64) {
        let shared = self.lock();
        (shared.turned_away, shared.strangers)
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Nothing in here is half-done when a thread panics.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that came in.
pub struct Guest {
    admission: Admission,
    id: GuestId,
    address: SocketAddr,
    /// Until the engine has it.
    commands: Option<Commander>,
    left: bool,
}

impl Guest {
    /// The feed or code that its first message is for; none for a stranger, who gets no byte in answer. spec: PEER-11 to PEER-14
    pub fn admit(&mut self, clock: Clock, first: &FirstMessage) -> Option<FeedId> {
        let day = clock.unix_day();
        let hints = {
            let mut shared = self.admission.lock();
            if !shared.gate.may_try(clock.now(), self.address) {
                shared.turned_away += 1;
                return None;
            }
            Arc::clone(&shared.hints)
        };
        // Up to 3,072 MACs: not under the lock.
        let found = hints.find(first, day);
        let mut shared = self.admission.lock();
        let feed = found.filter(|_| shared.seen.is_new(first, day));
        shared.strangers += u64::from(feed.is_none());
        if feed.is_some() {
            shared.gate.knows_a_feed(self.id);
        }
        feed
    }

    /// The witness key to be proven to it.
    pub fn witness(&self) -> Option<Arc<WitnessSecret>> {
        self.admission.lock().witness.clone()
    }

    /// Where a wish is to be sent, if what it was admitted for is a code.
    pub fn wishes(&self, admitted: FeedId) -> Option<Wishes> {
        let shared = self.admission.lock();
        shared.codes.contains(&admitted).then(|| shared.wishes.clone())
    }

    /// Its handshake is done: where it came from, and the way to command it. Once.
    pub fn establish(&mut self) -> Option<(SocketAddr, Commander)> {
        let commands = self.commands.take()?;
        let mut shared = self.admission.lock();
        shared.gate.established(self.id);
        shared.shaking.remove(&self.id);
        drop(shared);
        Some((self.address, commands))
    }

    /// Whether the engine knows of it.
    pub fn is_known(&self) -> bool {
        self.commands.is_none()
    }

    /// It is over.
    pub fn leave(&mut self, now: Moment) {
        if !std::mem::replace(&mut self.left, true) {
            let mut shared = self.admission.lock();
            shared.gate.left(now, self.id, self.address);
            shared.shaking.remove(&self.id);
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.leave(Moment::START);
    }
}
