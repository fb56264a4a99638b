//! What a server does by the clock.

use std::sync::Arc;

use tokio::time;

use super::stopwatch::{Stopwatch, Taken};
use crate::host::Host;
use crate::limit::{COMPLAINT_PERIOD, LOOK_LATE, LOOK_PERIOD, REPORT_PERIOD, SWEEP_PERIOD};
use crate::metrics::Complaints;
use crate::swarm::{Gone, SwarmMap};
use crate::tracker::Tracker;

/// Does all of it; never ends.
pub(super) async fn go(tracker: &Arc<Tracker>) {
    tokio::select! {
        () = sweep(tracker) => {}
        () = report(tracker) => {}
        () = look(tracker) => {}
        () = complain(tracker) => {}
    }
}

/// Forgets expired peers, shard by shard, once per [`SWEEP_PERIOD`].
async fn sweep(tracker: &Tracker) {
    let shards = u32::try_from(SwarmMap::SHARDS).expect("about a thousand");
    let mut ticks = time::interval(SWEEP_PERIOD / shards);
    ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    let mut gone = Gone::new();
    for step in 0.. {
        ticks.tick().await;
        let mut pass = tracker.swarms.pass(step);
        while !pass.is_over() {
            let now = tracker.moment().up;
            let mut held = Stopwatch::default();
            tracker.swarms.sweep(&mut pass, now, &mut gone, || held.mark());
            if let Some(Taken { time, running }) = held.taken {
                tracker.sweep_longest.note(time);
                tracker.sweep_longest_running.note(running);
            }
            gone.let_go();
            // Whoever waits for the shard, for this processor or for this thread, comes first: a thread that gives its turn away
            // here is less often made to while it holds the lock.
            std::thread::yield_now();
            tokio::task::yield_now().await;
        }
    }
}

/// Logs counts, once per [`REPORT_PERIOD`].
async fn report(tracker: &Tracker) {
    let mut ticks = time::interval(REPORT_PERIOD);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        log_counts(tracker);
    }
}

/// Lets the tracker adapt to its load and its memory, once per [`LOOK_PERIOD`].
async fn look(tracker: &Tracker) {
    let host = Host::new();
    let mut ticks = time::interval(LOOK_PERIOD);
    ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    loop {
        let due = ticks.tick().await;
        tracker.look(due.elapsed() > LOOK_LATE, host.resident_bytes());
    }
}

/// Logs refusals, one line per cause and [`COMPLAINT_PERIOD`].
async fn complain(tracker: &Tracker) {
    let mut complaints = Complaints::new();
    let mut ticks = time::interval(COMPLAINT_PERIOD);
    loop {
        ticks.tick().await;
        for (cause, count) in complaints.news(&tracker.metrics) {
            tracing::info!(cause = cause.name(), count, "{}", cause.meaning());
        }
    }
}

/// Logs what is held and what has happened, and nothing that names a peer or a swarm.
pub(super) fn log_counts(tracker: &Tracker) {
    let totals = tracker.swarms.totals();
    tracing::info!(
        up_s = tracker.moment().up.as_secs(),
        swarms_v4 = totals.swarms_v4,
        swarms_v6 = totals.swarms_v6,
        peers_v4 = totals.peers_v4,
        peers_v6 = totals.peers_v6,
        memory_bytes = totals.bytes,
        "{}",
        tracker.metrics
    );
}
