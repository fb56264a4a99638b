//! Connections that go out and come in, up to the point where their drivers take over.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::peer::message::Interest;
use peerfeed_protocol::peer::{Connection, Options};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::engine_task::Shared;
use crate::net::{self, Admission, Driver, Report};
use crate::swarm::{Command, ConnectionId, Ended, Input, Link};

/// Connects, opens the feeds, and drives the connection to its end.
pub(super) async fn dial(driver: Driver, address: String, mut options: Options, opens: Vec<(FeedId, Interest)>) {
    let (id, reports, clock) = (driver.id, driver.reports.clone(), driver.clock);
    let report = |input| reports.send(Report::Input(id, input));
    let (stream, address) = match net::dial(&address).await {
        Ok(connected) => connected,
        Err(error) => {
            // The engine's task may be gone: nobody waits then.
            let _ = report(Input::Ended(Ended::NotConnected(error.to_string()))).await;
            return;
        }
    };
    let (Ok(seed), Some((first, _))) = (fresh_seed(), opens.first()) else { return };
    let _ = report(Input::Connected { address }).await;
    options.observed = Some(address);
    let connection = Connection::initiator(first, options, seed, clock.now(), clock.unix_day());
    let mut link = Box::new(Link::new(connection));
    for (feed, interest) in opens {
        link.apply(clock.now(), Command::Open(feed, interest));
    }
    driver.run(stream, link).await;
}

/// Accepts connections on a listener for ever; `numbers` gives the odd numbers of connections that come in.
pub(super) async fn accept(
    listener: TcpListener,
    shared: Shared,
    admission: Admission,
    reports: mpsc::Sender<Report>,
    numbers: Arc<AtomicU64>,
) {
    net::accept(listener, move |stream, address| {
        let (commands, commanded) = mpsc::unbounded_channel();
        let guest = match admission.enter(shared.clock.now(), address, commands) {
            Ok(guest) => guest,
            Err(refusal) => {
                tracing::debug!(%refusal, "a connection was not let in");
                return;
            }
        };
        let Ok(seed) = fresh_seed() else { return };
        let options = shared.connection_options(Some(address));
        let link = Box::new(Link::new(Connection::responder(options, seed, shared.clock.now())));
        let id = ConnectionId(numbers.fetch_add(2, Ordering::Relaxed));
        let driver = Driver {
            id,
            clock: shared.clock,
            reports: reports.clone(),
            commands: commanded,
            guest: Some(guest),
            rates: shared.rates.clone(),
            asker: None,
        };
        tokio::spawn(driver.run(stream, link));
    })
    .await;
}

fn fresh_seed() -> Result<[u8; 32], getrandom::Error> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).inspect_err(|error| tracing::error!(%error, "the system gives no randomness"))?;
    Ok(seed)
}
