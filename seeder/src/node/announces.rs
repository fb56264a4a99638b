//! Carries out announces.

use peerfeed_protocol::announce::{AnnounceRequest, Event, InfoHash, PeerId};
use peerfeed_protocol::ids::FeedId;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::secrets::Secrets;
use crate::net::tracker::{TrackerClient, TrackerError};
use crate::swarm::limits::{NUMWANT, STOPPED_TIMEOUT};
use crate::swarm::{AnnounceJob, Announced};

/// The port that who listens on nothing names where a tracker refuses 0. It stands in the swarm for the moment of the
/// look-up only.
const NO_PORT: u16 = 1;

/// What is sent to the tracker. The names used there are others for each feed, so that a tracker cannot tell by them
/// which feeds one node serves.
pub(super) fn request(job: &AnnounceJob, secrets: &Secrets, port: Option<u16>) -> AnnounceRequest {
    let (peer_id, key) = secrets.tracker_names(&job.feed);
    AnnounceRequest {
        // A feed grows, so nobody is ever done: trackers name no seeds to seeds, and those who hold all of it must still
        // meet to hear what is new.
        left: 1,
        event: job.event,
        numwant: Some(if job.farewell { 0 } else { NUMWANT }),
        key: Some(key),
        ..AnnounceRequest::new(InfoHash(job.swarm.to_bytes()), PeerId(peer_id), port.unwrap_or(0))
    }
}

/// Asks a tracker and reports what it answered.
pub(super) async fn run(
    client: TrackerClient,
    job: AnnounceJob,
    request: AnnounceRequest,
    announced: mpsc::UnboundedSender<(FeedId, Announced)>,
) {
    let mut answer = client.announce(&job.tracker, &request).await;
    if request.port == 0 && matches!(answer, Err(TrackerError::Refused(_))) {
        let named = AnnounceRequest { port: NO_PORT, ..request };
        answer = client.announce(&job.tracker, &named).await;
        let leave = AnnounceRequest { event: Event::Stopped, numwant: Some(0), ..named };
        tokio::spawn(farewell(client, job.clone(), leave));
    }
    let answer = match answer {
        Ok(reply) => Announced::Peers { interval: reply.interval, peers: reply.peers.iter().collect() },
        Err(error) => Announced::Failed { never_again: error.is_final(), error: one_line(&error) },
    };
    // The engine's task may be gone: nobody waits then.
    let _ = announced.send((job.feed, answer));
}

/// Leaves a tracker, as long as that takes no time. Who named no port is not listed and has nothing to leave.
pub(super) async fn farewell(client: TrackerClient, job: AnnounceJob, request: AnnounceRequest) {
    if request.port == 0 {
        return;
    }
    match timeout(STOPPED_TIMEOUT, client.announce(&job.tracker, &request)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a tracker was not told that we leave"),
        Err(_) => tracing::debug!("a tracker was not told in time that we leave"),
    }
}

/// The error with its causes.
fn one_line(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}
