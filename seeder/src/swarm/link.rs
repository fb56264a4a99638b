//! A connection as the engine commands it.

use std::collections::{HashMap, VecDeque};

use peerfeed_protocol::peer::message::RejectCode;
use peerfeed_protocol::peer::{CallError, ChannelId, Connection, Event, Moment, RequestId};

use super::Ticket;
use super::command::Command;

/// Joins the engine to the protocol's pure connection: carries out its commands, and gives its tickets back with the
/// events that answer them.
///
/// What can no longer be carried out, because the peer has closed a channel or takes no more requests, comes back as an
/// event, so that the engine's books stay right.
pub struct Link {
    connection: Connection,
    open: HashMap<RequestId, Ticket>,
    requests: HashMap<Ticket, (ChannelId, RequestId)>,
    refused: VecDeque<(Event, Option<Ticket>)>,
}

impl Link {
    /// A link over a connection.
    pub fn new(connection: Connection) -> Self {
        Self { connection, open: HashMap::new(), requests: HashMap::new(), refused: VecDeque::new() }
    }

    /// The connection: for bytes and timeouts. Its events are to be taken from the link.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Bytes that wait to be sent.
    pub fn buffered_bytes(&self) -> usize {
        self.connection.buffered_bytes()
    }

    /// Carries out a command.
    pub fn apply(&mut self, now: Moment, command: Command) {
        let connection = &mut self.connection;
        let done = match command {
            Command::Open(feed, interest) => {
                return match connection.open(feed, interest) {
                    Ok(_) => {}
                    Err(_) => self
                        .refused
                        .push_back((Event::Refused { channel: ChannelId(0), feed, code: RejectCode::OverLimit }, None)),
                };
            }
            Command::Accept(channel, feed, interest) => {
                if connection.accept(channel, &feed, interest).is_err() {
                    let code = RejectCode::UnknownFeed;
                    self.refused.push_back((Event::ChannelClosed { channel, code }, None));
                }
                return;
            }
            Command::RequestEntries { ticket, channel, wanted, root } => {
                let request = connection.request_entries(now, channel, wanted, root);
                return self.note(ticket, channel, request);
            }
            Command::RequestChunks { ticket, channel, wanted } => {
                let request = connection.request_chunks(now, channel, wanted);
                return self.note(ticket, channel, request);
            }
            Command::Cancel(ticket) => match self.requests.get(&ticket) {
                Some((channel, request)) => connection.cancel(*channel, *request),
                None => Ok(()),
            },
            Command::Refuse(channel, code) => connection.refuse(channel, code),
            Command::CloseChannel(channel, code) => {
                self.open.retain(|_, ticket| self.requests.get(ticket).is_none_or(|(of, _)| *of != channel));
                self.requests.retain(|_, (of, _)| *of != channel);
                connection.close_channel(channel, code)
            }
            Command::Reject(channel, request, code) => connection.reject(channel, request, code),
            Command::AskBlobs(channel, roots) => connection.ask_blobs(channel, roots),
            Command::Stored(channel, stored, push) => connection.send_stored(channel, stored, push),
            Command::State(channel, state) => connection.send_state(channel, state),
            Command::Newest(channel, log, size, answer) => connection.send_newest(channel, log, size, answer),
            Command::Peers(channel, peers) => connection.send_peers(channel, peers),
            Command::PushHead(channel, news, entry) => connection.push_head(channel, news, entry),
            Command::AnswerEntries(channel, request, answer) => {
                let done = connection.answer_entries(channel, request, answer);
                reject_unless(done, connection, channel, request)
            }
            Command::AnswerChunks(channel, request, proof, chunks) => {
                let done = connection.answer_chunks(channel, request, proof, chunks);
                reject_unless(done, connection, channel, request)
            }
            Command::ConfirmKept(channel, request) => connection.confirm_kept(channel, request),
            Command::AnswerMail(channel, request, answer) => {
                let done = connection.answer_mail(channel, request, answer);
                reject_unless(done, connection, channel, request)
            }
            Command::MailCame(channel) => connection.tell_mail_came(channel),
            Command::TellBlobs(channel, blobs) => connection.tell_blobs(channel, blobs),
            Command::Close(code) => {
                connection.close(code);
                Ok(())
            }
        };
        // A channel that the peer has closed meanwhile needs no further word: its end is an event of its own.
        if let Err(CallError::OverLimit) = done {
            tracing::error!("a message of ours breaks a limit of the protocol");
        }
    }

    /// Whether there is an event.
    pub fn has_event(&self) -> bool {
        !self.refused.is_empty() || self.connection.has_event()
    }

    /// The next event, with the ticket of the request that it is about.
    pub fn poll_event(&mut self) -> Option<(Event, Option<Ticket>)> {
        if let Some(refused) = self.refused.pop_front() {
            return Some(refused);
        }
        let event = self.connection.poll_event()?;
        let ticket = match &event {
            Event::Entries { request: Some(request), last, .. } => self.ticket(*request, *last),
            Event::Chunks { request, .. } | Event::Rejected { request, .. } => self.ticket(*request, true),
            Event::ChunksBegun { request } | Event::TimedOut { request, .. } => self.ticket(*request, false),
            _ => None,
        };
        Some((event, ticket))
    }

    fn ticket(&mut self, request: RequestId, ended: bool) -> Option<Ticket> {
        if !ended {
            return self.open.get(&request).copied();
        }
        let ticket = self.open.remove(&request)?;
        self.requests.remove(&ticket);
        Some(ticket)
    }

    fn note(&mut self, ticket: Ticket, channel: ChannelId, request: Result<RequestId, CallError>) {
        if let Ok(request) = request {
            self.open.insert(request, ticket);
            self.requests.insert(ticket, (channel, request));
        } else {
            let event = Event::Rejected { channel, request: RequestId(0), code: RejectCode::Busy };
            self.refused.push_back((event, Some(ticket)));
        }
    }
}

/// An answer that cannot be sent is a rejection: every request is answered.
fn reject_unless(
    done: Result<(), CallError>,
    connection: &mut Connection,
    channel: ChannelId,
    request: RequestId,
) -> Result<(), CallError> {
    match done {
        Err(CallError::OverLimit) => connection.reject(channel, request, RejectCode::OverLimit),
        other => other,
    }
}
