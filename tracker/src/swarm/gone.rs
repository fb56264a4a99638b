//! Memory that the sweep takes out of a shard.

use super::many::Many;
use super::peers::Peers;
use super::record::Peer;
use super::rows::Outgrown;
use super::table::Swarm;

/// What has been forgotten, as it lay in memory, to be [let go](Self::let_go) while no shard is locked. Whoever gives a piece
/// back to the allocator may have to put in order all the pieces that were given back before, or to give pages to the
/// system: milliseconds, however small the piece.
#[derive(Debug)]
pub struct Gone {
    pub(super) v4: GoneOf<6, 2>,
    pub(super) v6: GoneOf<18, 1>,
}

/// Of one table.
#[derive(Debug)]
pub(super) struct GoneOf<const N: usize, const INLINE: usize> {
    pub(super) peers: GonePeers<N>,
    pub(super) table: Outgrown<Swarm<N, INLINE>>,
}

/// Of swarms. The lists have room for what one step can take out, so that they need not grow under a lock either.
#[derive(Debug)]
pub(super) struct GonePeers<const N: usize> {
    pub(super) runs: Vec<Vec<Peer<N>>>,
    pub(super) buckets: Vec<Vec<Vec<Peer<N>>>>,
    #[expect(clippy::vec_box, reason = "to unbox one is to give its box back")]
    pub(super) large: Vec<Box<Many<N>>>,
}

/// One step of the sweep takes out fewer runs of peers, and so fewer of everything else.
const RUNS_MAX: usize = 1024;

impl Gone {
    /// Nothing.
    #[expect(clippy::new_without_default, reason = "takes memory")]
    pub fn new() -> Self {
        Self { v4: GoneOf::new(), v6: GoneOf::new() }
    }

    /// Gives all of it back to the allocator.
    pub fn let_go(&mut self) {
        self.v4.let_go();
        self.v6.let_go();
    }
}

impl<const N: usize, const INLINE: usize> GoneOf<N, INLINE> {
    fn new() -> Self {
        Self { peers: GonePeers::new(), table: Outgrown::new() }
    }

    fn let_go(&mut self) {
        let GonePeers { runs, buckets, large } = &mut self.peers;
        runs.clear();
        buckets.clear();
        large.clear();
        self.table.let_go();
    }
}

impl<const N: usize> GonePeers<N> {
    /// Nothing.
    pub(super) fn new() -> Self {
        Self {
            runs: Vec::with_capacity(RUNS_MAX),
            buckets: Vec::with_capacity(RUNS_MAX),
            large: Vec::with_capacity(RUNS_MAX),
        }
    }

    /// Takes what a swarm has outside of its row.
    pub(super) fn take<const INLINE: usize>(&mut self, peers: Peers<N, INLINE>) {
        match peers {
            Peers::Inline { .. } => {}
            Peers::Few(peers) => self.runs.push(peers.into_vec()),
            Peers::Many(many) => self.large.push(many),
        }
    }
}
