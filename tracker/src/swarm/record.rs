//! One peer, in as few bytes as will do.

/// A moment in units of [`Tick::SECONDS`] since the map began, modulo 2^15 (eleven days).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tick(u16);

/// A peer: its address and port in wire form (6 or 18 bytes), and two bytes of when it was last seen and whether it is
/// a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Peer<const N: usize> {
    /// Address and port as they travel in a compact reply.
    pub(super) address: [u8; N],
    stamp: [u8; 2],
}

/// In a stamp: who has everything.
pub(super) const SEED: u16 = 1 << 15;

/// Of the word of a peer, the end of its address.
pub(super) const TAIL_BITS: u32 = 48;

/// Bytes of that.
const TAIL_BYTES: usize = 6;

/// How much of an address in wire form tells whose it is: the whole of an IPv4 address, the /64 of an IPv6 one.
const fn site_bytes(wire_bytes: usize) -> usize {
    if wire_bytes == 6 { 4 } else { 8 }
}

/// How much of it tells in which network its site is: the whole of an IPv4 address, the /48 of an IPv6 one.
pub(super) const fn around_bytes(wire_bytes: usize) -> usize {
    if wire_bytes == 6 { 4 } else { 6 }
}

/// What an allocation really takes: the allocator's own 8 bytes, and sizes in steps of 16 from 32 on.
pub(super) fn allocated(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { (bytes + 8).next_multiple_of(16).max(32) }
}

impl Tick {
    /// Ages are counted in steps of this length: fine enough for lifetimes of minutes, coarse enough for two bytes.
    pub(super) const SECONDS: u64 = 30;

    /// The tick that `seconds` after the beginning falls into.
    pub(super) fn at(seconds: u64) -> Self {
        let ticks = (seconds / Self::SECONDS) % u64::from(SEED);
        Self(u16::try_from(ticks).expect("a remainder of 2^15"))
    }

    /// Counted from the beginning, as stamps have it.
    pub(super) fn number(self) -> u16 {
        self.0
    }

    /// Ticks from `earlier` to this one.
    fn since(self, earlier: Self) -> u16 {
        self.0.wrapping_sub(earlier.0) & !SEED
    }
}

impl<const N: usize> Peer<N> {
    /// A peer seen at `now`.
    pub(super) fn new(address: [u8; N], is_seed: bool, now: Tick) -> Self {
        let flag = if is_seed { SEED } else { 0 };
        Self { address, stamp: (now.0 | flag).to_le_bytes() }
    }

    /// Whether it has everything.
    pub(super) fn is_seed(&self) -> bool {
        u16::from_le_bytes(self.stamp) & SEED != 0
    }

    /// Whether it was last seen more than `lifetime_ticks` before `now`.
    pub(super) fn is_expired(&self, now: Tick, lifetime_ticks: u16) -> bool {
        self.age(now) > lifetime_ticks
    }

    /// Ticks since it was last seen.
    pub(super) fn age(&self, now: Tick) -> u16 {
        now.since(Tick(u16::from_le_bytes(self.stamp) & !SEED))
    }

    /// Its last eight bytes: the end of its address, which is all of an IPv4 one, and above that its stamp.
    pub(super) fn word(&self) -> u64 {
        let mut bytes = [0; 8];
        bytes[..TAIL_BYTES].copy_from_slice(&self.address[N - TAIL_BYTES..]);
        bytes[TAIL_BYTES..].copy_from_slice(&self.stamp);
        u64::from_le_bytes(bytes)
    }

    /// Tells the peer with this address from others.
    pub(super) fn with(address: &[u8; N]) -> impl Fn(&Self) -> bool {
        let tail = tail_of(address);
        move |held| (held.word() ^ tail) << (u64::BITS - TAIL_BITS) == 0 && held.address == *address
    }

    /// Whether it is at the same IPv4 address, or in the same IPv6 /64.
    pub(super) fn is_at_site_of(&self, address: &[u8; N]) -> bool {
        self.address[..site_bytes(N)] == address[..site_bytes(N)]
    }

    /// Whether it is at the same IPv4 address, or in the same IPv6 /48.
    pub(super) fn is_around(&self, address: &[u8; N]) -> bool {
        self.address[..around_bytes(N)] == address[..around_bytes(N)]
    }
}

/// The end of an address, as the word of its peer has it.
pub(super) fn tail_of<const N: usize>(address: &[u8; N]) -> u64 {
    let mut bytes = [0; 8];
    bytes[..TAIL_BYTES].copy_from_slice(&address[N - TAIL_BYTES..]);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_takes_eight_or_twenty_bytes() {
        assert_eq!((size_of::<Peer<6>>(), size_of::<Peer<18>>()), (8, 20));
    }

    #[test]
    fn a_peer_is_told_from_one_whose_address_ends_alike() {
        let (mut near, mut far) = ([1; 18], [1; 18]);
        (near[0], far[17]) = (2, 2);
        let is_it = Peer::with(&[1; 18]);
        let told = [[1; 18], near, far].map(|address| is_it(&Peer::new(address, true, Tick::at(90))));
        assert_eq!(told, [true, false, false]);
    }

    #[test]
    fn a_peer_expires_once_its_lifetime_has_passed_also_where_ticks_wrap() {
        for start in [0, 90, (1 << 15) - 2] {
            let peer = Peer::new([0; 6], true, Tick::at(start * Tick::SECONDS));
            let expired = |after: u64| peer.is_expired(Tick::at((start + after) * Tick::SECONDS), 90);
            assert!(peer.is_seed());
            assert!(!expired(0) && !expired(90), "from {start}");
            assert!(expired(91) && expired(1000), "from {start}");
        }
    }
}
