//! Every limit of the protocol, named once, with its unit and its reason.

/// Levels of nesting that a bencoded record may have, the outermost value counting as one.
///
/// No record of the protocol needs more than five; eight leaves room and keeps recursion far from the stack's end.
/// spec: BEN-3
pub const BENCODE_DEPTH_MAX: usize = 8;

/// Characters of a feed id in its printed form: `feed1`, 52 of data, 6 of checksum. spec: ID-3
pub const FEED_ID_CHARS: usize = 63;

/// Characters that are looked at when a person types a feed id or a recovery phrase.
///
/// The longest valid phrase has 24 words of 8 letters with a space after each: 216. More is not worth parsing.
pub const TYPED_TEXT_CHARS_MAX: usize = 1024;

/// Bytes of a swarm secret: its length is hashed as one byte. spec: ID-8
pub const SWARM_SECRET_BYTES_MAX: usize = 255;

/// Leaves of a tree: sizes travel as bencode integers, which end below 2^63. spec: TREE-2
pub const TREE_SIZE_MAX: u64 = (1 << 63) - 1;

/// Hashes in an inclusion or consistency proof: one per level of the largest tree, and one more where the old tree of a
/// consistency proof ends. spec: TREE-6, TREE-7
pub const PROOF_HASHES_MAX: usize = 64;

/// Hashes in a range proof: at most one perfect subtree per level on the left, two per level on the right. spec: TREE-9
pub const RANGE_PROOF_HASHES_MAX: usize = 3 * 63;

/// From which number on manifests and rosters are the successor's; those of the identity stay below, so that no number of a
/// thief is above the owner's. spec: FEED-13
pub const SUCCESSION_NUMBER_MIN: u64 = 1 << 62;

/// Bytes of a manifest record, signature included: with its target key it fits a BEP 44 item of the DHT. spec: FEED-4
pub const MANIFEST_BYTES_MAX: usize = 900;

/// Seeders that a manifest or link may name: enough for redundancy, and all fit the manifest's size. spec: FEED-4
pub const SEEDERS_MAX: usize = 4;

/// Trackers that a manifest or link may name, for the same reasons. spec: FEED-4
pub const TRACKERS_MAX: usize = 4;

/// Bytes of a seeder's address, host and port: most host names, and four addresses fit the manifest. spec: FEED-5
pub const ADDRESS_BYTES_MAX: usize = 100;

/// Bytes of a tracker's URL: longer than any public tracker's. spec: FEED-5
pub const TRACKER_URL_BYTES_MAX: usize = 150;

/// Bytes of a roster record, signature included: 64 devices with 9 ended logs each, or fewer with 16. spec: FEED-7
pub const ROSTER_BYTES_MAX: usize = 64_000;

/// Devices of a feed, revoked ones included: each is verified and asked for by every reader. spec: FEED-7
pub const DEVICES_MAX: usize = 64;

/// Logs of one device: a new one is opened by a restore or a fork only. spec: FEED-8
pub const LOGS_PER_DEVICE_MAX: usize = 16;

/// Bytes of a head record, signature included: it has about 190, the rest is for keys of later versions. spec: LOG-1
pub const HEAD_BYTES_MAX: usize = 512;

/// Bytes of a leaf header: sixteen blob references and room for keys of later versions. spec: ENTRY-1
pub const LEAF_HEADER_BYTES_MAX: usize = 1_024;

/// Bytes of an entry's body as stored: 64,000 pack well into the store's pages, where 65,536 take twice their size.
/// spec: ENTRY-3
pub const BODY_BYTES_MAX: usize = 64_000;

/// Bytes of the smallest sealed body; the others are this doubled up to [`SEALED_BODY_DOUBLINGS_MAX`] times, so that a
/// body's length tells next to nothing. spec: ENTRY-8
pub const SEALED_BODY_UNIT_BYTES: usize = 250;

/// Doublings of the smallest sealed body: 250 * 2^8 is [`BODY_BYTES_MAX`]. spec: ENTRY-8
pub const SEALED_BODY_DOUBLINGS_MAX: u32 = 8;

/// Blobs that one leaf header may refer to; more go through an index blob. spec: ENTRY-5
pub const BLOBS_PER_ENTRY_MAX: usize = 16;

/// Attachments of a post: one blob reference stays free for an index. spec: ENTRY-16
pub const ATTACHMENTS_MAX: usize = 15;

/// Bytes of a post's text: a long essay, and with its attachments it fits a body. spec: ENTRY-15
pub const POST_TEXT_BYTES_MAX: usize = 50_000;

/// Bytes of a channel's name: a line in a list. spec: ENTRY-15
pub const CHANNEL_BYTES_MAX: usize = 64;

/// Bytes of a media type: the longest registered one has 88. spec: ENTRY-16
pub const MEDIA_TYPE_BYTES_MAX: usize = 100;

/// Bytes of an attachment's file name: what file systems take. spec: ENTRY-16
pub const FILE_NAME_BYTES_MAX: usize = 255;

/// Bytes of a display name: a line in a list. spec: ENTRY-17, LINK-4
pub const NAME_BYTES_MAX: usize = 100;

/// Characters of a body's or control record's type. spec: ENTRY-13
pub const TYPE_CHARS_MAX: usize = 32;

/// Grant rows in one control entry: 57,344 bytes of its 64,000. spec: EPOCH-8
pub const GRANT_ROWS_MAX: usize = 1_024;

/// Grant rows that a writer puts into one control entry at least: one person looks like a family of four with two devices
/// each. spec: EPOCH-14
pub const GRANT_ROWS_WRITTEN_MIN: usize = 8;

/// Bytes of the smallest sealed part of a private state: a dozen friends look like none. spec: ENTRY-23
pub const PRIVATE_SEALED_BYTES_MIN: usize = 2_000;

/// Bytes of the largest sealed part of a private state: a body holds it. spec: ENTRY-23
pub const PRIVATE_SEALED_BYTES_MAX: usize = 32_000;

/// Bytes of content that the largest sealed part holds, behind tag and length. spec: ENTRY-23
pub const PRIVATE_CONTENT_BYTES_MAX: usize = PRIVATE_SEALED_BYTES_MAX - 16 - 4;

/// Parts of a private state: some ten thousand friends and feeds. spec: ENTRY-24
pub const PRIVATE_PARTS_MAX: usize = 64;

/// Epochs that are listed for who may not read all of an audience: the newest of a life with many removals. spec: ENTRY-25
pub const PRIVATE_EPOCHS_MAX: usize = 1_024;

/// Bytes of an audience's name in a private state: a list's, and the word before it. spec: ENTRY-25
pub const AUDIENCE_NAME_BYTES_MAX: usize = 128;

/// Earlier epochs that one epoch seals: one is usual, two after rotations on two devices; all fit beside the grant rows.
/// spec: EPOCH-6
pub const EARLIER_EPOCHS_MAX: usize = 64;

/// Bytes of a sealed chunk of a blob, all but the last: one store page run, as for bodies. spec: BLOB-2
pub const CHUNK_BYTES: usize = 64_000;

/// Chunks of a blob: about 1 TiB, so that a chunk's number fits in 24 bits. spec: BLOB-4
pub const BLOB_CHUNKS_MAX: u64 = 1 << 24;

/// Characters of a new passphrase: what takes years to guess at the cost of a try. spec: SEAL-5
pub const PASSPHRASE_CHARS_MIN: usize = 8;

/// Bytes of a passphrase: more than anybody types. spec: SEAL-5
pub const PASSPHRASE_BYTES_MAX: usize = 1_024;

/// Memory that opening a sealed file may take, in KiB: 256 MiB, which small home servers have. spec: SEAL-3
pub const PASSPHRASE_MEMORY_KIB_MAX: u32 = 256 * 1_024;

/// Passes over that memory: some seconds at most. spec: SEAL-3
pub const PASSPHRASE_PASSES_MAX: u32 = 16;

/// Lanes of that memory. spec: SEAL-3
pub const PASSPHRASE_LANES_MAX: u32 = 16;

/// Bytes of a sealed file: an exported identity with all epochs and members of a long life. spec: SEAL-1
pub const SEALED_FILE_BYTES_MAX: usize = 16 << 20;

/// Bytes of the encoded payload of a link: everything that it may hold at its largest, and as much again. spec: LINK-2
pub const LINK_BYTES_MAX: usize = 4_096;

/// How far ahead of this machine's clock an entry may be before it is shown last, in milliseconds: ten minutes, which
/// clocks set by hand keep. spec: ENTRY-19
pub const CLOCK_AHEAD_MAX_MS: u64 = 10 * 60 * 1_000;

/// Bytes of a Noise record's ciphertext: lane byte, 16,383 bytes of the lane's stream, authentication tag. Small enough
/// that an urgent message never waits for more than this much of a bulk one. spec: PEER-20
pub const RECORD_BYTES_MAX: usize = 16_400;

/// Bytes of a lane's stream that one record carries. spec: PEER-20
pub const RECORD_PAYLOAD_BYTES_MAX: usize = RECORD_BYTES_MAX - RECORD_OVERHEAD_BYTES;

/// Bytes of a record that are not of the lane's stream: authentication tag and lane byte. spec: PEER-20
pub const RECORD_OVERHEAD_BYTES: usize = 16 + 1;

/// Records that may be sealed under one key of AES-256-GCM: 64 GiB, a fifth of what RFC 8446, section 5.5, allows for a
/// margin of 2^-60. spec: PEER-25
pub const RECORDS_PER_AES_KEY_MAX: u64 = 1 << 22;

/// Bytes of a frame, by lane. The urgent lane fits a roster and what goes with it; the bulk lane 16 chunks and their
/// proof. A peer holds at most one unfinished frame of each per connection. spec: PEER-22
pub const LANE_FRAME_BYTES_MAX: [usize; 2] = [72_000, 1_100_000];

/// Bytes of a frame up to which a state or entries go on the urgent lane. spec: PEER-23
pub const URGENT_FRAME_BYTES_MAX: usize = 16_000;

/// Bytes of entries in the first frame of the newest: with the state and the rest of the first flight it stays within the
/// 14,600 bytes that TCP sends before it hears back, so the first entries are there after three round trips. spec: PEER-41
pub const FIRST_FLIGHT_BYTES_MAX: usize = 8_000;

/// Codes of one seeder, used and expired ones among them. spec: HOLD-6
pub const HOLD_CODES_MAX: usize = 64;

/// Feeds that a seeder holds when it takes in no further one by a code: with all its codes they are recognised. spec: HOLD-5
pub const HELD_BY_CODE_MAX: usize = HINTED_FEEDS_MAX - HOLD_CODES_MAX;

/// Seconds after its end for which a code is still known, so that who comes late is told so. spec: HOLD-6
pub const HOLD_CODE_KEPT_SECONDS: u64 = 30 * 86_400;

/// Feeds whose hint keys a responder tries for one first message: 3 MACs each. spec: PEER-12
pub const HINTED_FEEDS_MAX: usize = 1_024;

/// First messages that a responder remembers so as not to answer a replayed one, for the three days in which their hints
/// fit: about 3 MiB. Beyond, the oldest are forgotten. spec: PEER-14
pub const EPHEMERALS_SEEN_MAX: usize = 32_768;

/// Channels of one connection, in both directions together. spec: PEER-31
pub const CHANNELS_MAX: usize = 1_024;

/// Logs of a feed that a peer may name in one message: 64 devices of 16 incarnations. spec: PEER-34
pub const KNOWN_HEADS_MAX: usize = 1_024;

/// Grant tags that a side may look for at once: friends and epochs of one reader. spec: PEER-34
pub const GRANT_TAGS_MAX: usize = 64;

/// Grant rows in one STATE: tags may collide, and an epoch is granted by several devices. spec: PEER-36
pub const GRANT_ROWS_ANSWERED_MAX: usize = 256;

/// Ranges of entries that a STATE lists as held; a peer with more gaps lists its newest. spec: PEER-36
pub const HELD_RANGES_MAX: usize = 2_048;

/// Entries of each log that a side may want unasked: two screens are enough, the rest is asked for. spec: PEER-34
pub const NEWEST_ENTRIES_MAX: u32 = 256;

/// Bytes of entries, all logs together, that a side may want unasked. spec: PEER-34
pub const NEWEST_BYTES_MAX: u32 = 1 << 20;

/// Heads of a STATE against which unasked entries can be proven, per connection: memory for a peer's claims.
/// spec: PEER-41
pub const CLAIMED_HEADS_MAX: usize = 4_096;

/// Entries that one request may ask for. spec: PEER-40
pub const ENTRIES_PER_REQUEST_MAX: u64 = 4_096;

/// Chunks that one request may ask for: the answer is one frame of about 1 MiB. spec: PEER-42
pub const CHUNKS_PER_REQUEST_MAX: u32 = 16;

/// Chunks that one bit of a blob's bitmap stands for. spec: PEER-45
pub const CHUNK_GROUP: u32 = 16;

/// Blobs in one question or answer about who holds them. spec: PEER-45
pub const BLOBS_PER_MESSAGE_MAX: usize = 256;

/// Bytes of a body that is pushed with its head: a short post. spec: PEER-46
pub const PUSHED_BODY_BYTES_MAX: usize = 4_000;

/// Addresses in one list of a peer exchange, as in BEP 11. spec: PEER-48
pub const EXCHANGED_PEERS_MAX: usize = 50;

/// Requests of a peer that are open at once unless its hello says otherwise. spec: PEER-32
pub const REQUESTS_OPEN_MAX: u32 = 256;

/// Bytes of rejects and pongs, which the machine writes by itself, that may wait for a peer which goes on asking; beyond it
/// asks faster than it takes, and is dropped. spec: PEER-54
pub const REPLIES_WAITING_BYTES_MAX: usize = 256 * 1_024;

/// Pings of a peer that are answered in a second: who measures a line pings once in a while. spec: PEER-55
pub const PINGS_PER_SECOND: u32 = 8;

/// Pings beyond that rate that are answered all the same, if there were none before. spec: PEER-55
pub const PINGS_AT_ONCE: u32 = 64;

/// However slowly its answer comes in, a request is called late after so many seconds. spec: PEER-53
pub const REQUEST_WHOLE_SECONDS_MAX: u64 = 600;

/// Seconds between two peer exchanges on a channel; sooner ones are ignored, with some grace for delays on the way.
/// spec: PEER-48
pub const EXCHANGE_SECONDS_MIN: u64 = 50;

/// Extensions in a hello. spec: PEER-32
pub const EXTENSIONS_MAX: usize = 64;

/// Bytes of a program's name and version in a hello. spec: PEER-32
pub const PROGRAM_TEXT_BYTES_MAX: usize = 100;

/// Bytes of a reason that a peer gives for a human. spec: PEER-49
pub const REASON_TEXT_BYTES_MAX: usize = 200;

/// A responder's patience with the first 64 bytes, in seconds. spec: PEER-50
pub const FIRST_MESSAGE_SECONDS_MAX: u64 = 5;

/// Either side's patience with the whole handshake, in seconds. spec: PEER-50
pub const HANDSHAKE_SECONDS_MAX: u64 = 10;

/// How long a record may take from its first byte to its last, in seconds: 16 KiB even over 300 bytes a second.
/// spec: PEER-51
pub const RECORD_SECONDS_MAX: u64 = 60;

/// After so many seconds without a word, a keep-alive is sent. spec: PEER-52
pub const KEEP_ALIVE_SECONDS: u64 = 60;

/// After so many seconds without a byte from it, a peer is gone: two keep-alives lost, and some. spec: PEER-52
pub const SILENCE_SECONDS_MAX: u64 = 150;

/// After so many seconds in which a peer takes nothing of what waits for it, it is gone. spec: PEER-54
pub const STALL_SECONDS_MAX: u64 = 60;

/// After so many seconds without progress a request is called late. spec: PEER-53
pub const REQUEST_SECONDS_MAX: u64 = 60;

/// The port on which a node listens unless it is told otherwise; another one is taken when it is in use.
pub const DEFAULT_PEER_PORT: u16 = 7337;

/// Bytes of a mailbox packet: the smallest that holds the letter, so that a packet's length tells next to nothing. The first
/// holds a request of a few devices; the last a roster at its largest. spec: MAIL-3
pub const PACKET_BYTES: [usize; 3] = [4_000, 16_000, 64_000];

/// Devices to which a packet is sealed: all that a feed may have. spec: MAIL-3
pub const PACKET_SLOTS_MAX: usize = DEVICES_MAX;

/// Seconds after which a device publishes its next prekey: a week. spec: MAIL-2
pub const PREKEY_SECONDS: u64 = 7 * 86_400;

/// Seconds after the next one for which the secret of a prekey is kept: all that a packet may wait, and a day. spec: MAIL-2
pub const PREKEY_KEPT_SECONDS: u64 = PACKET_SECONDS_MAX + 86_400;

/// Seconds that a packet waits in a mailbox: thirty days. spec: MAIL-16
pub const PACKET_SECONDS_MAX: u64 = 30 * 86_400;

/// Zero bits of a stranger's work: a million hashes, under a second for a person and a cost for a flood. spec: MAIL-12
pub const MAIL_WORK_BITS: u32 = 20;

/// Packets that wait in one mailbox by one contact's token, and their bytes. spec: MAIL-13
pub const MAIL_PER_TOKEN: (u64, u64) = (64, 1 << 20);

/// Packets that wait in one mailbox by contacts' tokens, and their bytes. spec: MAIL-13
pub const MAIL_BY_CONTACTS: (u64, u64) = (1_024, 16 << 20);

/// Packets that wait in one mailbox by invitations, and their bytes. spec: MAIL-13
pub const MAIL_BY_INVITATION: (u64, u64) = (256, 4 << 20);

/// Packets of strangers that wait in one mailbox, and their bytes: a screen full. spec: MAIL-13
pub const MAIL_BY_WORK: (u64, u64) = (64, 64 * PACKET_BYTES[0] as u64);

/// Bytes of the packets that one node keeps for all feeds together. spec: MAIL-13
pub const MAIL_BYTES_MAX: u64 = 256 << 20;

/// Packets in one answer: with the largest it stays below the bulk lane's longest frame. spec: MAIL-17
pub const PACKETS_PER_ANSWER_MAX: usize = 16;

/// Tokens that one question revokes. spec: MAIL-17
pub const TOKENS_REVOKED_MAX: usize = 64;
