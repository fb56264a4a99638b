//! A peer that knows the feed and does what it is told, over a real connection.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use peerfeed::swarm::Chance;
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::peer::message::Interest;
use peerfeed_protocol::peer::{ChannelId, Connection, Event, Moment, NodeSecret, Options};

/// How long one read waits for something.
const READ_WAIT: Duration = Duration::from_millis(20);

/// How long a write may wait: who is under attack takes no more from one peer than it wants.
const WRITE_WAIT: Duration = Duration::from_secs(2);

/// A connection of an attacker.
pub(super) struct Puppet {
    stream: TcpStream,
    pub connection: Connection,
    /// The feed's channel, once it is open.
    pub channel: Option<ChannelId>,
    began: Instant,
}

impl Puppet {
    /// Connects and asks for the feed.
    pub(super) fn connect(target: SocketAddr, feed: &FeedId, chance: &mut Chance) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&target, WRITE_WAIT)?;
        stream.set_read_timeout(Some(READ_WAIT))?;
        stream.set_write_timeout(Some(WRITE_WAIT))?;
        stream.set_nodelay(true)?;
        let day = SystemTime::now().duration_since(UNIX_EPOCH).context("before 1970")?.as_secs() / 86_400;
        let options = Options::new(NodeSecret::from_bytes(chance.bytes()));
        let mut connection = Connection::initiator(feed, options, chance.bytes(), Moment::START, day);
        connection.open(*feed, Interest::default()).context("a new connection opens a channel")?;
        Ok(Self { stream, connection, channel: None, began: Instant::now() })
    }

    /// The moment by its own clock.
    pub(super) fn now(&self) -> Moment {
        Moment::START.after(self.began.elapsed())
    }

    /// Sends what is to be sent; listens for a moment if it is to. What it heard, or an error when the connection is over.
    pub(super) fn pump(&mut self, listens: bool) -> Result<Vec<Event>> {
        let mut out = Vec::new();
        while self.connection.poll_transmit(self.now(), &mut out, 64 << 10) > 0 {
            self.stream.write_all(&out)?;
            out.clear();
        }
        if listens {
            let mut input = vec![0; 64 << 10];
            match self.stream.read(&mut input) {
                Ok(0) => bail!("it was closed"),
                Ok(bytes) => self.connection.handle_bytes(self.now(), &input[..bytes])?,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let mut events = Vec::new();
        while let Some(event) = self.connection.poll_event() {
            match &event {
                Event::Opened { channel, .. } => self.channel = Some(*channel),
                Event::Closed(_) | Event::Refused { .. } => bail!("it was closed"),
                _ => {}
            }
            events.push(event);
        }
        Ok(events)
    }

    /// Goes on until the feed is open.
    pub(super) fn open(mut self) -> Result<(Self, ChannelId)> {
        while self.began.elapsed() < Duration::from_secs(10) {
            self.pump(true)?;
            if let Some(channel) = self.channel {
                return Ok((self, channel));
            }
        }
        bail!("the feed was not opened")
    }
}
