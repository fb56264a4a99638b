//! An engine alone: no store, no connection and no clock but what a test makes up.

use peerfeed::swarm::{Engine, Options};
use peerfeed_protocol::crypto::WitnessSecret;
use peerfeed_protocol::peer::NodeSecret;

/// An engine that stays connected for its feeds and announces nothing.
pub(super) fn engine(seed: u8) -> Engine {
    let options = Options {
        serve: true,
        announce: false,
        connections_max: 1_000,
        up: None,
        trackers: Vec::new(),
        node: NodeSecret::from_bytes([1; 32]).key(),
        witness: WitnessSecret::from_seed(&[1; 32]).key(),
    };
    Engine::new(options, [seed; 32])
}
