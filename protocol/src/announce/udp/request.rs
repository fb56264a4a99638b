//! What a client sends to a UDP tracker.
//!
//! ```text
//! connect   u64 protocol id | u32 0 | u32 transaction                                                  16 bytes
//! announce  u64 connection  | u32 1 | u32 transaction | 20 info hash | 20 peer id | u64 downloaded |
//!           u64 left | u64 uploaded | u32 event | u32 ip (ignored) | u32 key | i32 num_want | u16 port  98 bytes, then options
//! scrape    u64 connection  | u32 2 | u32 transaction | 20 info hash …                        16 + 20n bytes
//! ```
//!
//! All numbers are big endian (spec: ANN-26).

use super::{ANNOUNCE, CONNECT, PROTOCOL_ID, SCRAPE, TransactionId};
use crate::announce::connection_id::ConnectionId;
use crate::announce::limits::{UDP_SCRAPE_HASHES_MAX, URL_DATA_BYTES_MAX};
use crate::announce::{AnnounceRequest, Event, InfoHash, PeerId};

/// One datagram of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Asks for a connection id.
    Connect {
        /// To be repeated in the reply.
        transaction_id: TransactionId,
    },
    /// Joins, refreshes or leaves a swarm.
    Announce(Announce<'a>),
    /// Asks for counts.
    Scrape(Scrape<'a>),
}

/// An announce datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announce<'a> {
    /// Not yet verified.
    pub connection_id: ConnectionId,
    /// To be repeated in the reply.
    pub transaction_id: TransactionId,
    /// What is announced.
    pub request: AnnounceRequest,
    /// Everything behind byte 98, unread (BEP 41).
    pub options: &'a [u8],
}

/// A scrape datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scrape<'a> {
    /// Not yet verified.
    pub connection_id: ConnectionId,
    /// To be repeated in the reply.
    pub transaction_id: TransactionId,
    /// The swarms, in order, duplicates kept.
    pub info_hashes: &'a [[u8; 20]],
}

/// A datagram that is no request. The type says whether a reply may be sent (spec: ANN-24).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Too short or too strange to be a client's: no reply.
    #[error("not a tracker request")]
    Silent,
    /// A reply may be sent once the connection id is verified.
    #[error("a tracker request with a fault")]
    Answerable {
        /// To be verified first.
        connection_id: ConnectionId,
        /// To be repeated in the reply.
        transaction_id: TransactionId,
        /// What is wrong.
        #[source]
        problem: RequestProblem,
    },
}

/// What is wrong with a request whose sender may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestProblem {
    /// No such action.
    #[error("unknown action")]
    UnknownAction,
    /// An announce of fewer than 98 bytes.
    #[error("announce too short")]
    ShortAnnounce,
    /// A scrape without a hash, or with part of one.
    #[error("scrape needs whole info hashes")]
    PartialHash,
    /// More hashes than [`UDP_SCRAPE_HASHES_MAX`].
    #[error("too many info hashes")]
    TooManyHashes,
}

impl<'a> Request<'a> {
    /// Reads one datagram.
    pub fn decode(datagram: &'a [u8]) -> Result<Self, RequestError> {
        let (head, body) = datagram.split_first_chunk::<16>().ok_or(RequestError::Silent)?;
        let mut fields = Fields(head);
        let (first, action, transaction_id) = (fields.u64(), fields.u32(), fields.u32());
        if action == CONNECT {
            // Longer ones are tolerated: BEP 15 asks to expect no exact sizes.
            return if first == PROTOCOL_ID { Ok(Self::Connect { transaction_id }) } else { Err(RequestError::Silent) };
        }
        let connection_id = ConnectionId(first);
        let fault = |problem| RequestError::Answerable { connection_id, transaction_id, problem };
        match action {
            ANNOUNCE => {
                let (fixed, options) = body.split_first_chunk::<82>().ok_or(fault(RequestProblem::ShortAnnounce))?;
                let request = decode_announce(fixed);
                Ok(Self::Announce(Announce { connection_id, transaction_id, request, options }))
            }
            SCRAPE => {
                let (info_hashes, rest) = body.as_chunks::<20>();
                if info_hashes.is_empty() || !rest.is_empty() {
                    return Err(fault(RequestProblem::PartialHash));
                }
                if info_hashes.len() > UDP_SCRAPE_HASHES_MAX {
                    return Err(fault(RequestProblem::TooManyHashes));
                }
                Ok(Self::Scrape(Scrape { connection_id, transaction_id, info_hashes }))
            }
            _ => Err(fault(RequestProblem::UnknownAction)),
        }
    }

    /// Writes the datagram.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(98);
        let mut head = |first: u64, action: u32, transaction_id: u32| {
            out.extend_from_slice(&first.to_be_bytes());
            out.extend_from_slice(&action.to_be_bytes());
            out.extend_from_slice(&transaction_id.to_be_bytes());
        };
        match self {
            Self::Connect { transaction_id } => head(PROTOCOL_ID, CONNECT, *transaction_id),
            Self::Announce(announce) => {
                head(announce.connection_id.0, ANNOUNCE, announce.transaction_id);
                encode_announce(&announce.request, &mut out);
                out.extend_from_slice(announce.options);
            }
            Self::Scrape(scrape) => {
                head(scrape.connection_id.0, SCRAPE, scrape.transaction_id);
                out.extend_from_slice(scrape.info_hashes.as_flattened());
            }
        }
        out
    }
}

impl Announce<'_> {
    /// The path and query of the tracker URL that the client used (BEP 41), cut at [`URL_DATA_BYTES_MAX`].
    ///
    /// Unknown options are skipped; a broken one ends the list (spec: ANN-27).
    pub fn url_data(&self) -> Vec<u8> {
        let mut url = Vec::new();
        let mut rest = self.options;
        while let Some((&option, after)) = rest.split_first() {
            rest = match option {
                END_OF_OPTIONS => break,
                NOP => after,
                _ => {
                    let Some((&length, after)) = after.split_first() else {
                        break;
                    };
                    let Some((data, after)) = after.split_at_checked(usize::from(length)) else {
                        break;
                    };
                    if option == URL_DATA {
                        let room = URL_DATA_BYTES_MAX - url.len();
                        url.extend_from_slice(&data[..data.len().min(room)]);
                    }
                    after
                }
            };
        }
        url
    }
}

/// The option that carries `path_and_query` (BEP 41), cut at [`URL_DATA_BYTES_MAX`]; nothing for a bare `/announce`.
pub(super) fn url_data_option(path_and_query: &str) -> Vec<u8> {
    let data = path_and_query.as_bytes();
    let data = &data[..data.len().min(URL_DATA_BYTES_MAX)];
    let Ok(length) = u8::try_from(data.len()) else {
        return Vec::new();
    };
    if data.is_empty() || data == b"/announce" {
        return Vec::new();
    }
    [&[URL_DATA, length], data].concat()
}

const END_OF_OPTIONS: u8 = 0;
const NOP: u8 = 1;
const URL_DATA: u8 = 2;

fn decode_announce(fixed: &[u8; 82]) -> AnnounceRequest {
    let mut fields = Fields(fixed);
    let info_hash = InfoHash(fields.array());
    let peer_id = PeerId(fields.array());
    let (downloaded, left, uploaded) = (fields.u64(), fields.u64(), fields.u64());
    let event = match fields.u32() {
        1 => Event::Completed,
        2 => Event::Started,
        3 => Event::Stopped,
        4 => Event::Paused,
        _ => Event::None,
    };
    // The address field: whoever fills it in names somebody else (spec: ANN-8).
    let _ip = fields.u32();
    let key = fields.u32();
    let numwant = fields.u32().cast_signed();
    let port = fields.u16();
    AnnounceRequest {
        info_hash,
        peer_id,
        port,
        uploaded,
        downloaded,
        left,
        event,
        numwant: u32::try_from(numwant).ok(),
        key: Some(key),
    }
}

fn encode_announce(request: &AnnounceRequest, out: &mut Vec<u8>) {
    let event: u32 = match request.event {
        Event::None => 0,
        Event::Completed => 1,
        Event::Started => 2,
        Event::Stopped => 3,
        Event::Paused => 4,
    };
    let numwant = request.numwant.map_or(-1, |n| i32::try_from(n).unwrap_or(i32::MAX));
    out.extend_from_slice(&request.info_hash.0);
    out.extend_from_slice(&request.peer_id.0);
    out.extend_from_slice(&request.downloaded.to_be_bytes());
    out.extend_from_slice(&request.left.to_be_bytes());
    out.extend_from_slice(&request.uploaded.to_be_bytes());
    out.extend_from_slice(&event.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&request.key.unwrap_or(0).to_be_bytes());
    out.extend_from_slice(&numwant.to_be_bytes());
    out.extend_from_slice(&request.port.to_be_bytes());
}

/// Takes fields off the front of an array that holds them all.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn array<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self.0.split_first_chunk().expect("the fields add up to the array's length");
        self.0 = rest;
        *field
    }

    fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.array())
    }

    fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.array())
    }

    fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.array())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announce(options: &[u8]) -> Announce<'_> {
        Announce {
            connection_id: ConnectionId(0x0102_0304_0506_0708),
            transaction_id: 0x0a0b_0c0d,
            request: AnnounceRequest {
                uploaded: 1,
                downloaded: 2,
                left: 3,
                event: Event::Started,
                numwant: None,
                key: Some(9),
                ..AnnounceRequest::new(InfoHash([0x11; 20]), PeerId([0x22; 20]), 6881)
            },
            options,
        }
    }

    #[test]
    fn an_announce_comes_back_as_it_went_in() {
        let announce = announce(b"");
        let bytes = Request::Announce(announce.clone()).encode();
        assert_eq!(bytes.len(), 98);
        assert_eq!(&bytes[92..96], [0xff; 4], "num_want -1 leaves the number to the tracker");
        assert_eq!(Request::decode(&bytes), Ok(Request::Announce(announce)));
    }

    #[test]
    fn an_unknown_event_counts_as_a_regular_announce() {
        let mut bytes = Request::Announce(announce(b"")).encode();
        bytes[83] = 77;
        let Ok(Request::Announce(read)) = Request::decode(&bytes) else { panic!("an announce") };
        assert_eq!(read.request.event, Event::None);
    }

    #[test]
    fn the_url_is_read_over_unknown_options() {
        let options = [&[1, 99, 3, 7, 7, 7, 2, 4][..], b"/ann", &[2, 5], b"ounce", &[0, 2, 1, b'x']].concat();
        assert_eq!(announce(&options).url_data(), b"/announce");
    }

    #[test]
    fn a_broken_option_ends_the_list_without_harm() {
        for options in [&[2][..], &[2, 200, 1], &[99], &[99, 5, 1]] {
            assert_eq!(announce(options).url_data(), b"", "{options:?}");
        }
    }

    #[test]
    fn endless_url_data_is_cut() {
        let options = [&[2, 255][..], &[b'a'; 255]].concat().repeat(4);
        assert_eq!(announce(&options).url_data().len(), URL_DATA_BYTES_MAX);
    }

    #[test]
    fn a_connect_without_the_protocol_id_gets_no_answer() {
        let mut bytes = Request::Connect { transaction_id: 5 }.encode();
        assert_eq!(Request::decode(&bytes), Ok(Request::Connect { transaction_id: 5 }));
        bytes[0] ^= 1;
        assert_eq!(Request::decode(&bytes), Err(RequestError::Silent));
    }

    #[test]
    fn what_is_too_short_gets_no_answer() {
        for length in 0..16 {
            assert_eq!(Request::decode(&[0; 16][..length]), Err(RequestError::Silent));
        }
    }

    #[test]
    fn faults_behind_the_head_name_the_transaction() {
        let whole = Request::Announce(announce(b"")).encode();
        let problem_of = |bytes: &[u8]| match Request::decode(bytes) {
            Err(RequestError::Answerable { transaction_id: 0x0a0b_0c0d, problem, .. }) => problem,
            other => panic!("{other:?}"),
        };
        assert_eq!(problem_of(&whole[..97]), RequestProblem::ShortAnnounce);
        let mut unknown = whole.clone();
        unknown[11] = 9;
        assert_eq!(problem_of(&unknown), RequestProblem::UnknownAction);
        let mut scrape = whole[..16].to_vec();
        scrape[11] = 2;
        assert_eq!(problem_of(&scrape), RequestProblem::PartialHash);
        scrape.extend_from_slice(&[1; 30]);
        assert_eq!(problem_of(&scrape), RequestProblem::PartialHash);
        scrape.extend_from_slice(&[1; 10 + 73 * 20]);
        assert_eq!(problem_of(&scrape), RequestProblem::TooManyHashes);
    }

    #[test]
    fn a_scrape_keeps_order_and_duplicates() {
        let info_hashes = [[1; 20], [2; 20], [1; 20]];
        let scrape =
            Request::Scrape(Scrape { connection_id: ConnectionId(1), transaction_id: 2, info_hashes: &info_hashes });
        assert_eq!(Request::decode(&scrape.encode()), Ok(scrape.clone()));
    }
}
