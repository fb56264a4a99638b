//! Every limit of the engine, with its unit and its reason.

use std::time::Duration;

/// Entries asked for at once; the protocol's most. Short posts are 300 bytes, so the byte limit is met first.
pub const REQUEST_ENTRIES: u64 = 4_096;

/// Bytes of entries asked for at once: large enough for a fast link, small enough to be taken from a slow peer.
pub const REQUEST_ENTRY_BYTES: u64 = 1 << 20;

/// Bytes that one entry is taken for when a request's weight is estimated: header and the smallest padded body.
pub const ENTRY_GUESS_BYTES: u64 = 600;

/// Fewest bytes outstanding with a peer: less than a group of chunks, so that one group is asked for until it is known how
/// fast they come. In a crowd whoever asks for more waits in the same queue for what others would have had sooner.
pub const WINDOW_FLOOR_BYTES: u64 = 1_000_000;

/// Feeds that may be asked of a peer side by side though its window is full.
pub const FEEDS_BESIDE: usize = 4;

/// Most bytes outstanding with a peer: 32 MiB fill a link of 2.5 Gbit/s over 100 ms.
pub const WINDOW_CAP_BYTES: u64 = 32 << 20;

/// Most bytes outstanding with all peers together; what has arrived and is not stored counts as outstanding.
pub const OUTSTANDING_BYTES: u64 = 96 << 20;

/// Requests outstanding with one peer; below the 256 that every peer takes.
pub const OUTSTANDING_REQUESTS: usize = 192;

/// How long a request has to be outstanding, or its answer on the way once it has begun, before an idle peer that is faster
/// takes it over as well (endgame).
pub const STEAL_AFTER: Duration = Duration::from_secs(1);

/// How long before any idle peer does, unless the rate of who was asked explains it.
pub const STEAL_OVERDUE: Duration = Duration::from_secs(4);

/// The same while not everything was asked for once: others have other things to do.
pub const STEAL_FORGOTTEN: Duration = Duration::from_secs(30);

/// Bodies handed to the store and not yet synced, bytes; beyond it nothing more is asked for.
pub const UNWRITTEN_BYTES: u64 = 64 << 20;

/// First wait after something could not be stored, as on a full disk; each failure costs the traffic of one window.
pub const STORE_RETRY_FIRST: Duration = Duration::from_secs(60);

/// Longest wait until storing is tried again.
pub const STORE_RETRY_LONGEST: Duration = Duration::from_secs(3_600);

/// Connections in all of a node, as far as the system gives file descriptors for them: an idle one costs 12 to 14 KB.
pub const CONNECTIONS: usize = 12_000;

/// File descriptors that are left for store, listeners, trackers and commands.
pub const DESCRIPTORS_RESERVED: usize = 96;

/// Connections accepted from one prefix (an IPv4 address, an IPv6 /56): a household, not a flood. This machine itself
/// may take all.
pub const CONNECTIONS_PER_PREFIX: usize = 32;

/// Connections whose handshake is not done; of more, the oldest gives way.
pub const HALF_OPEN: usize = 128;

/// The same of one prefix: nobody needs longer for a few than the others for one. This machine itself may have all.
pub const HALF_OPEN_PER_PREFIX: usize = 8;

/// Percent of all connections from which on some give way, so that newcomers get in.
pub const TURNOVER_FROM_PERCENT: usize = 90;

/// Percent of the connections that give way at a time.
pub const TURNOVER_PERCENT: usize = 4;

/// How often some give way.
pub const TURNOVER_EVERY: Duration = Duration::from_secs(300);

/// How long who was turned away for want of room stays away.
pub const TURNED_AWAY_FOR: Duration = Duration::from_secs(600);

/// First messages per prefix and minute that are compared with the feeds held: each costs up to 3,072 MACs.
pub const HINT_TRIES_PER_MINUTE: u32 = 120;

/// Dials under way at once.
pub const DIALS: usize = 32;

/// How long a dial may take until TCP is connected.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(8);

/// How long one address of a name is tried alone before the next one is tried beside it (RFC 8305).
pub const DIAL_ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Connections that a node seeks for a feed of which something is lacking; more are accepted, none is dialled.
pub const PEERS_SOUGHT: usize = 20;

/// Connections that a node seeks for a feed that is complete and has no seeder connected: in a random graph of this
/// degree a new post reaches everybody, whoever leaves.
pub const PEERS_SOUGHT_COMPLETE: usize = 8;

/// The same with a seeder connected: somebody who tells when that one lags behind.
pub const PEERS_SOUGHT_SEEDED: usize = 2;

/// Addresses remembered per feed; the worst of those that others named give way.
pub const ADDRESSES_PER_FEED: usize = 200;

/// Addresses remembered per feed that one source named: no source fills the list alone.
pub const ADDRESSES_PER_SOURCE: usize = 50;

/// Addresses remembered per feed and prefix that others named: who has many ports is still one.
pub const ADDRESSES_PER_PREFIX: usize = 4;

/// First wait before an address is dialled again.
pub const REDIAL_FIRST: Duration = Duration::from_secs(2);

/// Longest wait before an address is dialled again.
pub const REDIAL_LONGEST: Duration = Duration::from_secs(600);

/// Failures in a row after which an address that a tracker or a peer named is forgotten.
pub const REDIAL_GIVE_UP: u32 = 6;

/// How long a connection must have lasted for its end to count as bad luck and not as a failure.
pub const STEADY: Duration = Duration::from_secs(30);

/// First ban for a proven lie; each further one lasts twice as long.
pub const BAN_FIRST: Duration = Duration::from_secs(3_600);

/// Longest ban.
pub const BAN_LONGEST: Duration = Duration::from_secs(24 * 3_600);

/// Bans remembered; the soonest to end gives way.
pub const BANS: usize = 4_096;

/// Peers asked of a tracker.
pub const NUMWANT: u32 = 50;

/// Announces under way at once.
pub const ANNOUNCES: usize = 16;

/// First wait after a tracker failed.
pub const ANNOUNCE_RETRY_FIRST: Duration = Duration::from_secs(10);

/// Longest wait after a tracker failed.
pub const ANNOUNCE_RETRY_LONGEST: Duration = Duration::from_secs(1_800);

/// First wait of a look-up in vain: whoever announced at the same moment is listed by then.
pub const LOOK_UP_RETRY_FIRST: Duration = Duration::from_secs(2);

/// How long a sync looks at the least before it gives up because everybody has failed.
pub const LOOK_AT_LEAST: Duration = Duration::from_secs(10);

/// How long the announce that one leaves may take at shutdown.
pub const STOPPED_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the seeders that are known have to answer before a reader asks a tracker.
pub const SEEDERS_FIRST: Duration = Duration::from_millis(1_500);

/// How long a sync waits for others once one peer has given all it has.
pub const SETTLE: Duration = Duration::from_millis(700);

/// Bytes that wait in a peer's connection to be sent at most: a fast one never runs dry.
pub const SERVE_BUFFER_BYTES: usize = 4 << 20;

/// The same for a slow one: with less than this, another group of chunks is read for it.
pub const SERVE_BUFFER_LEAST_BYTES: usize = 1 << 20;

/// How much of what a peer takes may wait in its connection, as time.
pub const SERVE_AHEAD: Duration = Duration::from_millis(500);

/// Bytes by which small answers may exceed a peer's buffer that is full of bulk.
pub const SERVE_URGENT_EXTRA_BYTES: usize = 1 << 20;

/// Bytes of answers being read or waiting in connections, all peers together.
pub const SERVE_BYTES: usize = 256 << 20;

/// After so long without taking anything a peer gives way, when others wait for the memory that it holds.
pub const SERVE_STALLED: Duration = Duration::from_secs(5);

/// Bytes of one turn in serving: a group of chunks.
pub const SERVE_QUANTUM_BYTES: i64 = 1 << 20;

/// Bytes of small answers beyond its share that a peer may have before they wait as bulk does.
pub const SERVE_DEBT_BYTES: i64 = 4 << 20;

/// Bytes of entries in one answer, whatever is asked for; the rest is asked for again.
pub const SERVE_ENTRY_BYTES: u32 = 1 << 20;

/// Peers to whom bulk is sent at a time at the least, where the rate of the line is known: one, and two that fill its
/// pauses.
pub const SERVE_SLOTS: usize = 3;

/// Percent of the line's rate from which on it counts as filled.
pub const LINE_BUSY_PERCENT: u128 = 75;

/// Answers being read from the store at once.
pub const SERVE_JOBS: usize = 4;

/// The same for small answers while as many others are read as may be.
pub const SERVE_JOBS_URGENT: usize = 4;

/// Requests of one peer that wait to be served; the protocol lets no more be open.
pub const SERVE_QUEUE: usize = 256;

/// Least time between two messages to a peer about who else is connected: BEP 11 has one a minute, and less than 50
/// seconds are ignored. spec: PEER-48
pub const EXCHANGE_EVERY: Duration = Duration::from_secs(60);

/// How long those who come and leave are gathered before others are told of them.
pub const EXCHANGE_GATHER: Duration = Duration::from_secs(2);

/// How much longer for each peer of the feed: to look at one takes some microseconds, so that telling takes less than a
/// hundredth of the time however many there are.
pub const EXCHANGE_GATHER_PER_PEER: Duration = Duration::from_millis(1);

/// Peers of a feed, drawn at random, among whom those are picked that a peer is told of.
pub const EXCHANGE_SAMPLE: usize = 200;

/// Peers that push the heads of a log, seeders not counted: two, so that one may fail and nothing comes later.
pub const PUSHERS: usize = 2;

/// Peers that are asked to push in place of one that is gone: some of them may have what is new from here.
pub const REPLACEMENTS: usize = 3;

/// How long after a log grew that is mentioned to those who want no push: others have pushed it to them long before.
pub const MENTION_AFTER: Duration = Duration::from_millis(1_500);

/// Peers that are asked to push again for a head that they mentioned: some of them may lie.
pub const ASKED_AGAIN: usize = 8;

/// Least time between two states told to a peer about what is held here.
pub const TELL_EVERY: Duration = Duration::from_millis(500);

/// Least time between two questions to a peer which parts of a blob it holds.
pub const ASK_BLOBS_EVERY: Duration = Duration::from_secs(2);

/// The same where it has answered: it tells by itself when it holds more, unless it is of an earlier version.
pub const ASK_TOLD_EVERY: Duration = Duration::from_secs(30);

/// Least time between two messages to peers about which parts of a blob are held.
pub const OFFER_EVERY: Duration = Duration::from_millis(200);

/// What these messages take of the line to a peer at most, bytes per second: for blobs of many gigabytes.
pub const OFFER_BYTES_PER_SECOND: u64 = 20_000;

/// Blobs asked about in one message. spec: PEER-40
pub const BLOBS_PER_QUESTION: usize = 256;

/// Questions of a peer about blobs of one feed that are answered in a second: it needs one in two seconds, and one more
/// whenever it learns of a blob. Each costs up to 256 look-ups in the store.
pub const BLOB_QUESTIONS_PER_SECOND: u64 = 8;

/// Questions beyond that rate, as time, that are answered all the same: who opens a feed learns of many blobs at once.
pub const BLOB_QUESTIONS_BURST: Duration = Duration::from_secs(8);

/// Blobs of one feed that a peer asked about and is told of as soon as they are here.
pub const BLOBS_AWAITED: usize = 1_024;

/// Of these, so many may be unknown here: the entry that refers to them may be on its way.
pub const BLOBS_AWAITED_UNKNOWN: usize = 32;

/// Body of the newest entry that is pushed along with its head, bytes.
pub const PUSH_BODY_BYTES: usize = 4_000;

/// Logs of a feed that are followed: 64 devices with 16 incarnations each. spec: FEED-7, FEED-8
pub const LOGS_PER_FEED: usize = 1_024;

/// Feeds open with one peer. spec: PEER-20
pub const CHANNELS_PER_PEER: usize = 1_024;

/// Progress is told at most this often.
pub const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// Packets for mailboxes that are taken on one connection: a sender brings a few, a flood has to connect again and again.
pub const PACKETS_PER_PEER: u32 = 64;

/// Bytes that wait for the disk beyond which packets for mailboxes are turned away for now.
pub const MAIL_UNWRITTEN_BYTES: u64 = 64 << 20;
