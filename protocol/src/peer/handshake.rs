//! The Noise handshake: who knows the feed id gets in, and both sides learn each other's node key. spec: PEER-10, PEER-13

use std::fmt;

use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{CryptoResolver, DefaultResolver, RingResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use snow::{Builder, HandshakeState};
use zeroize::{Zeroize, Zeroizing};

use super::record::Records;
use super::violation::Violation;
use crate::crypto::{BoxKey, Entropy, FeedKeys};
use crate::ids::NodeKey;

/// Name of the Noise protocol. spec: PEER-10
pub const NOISE_PROTOCOL: &str = "Noise_XXpsk0_25519_ChaChaPoly_BLAKE2s";

const PROLOGUE: &[u8] = b"peerfeed/1";

/// Bytes of each of the three messages; the hint before the first one is not counted. spec: PEER-10
pub(super) const MESSAGE_BYTES: [usize; 3] = [48, 96, 64];

/// Which side of a connection one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The side that opened the TCP connection.
    Initiator,
    /// The side that accepted it.
    Responder,
}

impl Role {
    /// The other side.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Initiator => Self::Responder,
            Self::Responder => Self::Initiator,
        }
    }

    /// How a role is written where it is signed or authenticated. spec: PEER-33
    pub fn byte(self) -> u8 {
        match self {
            Self::Initiator => 0,
            Self::Responder => 1,
        }
    }
}

/// The secret behind a node key.
#[derive(Clone)]
pub struct NodeSecret(Zeroizing<[u8; 32]>);

impl NodeSecret {
    /// The secret made of these bytes.
    pub fn from_bytes(secret: [u8; 32]) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// The key that peers see.
    pub fn key(&self) -> NodeKey {
        NodeKey::new(BoxKey::from_bytes(*self.0).public().to_bytes())
    }
}

impl fmt::Debug for NodeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeSecret(\u{2026})")
    }
}

/// A handshake that is going on.
pub(super) struct Handshake {
    state: Box<HandshakeState>,
}

/// What a finished handshake gives.
pub(super) struct Session {
    pub(super) records: Records,
    pub(super) hash: [u8; 32],
    pub(super) node: NodeKey,
}

impl Handshake {
    pub(super) fn new(role: Role, keys: &FeedKeys, node: &NodeSecret, seed: [u8; 32]) -> Self {
        let params = NOISE_PROTOCOL.parse().expect("the protocol's name is valid");
        let builder = Builder::with_resolver(params, Box::new(Resolver { seed: Zeroizing::new(seed) }))
            .prologue(PROLOGUE)
            .and_then(|builder| builder.psk(0, &keys.psk))
            .and_then(|builder| builder.local_private_key(&*node.0))
            .expect("each parameter is set once");
        let state = match role {
            Role::Initiator => builder.build_initiator(),
            Role::Responder => builder.build_responder(),
        };
        Self { state: Box::new(state.expect("every parameter that the pattern needs is set")) }
    }

    /// The next message, which is ours to send.
    pub(super) fn write(&mut self) -> Vec<u8> {
        let mut message = vec![0; MESSAGE_BYTES[1]];
        let length =
            self.state.write_message(&[], &mut message).expect("it is our turn and the buffer is large enough");
        message.truncate(length);
        message
    }

    /// Takes the other side's message.
    pub(super) fn read(&mut self, message: &[u8]) -> Result<(), Violation> {
        match self.state.read_message(message, &mut [0; 16]) {
            Ok(0) => Ok(()),
            Ok(_) | Err(_) => Err(Violation::Handshake),
        }
    }

    /// Whether all three messages are through.
    pub(super) fn is_finished(&self) -> bool {
        self.state.is_handshake_finished()
    }

    pub(super) fn finish(mut self) -> Session {
        let hash = self.state.get_handshake_hash().try_into().expect("BLAKE2s has 32 bytes");
        let remote = self.state.get_remote_static().expect("XX exchanges static keys");
        let node = NodeKey::from_slice(remote).expect("an X25519 key has 32 bytes");
        let (mut first, mut second) = self.state.dangerously_get_raw_split();
        // The first key is for what the initiator sends.
        let records =
            if self.state.is_initiator() { Records::new(&first, &second) } else { Records::new(&second, &first) };
        first.zeroize();
        second.zeroize();
        Session { records, hash, node }
    }
}

/// Ciphers from ring, the rest from snow, and randomness from the seed that was passed in.
struct Resolver {
    seed: Zeroizing<[u8; 32]>,
}

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(SeededRandom(Entropy::from_seed(*self.seed))))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        DefaultResolver.resolve_dh(choice)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        RingResolver.resolve_cipher(choice)
    }
}

struct SeededRandom(Entropy);

impl Random for SeededRandom {
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), snow::Error> {
        use rand_core::Rng;
        self.0.fill_bytes(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::IdentityKey;

    fn keys(seed: u8) -> FeedKeys {
        FeedKeys::new(&IdentityKey::from_seed(&[seed; 32]).feed_id())
    }

    fn secret(byte: u8) -> NodeSecret {
        NodeSecret::from_bytes([byte; 32])
    }

    #[test]
    fn both_sides_learn_the_others_node_key_and_agree_on_a_hash() {
        let mut initiator = Handshake::new(Role::Initiator, &keys(1), &secret(2), [3; 32]);
        let mut responder = Handshake::new(Role::Responder, &keys(1), &secret(4), [5; 32]);
        for (turn, length) in MESSAGE_BYTES.into_iter().enumerate() {
            let (from, to) =
                if turn == 1 { (&mut responder, &mut initiator) } else { (&mut initiator, &mut responder) };
            let message = from.write();
            assert_eq!(message.len(), length);
            assert_eq!(to.read(&message), Ok(()));
        }
        assert!(initiator.is_finished() && responder.is_finished());
        let (initiator, responder) = (initiator.finish(), responder.finish());
        assert_eq!(initiator.hash, responder.hash);
        assert_eq!(initiator.node, secret(4).key());
        assert_eq!(responder.node, secret(2).key());
    }

    #[test]
    fn who_knows_another_feed_is_refused_at_the_first_message() {
        let mut initiator = Handshake::new(Role::Initiator, &keys(1), &secret(2), [3; 32]);
        let mut responder = Handshake::new(Role::Responder, &keys(6), &secret(4), [5; 32]);
        assert_eq!(responder.read(&initiator.write()), Err(Violation::Handshake));
    }

    #[test]
    fn the_seed_alone_decides_on_the_ephemeral_key() {
        let first = |seed| Handshake::new(Role::Initiator, &keys(1), &secret(2), [seed; 32]).write();
        assert_eq!(first(3), first(3));
        assert_ne!(first(3), first(4));
    }
}
