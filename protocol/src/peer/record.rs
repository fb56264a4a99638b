//! Records: the encrypted units in which both lanes travel. spec: PEER-20, PEER-21

use bytes::BytesMut;
use snow::TransportState;

use super::violation::Violation;
use crate::limits::{RECORD_BYTES_MAX, RECORD_OVERHEAD_BYTES, RECORD_PAYLOAD_BYTES_MAX};

/// Bytes of the length in front of a record.
pub(super) const LENGTH_BYTES: usize = 2;

/// The shortest ciphertext: one byte of a lane's stream.
const BYTES_MIN: usize = RECORD_OVERHEAD_BYTES + 1;

/// Seals and opens the records of one connection, each way in order.
pub(super) struct Records {
    transport: TransportState,
}

/// A place to put a record's plaintext together.
pub(super) struct Scratch([u8; RECORD_PAYLOAD_BYTES_MAX + 1]);

impl Scratch {
    pub(super) fn new() -> Self {
        Self([0; RECORD_PAYLOAD_BYTES_MAX + 1])
    }

    /// Room for bytes of a lane's stream.
    pub(super) fn payload(&mut self) -> &mut [u8] {
        &mut self.0[..RECORD_PAYLOAD_BYTES_MAX]
    }
}

/// The length of the ciphertext that these two bytes announce. spec: PEER-20
pub(super) fn announced_length(bytes: [u8; LENGTH_BYTES]) -> Result<usize, Violation> {
    let length = usize::from(u16::from_be_bytes(bytes));
    if (BYTES_MIN..=RECORD_BYTES_MAX).contains(&length) { Ok(length) } else { Err(Violation::RecordLength(length)) }
}

impl Records {
    pub(super) fn new(transport: TransportState) -> Self {
        Self { transport }
    }

    /// Appends to `out` the record that carries the first `length` bytes of the scratch on `lane`. spec: PEER-20
    pub(super) fn seal(&mut self, scratch: &mut Scratch, length: usize, lane: u8, out: &mut Vec<u8>) {
        // The lane stands behind the payload, so that a receiver can decrypt to where the payload belongs.
        scratch.0[length] = lane;
        let ciphertext_length = length + RECORD_OVERHEAD_BYTES;
        let announced = u16::try_from(ciphertext_length).expect("a record is shorter than 64 KiB");
        out.extend_from_slice(&announced.to_be_bytes());
        let start = out.len();
        out.resize(start + ciphertext_length, 0);
        self.transport
            .write_message(&scratch.0[..=length], &mut out[start..])
            .expect("a connection ends long before 2^64 records");
    }

    /// Opens a record, appends its payload to `out` and returns the lane. spec: PEER-21
    pub(super) fn open(&mut self, ciphertext: &[u8], out: &mut BytesMut) -> Result<u8, Violation> {
        let start = out.len();
        out.resize(start + ciphertext.len(), 0);
        let length = self.transport.read_message(ciphertext, &mut out[start..]).map_err(|_| Violation::Record)?;
        let lane = out[start + length - 1];
        out.truncate(start + length - 1);
        Ok(lane)
    }
}
