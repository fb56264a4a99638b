//! Who of some peers may be given to an asker.

use super::record::{Peer, SEED, TAIL_BITS, Tick};

/// For whom peers are drawn.
pub(super) struct Draw<const N: usize> {
    /// Never given; zeros, which are nobody's address, when the asker is of the other family.
    pub(super) asker: [u8; N],
    /// The hash of its network.
    pub(super) asker_hash: u64,
    /// Seeds are of no use to the asker.
    pub(super) skip_seeds: bool,
    /// Now.
    pub(super) now: Tick,
    /// Older peers are as good as gone.
    pub(super) lifetime_ticks: u16,
}

impl<const N: usize> Draw<N> {
    /// Whether this peer may be given.
    pub(super) fn may_have(&self, peer: &Peer<N>) -> bool {
        let is_unwanted = self.skip_seeds && peer.is_seed();
        !is_unwanted && peer.address != self.asker && !peer.is_expired(self.now, self.lifetime_ticks)
    }

    /// Gives the first of these that may be given, `most` at most; tells how many.
    pub(super) fn give(&self, peers: &[Peer<N>], most: usize, drawn: &mut Vec<[u8; N]>) -> usize {
        let before = drawn.len();
        drawn.extend(peers.iter().filter(|peer| self.may_have(peer)).map(|peer| peer.address).take(most));
        drawn.len() - before
    }

    /// The same, where neither the asker is among these nor a seed unless it may be given: then nearly always all are given.
    pub(super) fn give_others(&self, peers: &[Peer<N>], most: usize, drawn: &mut Vec<[u8; N]>) -> usize {
        let first = &peers[..most.min(peers.len())];
        if !self.are_all_alive(first) {
            return self.give(peers, most, drawn);
        }
        drawn.extend(first.iter().map(|peer| peer.address));
        first.len()
    }

    /// Whether none of them has expired. Most of what an answer takes goes by here: so there is no branch in it, and no
    /// comparison, which vectors of 64-bit numbers lack; a number becomes negative where a peer is too old.
    fn are_all_alive(&self, peers: &[Peer<N>]) -> bool {
        let (now, lifetime) = (u64::from(self.now.number()), u64::from(self.lifetime_ticks));
        let signs = peers.iter().fold(0, |signs, peer| {
            let age = now.wrapping_sub(peer.word() >> TAIL_BITS) & u64::from(!SEED);
            signs | lifetime.wrapping_sub(age)
        });
        signs.cast_signed() >= 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Few addresses, so that some are the asker's, and some differ from it in their first byte only.
    fn peer<const N: usize>(number: u8, ticks: u16) -> Peer<N> {
        let mut address = [1; N];
        (address[0], address[N - 1]) = (number & 1, number >> 1 & 1);
        Peer::new(address, number & 4 != 0, Tick::at(u64::from(ticks) * Tick::SECONDS))
    }

    fn check<const N: usize>(peers: &[(u8, u16)], most: usize, draw: (u8, bool, u16, u16)) {
        let peers: Vec<Peer<N>> = peers.iter().map(|&(number, ticks)| peer(number, ticks)).collect();
        let (asker, skip_seeds, now, lifetime_ticks) = draw;
        let now = Tick::at(u64::from(now) * Tick::SECONDS);
        let asker = peer::<N>(asker, 0).address;
        let draw = Draw { asker, asker_hash: 0, skip_seeds, now, lifetime_ticks };
        let others: Vec<_> =
            peers.iter().copied().filter(|peer| peer.address != asker && !(skip_seeds && peer.is_seed())).collect();
        let (mut drawn, mut drawn_of_others) = (vec![[9; N]], vec![[9; N]]);
        let counts = [draw.give(&peers, most, &mut drawn), draw.give_others(&others, most, &mut drawn_of_others)];
        let fitting = others.iter().filter(|peer| !peer.is_expired(now, lifetime_ticks)).take(most);
        let expected: Vec<_> = std::iter::once([9; N]).chain(fitting.map(|peer| peer.address)).collect();
        assert_eq!((&drawn, &drawn_of_others), (&expected, &expected));
        assert_eq!(counts, [expected.len() - 1; 2]);
    }

    proptest! {
        #[test]
        fn nobody_else_is_given_whatever_they_are_told_by(
            peers in prop::collection::vec((any::<u8>(), any::<u16>()), 0..5),
            most in 0usize..6,
            draw in (any::<u8>(), any::<bool>(), any::<u16>(), 0u16..0x8000),
        ) {
            check::<6>(&peers, most, draw);
            check::<18>(&peers, most, draw);
        }
    }
}
