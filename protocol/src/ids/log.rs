//! A log: the entries of one device and incarnation.

use std::fmt;

use super::bytes::plain_name;
use super::{DeviceId, KeyError};

plain_name! {
    /// A random value that tells a device's logs apart: a restore or a fork opens a new one. spec: ID-5
    Incarnation, 8
}

/// An append-only sequence of entries of one device and incarnation. spec: ID-5
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogId {
    /// The device that signs the log's heads.
    pub device: DeviceId,
    /// Which of the device's logs.
    pub incarnation: Incarnation,
}

impl LogId {
    /// Length in bytes.
    pub const LENGTH: usize = 40;

    /// Device key, then incarnation.
    pub fn to_bytes(self) -> [u8; 40] {
        let mut bytes = [0; 40];
        bytes[..32].copy_from_slice(self.device.as_bytes());
        bytes[32..].copy_from_slice(self.incarnation.as_bytes());
        bytes
    }

    /// The log with this name, if its device key is a proper one.
    pub fn from_bytes(bytes: &[u8; 40]) -> Result<Self, KeyError> {
        let (device, incarnation) = Self::split(bytes);
        Ok(Self { device: DeviceId::from_bytes(device)?, incarnation })
    }

    /// A log whose device key was checked before it was stored by this program; see [`DeviceId::from_stored`].
    pub fn from_stored(bytes: &[u8; 40]) -> Self {
        let (device, incarnation) = Self::split(bytes);
        Self { device: DeviceId::from_stored(device), incarnation }
    }

    fn split(bytes: &[u8; 40]) -> ([u8; 32], Incarnation) {
        let (mut device, mut incarnation) = ([0; 32], [0; 8]);
        device.copy_from_slice(&bytes[..32]);
        incarnation.copy_from_slice(&bytes[32..]);
        (device, Incarnation::new(incarnation))
    }
}

impl From<LogId> for crate::bencode::Value<'_> {
    fn from(log: LogId) -> Self {
        Self::from(log.to_bytes())
    }
}

impl fmt::Display for LogId {
    /// Both parts in hex, joined by a slash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.device, self.incarnation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_named_by_device_then_incarnation() {
        let device = curve25519_dalek::constants::ED25519_BASEPOINT_COMPRESSED.to_bytes();
        let bytes: [u8; 40] = [&device[..], &[7; 8]].concat().try_into().unwrap();
        let log = LogId::from_bytes(&bytes).unwrap();
        assert_eq!(log.to_bytes(), bytes);
        assert_eq!(log, LogId::from_stored(&bytes));
        assert_eq!(log.incarnation, Incarnation::new([7; 8]));
    }

    #[test]
    fn a_log_of_no_proper_device_is_refused() {
        assert_eq!(LogId::from_bytes(&[0; 40]), Err(KeyError::Torsion));
    }
}
