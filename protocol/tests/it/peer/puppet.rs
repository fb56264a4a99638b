//! A peer that says whatever a test wants: handshake, records and frames written once more from the specification, sharing
//! no code with the machine under test.

use peerfeed_protocol::crypto::kdf::derive;
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::peer::message::{Interest, Message, Open, Opened};
use peerfeed_protocol::peer::{ChannelId, Connection, Event, Moment, Role, Violation};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use snow::params::CipherChoice;
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::Cipher;
use snow::{Builder, HandshakeState};

use super::DAY;

pub(crate) const URGENT: u8 = 0;
pub(crate) const BULK: u8 = 1;
pub(crate) const CHANGE: u8 = 2;

/// The smallest hello there is.
pub(crate) const HELLO: &[u8] = b"de";

/// One that agrees to AES.
pub(crate) const FAST_HELLO: &[u8] = b"d1:ai1ee";

/// A frame that the machine sent: type and rest.
pub(crate) type Frame = (u8, Vec<u8>);

/// The records of one direction, with ciphers from other libraries than the machine's.
pub(crate) struct Direction {
    key: [u8; 32],
    cipher: Box<dyn Cipher>,
    next: u64,
}

impl Direction {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self::with(CipherChoice::ChaChaPoly, key)
    }

    fn with(choice: CipherChoice, key: [u8; 32]) -> Self {
        let mut cipher = DefaultResolver.resolve_cipher(&choice).unwrap();
        cipher.set(&key);
        Self { key, cipher, next: 0 }
    }

    /// The keys of what an initiator sends, and of what it receives.
    pub(crate) fn both(noise: &mut HandshakeState) -> (Self, Self) {
        let (first, second) = noise.dangerously_get_raw_split();
        (Self::new(first), Self::new(second))
    }

    /// Changes to AES-256-GCM under the key that follows.
    pub(crate) fn change(&mut self) {
        let mut sealed = [0; 48];
        self.cipher.encrypt(u64::MAX, &[], &[0; 32], &mut sealed);
        self.key.copy_from_slice(&sealed[..32]);
        *self = Self::with(CipherChoice::AESGCM, self.key);
    }

    /// The bytes of a record that carries `payload` on `lane`, whatever they are.
    pub(crate) fn record(&mut self, lane: u8, payload: &[u8]) -> Vec<u8> {
        let plaintext = [payload, &[lane]].concat();
        let mut record = vec![0; 2 + plaintext.len() + 16];
        let length = u16::try_from(plaintext.len() + 16).unwrap();
        record[..2].copy_from_slice(&length.to_be_bytes());
        self.cipher.encrypt(self.next, &[], &plaintext, &mut record[2..]);
        self.next += 1;
        record
    }

    /// Lane and payload of a record without its length; none if it does not open.
    pub(crate) fn open(&mut self, record: &[u8]) -> Option<(u8, Vec<u8>)> {
        let mut plaintext = vec![0; record.len()];
        let length = self.cipher.decrypt(self.next, &[], record, &mut plaintext).ok()?;
        self.next += 1;
        plaintext.truncate(length);
        Some((plaintext.pop()?, plaintext))
    }
}

/// A peer under a test's control, past the handshake.
pub(crate) struct Puppet {
    sealing: Direction,
    opening: Direction,
    pub(crate) hash: [u8; 32],
    role: Role,
    lanes: [Vec<u8>; 2],
    /// How often the machine has changed the cipher.
    pub(crate) changes_heard: usize,
}

/// Noise as in the chapter on the handshake, with a fixed ephemeral key.
pub(crate) fn noise(role: Role, feed: &FeedId, node: [u8; 32], ephemeral: [u8; 32]) -> HandshakeState {
    let psk = derive::<32>(feed.as_bytes(), "psk", &[]);
    let builder = Builder::new("Noise_XXpsk0_25519_ChaChaPoly_BLAKE2s".parse().unwrap())
        .prologue(b"peerfeed/1")
        .unwrap()
        .psk(0, &psk)
        .unwrap()
        .local_private_key(&node)
        .unwrap()
        .fixed_ephemeral_key_for_testing_only(&ephemeral);
    match role {
        Role::Initiator => builder.build_initiator().unwrap(),
        Role::Responder => builder.build_responder().unwrap(),
    }
}

/// The 64 bytes with which an initiator begins.
pub(crate) fn first_flight(feed: &FeedId, noise: &mut HandshakeState, day: u64) -> Vec<u8> {
    let mut message = [0; 48];
    assert_eq!(noise.write_message(&[], &mut message).unwrap(), 48);
    let key = derive::<32>(feed.as_bytes(), "hint", &[]);
    let mac = Hmac::<Sha256>::new_from_slice(&*key)
        .unwrap()
        .chain_update(day.to_be_bytes())
        .chain_update(&message[..32])
        .finalize()
        .into_bytes();
    [&mac[..16], &message].concat()
}

impl Puppet {
    /// A puppet that has connected to the machine, which is a responder.
    pub(crate) fn client(feed: &FeedId, machine: &mut Connection) -> Self {
        let mut noise = noise(Role::Initiator, feed, [31; 32], [32; 32]);
        let first = first_flight(feed, &mut noise, DAY);
        machine.handle_bytes(Moment::START, &first).unwrap();
        assert!(matches!(machine.poll_event(), Some(Event::FirstMessage(_))));
        machine.admit(feed).unwrap();
        let mut second = Vec::new();
        machine.poll_transmit(Moment::START, &mut second, 1_000);
        assert_eq!(second.len(), 96);
        noise.read_message(&second, &mut [0; 16]).unwrap();
        let mut third = [0; 64];
        assert_eq!(noise.write_message(&[], &mut third).unwrap(), 64);
        machine.handle_bytes(Moment::START, &third).unwrap();
        Self::finish(noise, Role::Initiator, machine)
    }

    /// A puppet that the machine, which is an initiator, has connected to.
    pub(crate) fn server(feed: &FeedId, machine: &mut Connection) -> Self {
        let mut noise = noise(Role::Responder, feed, [31; 32], [32; 32]);
        let mut first = Vec::new();
        machine.poll_transmit(Moment::START, &mut first, 1_000);
        assert_eq!(first.len(), 64);
        noise.read_message(&first[16..], &mut [0; 16]).unwrap();
        let mut second = [0; 96];
        assert_eq!(noise.write_message(&[], &mut second).unwrap(), 96);
        machine.handle_bytes(Moment::START, &second).unwrap();
        let mut third = Vec::new();
        machine.poll_transmit(Moment::START, &mut third, 64);
        noise.read_message(&third, &mut [0; 16]).unwrap();
        Self::finish(noise, Role::Responder, machine)
    }

    fn finish(mut noise: HandshakeState, role: Role, machine: &mut Connection) -> Self {
        let hash = noise.get_handshake_hash().try_into().unwrap();
        let (first, second) = Direction::both(&mut noise);
        let (sealing, opening) = if role == Role::Initiator { (first, second) } else { (second, first) };
        assert!(matches!(machine.poll_event(), Some(Event::Established { .. })));
        Self { sealing, opening, hash, role, lanes: [Vec::new(), Vec::new()], changes_heard: 0 }
    }

    /// The bytes of a record that carries `payload` on `lane`, whatever they are.
    pub(crate) fn record(&mut self, lane: u8, payload: &[u8]) -> Vec<u8> {
        self.sealing.record(lane, payload)
    }

    /// The bytes of a record that changes the cipher; what comes behind is sealed with the next one.
    pub(crate) fn change(&mut self) -> Vec<u8> {
        let record = self.record(CHANGE, &[1]);
        self.sealing.change();
        record
    }

    /// The bytes of a message in as many records as it needs.
    pub(crate) fn message(&mut self, lane: u8, kind: u8, rest: &[u8]) -> Vec<u8> {
        let length = u32::try_from(rest.len() + 1).unwrap();
        let frame = [&length.to_be_bytes()[..], &[kind], rest].concat();
        frame.chunks(16_383).flat_map(|part| self.record(lane, part)).collect()
    }

    /// Lets the machine hear a message.
    pub(crate) fn say(&mut self, machine: &mut Connection, kind: u8, rest: &[u8]) -> Result<(), Violation> {
        let bytes = self.message(URGENT, kind, rest);
        machine.handle_bytes(Moment::START, &bytes)
    }

    /// Says hello and takes the machine's.
    pub(crate) fn greet(&mut self, machine: &mut Connection) {
        self.greet_with(machine, HELLO);
    }

    /// Says this hello and takes the machine's.
    pub(crate) fn greet_with(&mut self, machine: &mut Connection, hello: &[u8]) {
        self.say(machine, 0x01, hello).unwrap();
        assert!(matches!(machine.poll_event(), Some(Event::Hello(_))));
        assert_eq!(self.hear(machine)[0].0, 0x01);
    }

    /// Says hello and leaves what the machine says for later.
    pub(crate) fn greet_machine_only(&mut self, machine: &mut Connection) {
        self.say(machine, 0x01, HELLO).unwrap();
        assert!(matches!(machine.poll_event(), Some(Event::Hello(_))));
    }

    /// Everything that the machine has to say.
    pub(crate) fn hear(&mut self, machine: &mut Connection) -> Vec<Frame> {
        let mut bytes = Vec::new();
        while machine.poll_transmit(Moment::START, &mut bytes, 1 << 20) > 0 {}
        let mut rest = &bytes[..];
        let mut frames = Vec::new();
        while let Some((length, behind)) = rest.split_first_chunk() {
            let (record, behind) = behind.split_at(usize::from(u16::from_be_bytes(*length)));
            rest = behind;
            let (lane, payload) = self.opening.open(record).expect("the machine's records open");
            if lane == CHANGE {
                assert_eq!(payload, [1]);
                self.opening.change();
                self.changes_heard += 1;
                continue;
            }
            let lane = &mut self.lanes[usize::from(lane)];
            lane.extend_from_slice(&payload);
            while let Some(length) = lane.first_chunk().map(|length| u32::from_be_bytes(*length) as usize) {
                if lane.len() < 4 + length {
                    break;
                }
                let frame: Vec<u8> = lane.drain(..4 + length).skip(4).collect();
                frames.extend(frame.split_first().map(|(kind, rest)| (*kind, rest.to_vec())));
            }
        }
        frames
    }

    /// Proof of knowing a feed, as the chapter on channels has it.
    pub(crate) fn mac(&self, feed: &FeedId, role: Role) -> [u8; 32] {
        let key = derive::<32>(feed.as_bytes(), "channel", &[]);
        let role = u8::from(role == Role::Responder);
        let mac = Hmac::<Sha256>::new_from_slice(&*key).unwrap().chain_update(self.hash).chain_update([role]);
        mac.finalize().into_bytes().into()
    }

    /// Opens channel `number` for the feed, which the machine accepts.
    pub(crate) fn open(&mut self, machine: &mut Connection, feed: &FeedId, number: u16) {
        let channel = ChannelId(number);
        let mac = self.mac(feed, self.role);
        let open = Open { channel, swarm: feed.swarm_id(), mac, interest: Interest::default() };
        self.say(machine, 0x02, &open.encode()).unwrap();
        assert!(matches!(machine.poll_event(), Some(Event::OpenRequested { .. })));
        machine.accept(channel, feed, Interest::default()).unwrap();
        assert_eq!(self.hear(machine)[0].0, 0x03);
    }

    /// Accepts the channel that the machine has asked for.
    pub(crate) fn accept(&mut self, machine: &mut Connection, feed: &FeedId) -> ChannelId {
        let frames = self.hear(machine);
        let (_, rest) = frames.iter().find(|(kind, _)| *kind == 0x02).expect("the machine asks for a channel");
        let channel = Open::decode(rest).unwrap().channel;
        let opened = Opened { channel, mac: self.mac(feed, self.role), interest: Interest::default() };
        self.say(machine, 0x03, &opened.encode()).unwrap();
        assert!(matches!(machine.poll_event(), Some(Event::Opened { .. })));
        channel
    }
}
