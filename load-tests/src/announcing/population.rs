//! Who announces what: peers in swarms whose sizes are those of the field.

use std::net::Ipv4Addr;

use peerfeed_protocol::announce::InfoHash;

/// Peers in swarms, numbered swarm by swarm. All of it follows from the sizes.
#[derive(Debug)]
pub struct Population {
    swarm_of: Vec<u32>,
    swarms: u32,
    largest: u32,
    of_at_most_two: u32,
}

/// How large swarms are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// Sizes fall with the rank's power; the exponent is chosen so that there are about so many peers.
    Zipf {
        /// Swarms.
        swarms: u32,
        /// Peers in all of them.
        peers: u32,
        /// Peers of the largest.
        largest: u32,
    },
    /// All alike.
    Even {
        /// Swarms.
        swarms: u32,
        /// Peers of each.
        each: u32,
    },
}

/// Addresses from which peers announce, from 127.1.0.0 on: so many that nobody has more than eight in one swarm, which is
/// what our tracker keeps of one address.
pub const HOSTS: u32 = 1 << 14;

impl Population {
    /// The population of this shape.
    pub fn new(shape: Shape) -> Self {
        let sizes = shape.sizes();
        let mut swarm_of = Vec::with_capacity(sizes.iter().map(|&size| size as usize).sum());
        for (swarm, &size) in (0..).zip(&sizes) {
            swarm_of.extend(std::iter::repeat_n(swarm, size as usize));
        }
        Self {
            swarm_of,
            swarms: count(sizes.len()),
            largest: sizes.iter().copied().max().unwrap_or(0),
            of_at_most_two: count(sizes.iter().filter(|&&size| size <= 2).count()),
        }
    }

    /// Peers.
    pub fn peers(&self) -> u32 {
        count(self.swarm_of.len())
    }

    /// Swarms.
    pub fn swarms(&self) -> u32 {
        self.swarms
    }

    /// In a sentence for a page of results.
    pub fn described(&self) -> String {
        let small = f64::from(self.of_at_most_two) / f64::from(self.swarms.max(1)) * 100.0;
        format!(
            "{} peers in {} swarms, {small:.0}% of them of at most 2 peers, the largest of {}",
            self.peers(),
            self.swarms,
            self.largest
        )
    }

    /// The swarm of a peer.
    pub fn info_hash(&self, peer: u32) -> InfoHash {
        info_hash(self.swarm_of[peer as usize])
    }

    /// The peers at one address, each in another swarm.
    pub fn peers_at(&self, host: u32) -> impl Iterator<Item = u32> + use<> {
        (host..self.peers()).step_by(HOSTS as usize)
    }

    /// Every swarm's hash in hexadecimal digits, as a whitelist has them.
    pub fn hashes_hex(&self) -> Vec<String> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let hex = |byte: u8| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]].map(char::from);
        (0..self.swarms).map(|swarm| info_hash(swarm).0.into_iter().flat_map(hex).collect()).collect()
    }
}

/// The address that a peer announces from. Neighbours in a swarm have different ones.
pub fn host_of(peer: u32) -> u32 {
    peer % HOSTS
}

/// The address of a host.
pub fn address_of(host: u32) -> Ipv4Addr {
    let [.., high, low] = (host % HOSTS).to_be_bytes();
    Ipv4Addr::new(127, 1, high, low)
}

/// The port that a peer names: no two at one address have the same.
pub fn port_of(peer: u32) -> u16 {
    let [.., high, low] = (1024 + peer / HOSTS).to_be_bytes();
    u16::from_be_bytes([high, low])
}

/// One in four has everything.
pub fn is_seed(peer: u32) -> bool {
    scramble(u64::from(peer)).is_multiple_of(4)
}

/// The name of a peer.
pub fn peer_id_of(peer: u32) -> [u8; 20] {
    let mut id = *b"-qB5020-............";
    id[12..].copy_from_slice(&scramble(u64::from(peer)).to_be_bytes());
    id
}

fn info_hash(swarm: u32) -> InfoHash {
    let mut hash = [0; 20];
    let words = [1, 2, 3].map(|part| scramble(u64::from(swarm) << 2 | part).to_be_bytes());
    hash.copy_from_slice(&words.as_flattened()[..20]);
    InfoHash(hash)
}

/// The finish of `SplitMix64`: every bit of the result depends on every bit of `value`.
fn scramble(value: u64) -> u64 {
    let mut z = value.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Shape {
    fn sizes(self) -> Vec<u32> {
        match self {
            Self::Even { swarms, each } => vec![each; swarms as usize],
            Self::Zipf { swarms, peers, largest } => {
                let size = |rank: u32, exponent: f64| {
                    let size = f64::from(largest) / f64::from(rank).powf(exponent);
                    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to largest")]
                    let size = size.round().max(1.0) as u32;
                    size
                };
                let sum = |exponent| (1..=swarms).map(|rank| u64::from(size(rank, exponent))).sum::<u64>();
                let (mut low, mut high) = (0.0, 8.0);
                for _ in 0..24 {
                    let middle = f64::midpoint(low, high);
                    if sum(middle) > u64::from(peers) {
                        low = middle;
                    } else {
                        high = middle;
                    }
                }
                (1..=swarms).map(|rank| size(rank, high)).collect()
            }
        }
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).expect("millions of peers, not billions")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn zipf_swarms_are_mostly_tiny_and_one_is_large() {
        let population = Population::new(Shape::Zipf { swarms: 30_000, peers: 110_000, largest: 10_000 });
        assert!((109_000..=110_000).contains(&population.peers()), "{}", population.described());
        assert_eq!((population.swarms(), population.largest), (30_000, 10_000));
        assert!(population.of_at_most_two > 25_000, "{}", population.described());
    }

    #[test]
    fn no_two_peers_share_address_and_port_and_a_swarm_is_spread_over_addresses() {
        let population = Population::new(Shape::Even { swarms: 2, each: 100_000 });
        let places: HashSet<_> = (0..population.peers()).map(|peer| (host_of(peer), port_of(peer))).collect();
        assert_eq!(places.len(), 200_000);
        let at_one: Vec<_> = population.peers_at(7).collect();
        assert_eq!(at_one[..4], [7, 16_391, 32_775, 49_159]);
        assert!(at_one.iter().all(|&peer| host_of(peer) == 7));
        let hashes: HashSet<_> = population.hashes_hex().into_iter().collect();
        assert_eq!(hashes.len(), 2);
        assert!(hashes.iter().all(|hash| hash.len() == 40));
    }
}
