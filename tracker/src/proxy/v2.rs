//! The PROXY protocol, version 2: a binary header in front of what a proxy passes on.
//!
//! ```text
//! 0   signature, 12 bytes
//! 12  version 2 in the upper half, command in the lower: 0 LOCAL, 1 PROXY
//! 13  family in the upper half: 1 IPv4, 2 IPv6, 3 Unix; transport in the lower: 1 stream, 2 datagram
//! 14  length of what follows, u16 in network order
//! 16  source and destination address, source and destination port, then TLVs, which are skipped
//! ```
//!
//! Version 1, the text form, is not understood: its end is found only by reading too far.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Bytes before the part whose length they tell.
pub const FIXED_BYTES: usize = 16;

/// Most bytes after the fixed part: addresses and the TLVs that proxies add, a certificate's names among them.
pub const REST_BYTES_MAX: usize = 4096;

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// The checked first 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixed {
    command: Command,
    family: u8,
    /// Bytes that follow, at most [`REST_BYTES_MAX`].
    pub rest_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    Local,
    Proxy,
}

/// Why bytes are no header. The proxy's operator has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The signature lacks: this is a client's own request, or version 1.
    #[error("no PROXY protocol v2 header")]
    Signature,
    /// A version or command of later times.
    #[error("PROXY protocol version and command {0:#04x} are not known")]
    VersionOrCommand(u8),
    /// More follows than any proxy sends.
    #[error("the PROXY protocol header has {0} bytes: too many")]
    TooLong(usize),
    /// Too short for the addresses that it announces.
    #[error("the PROXY protocol header is too short for its addresses")]
    TooShort,
    /// The proxy speaks for something else than a TCP connection.
    #[error("the PROXY protocol header is for a connection of type {0:#04x}, not for TCP")]
    NotTcp(u8),
    /// An address that no client can have.
    #[error("the PROXY protocol header names no usable address")]
    Unusable,
}

impl Fixed {
    /// Checks the first 16 bytes.
    pub fn decode(bytes: &[u8; FIXED_BYTES]) -> Result<Self, HeaderError> {
        if bytes[..12] != SIGNATURE {
            return Err(HeaderError::Signature);
        }
        let command = match bytes[12] {
            0x20 => Command::Local,
            0x21 => Command::Proxy,
            other => return Err(HeaderError::VersionOrCommand(other)),
        };
        let rest_bytes = usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
        if rest_bytes > REST_BYTES_MAX {
            return Err(HeaderError::TooLong(rest_bytes));
        }
        Ok(Self { command, family: bytes[13], rest_bytes })
    }

    /// For whom the connection speaks, from the bytes that follow; `None` for the proxy itself, as in its health checks.
    pub fn source(self, rest: &[u8]) -> Result<Option<SocketAddr>, HeaderError> {
        if self.command == Command::Local {
            return Ok(None);
        }
        let (ip, port) = match self.family {
            0x11 => {
                let [source, _, port, _] = split::<4>(rest)?;
                (IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(source).expect("split by its length"))), port)
            }
            0x21 => {
                let [source, _, port, _] = split::<16>(rest)?;
                (IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(source).expect("split by its length"))), port)
            }
            other => return Err(HeaderError::NotTcp(other)),
        };
        let ip = ip.to_canonical();
        if ip.is_unspecified() || ip.is_multicast() {
            return Err(HeaderError::Unusable);
        }
        Ok(Some(SocketAddr::new(ip, u16::from_be_bytes([port[0], port[1]]))))
    }
}

/// Source and destination address of `N` bytes each, source and destination port.
fn split<const N: usize>(rest: &[u8]) -> Result<[&[u8]; 4], HeaderError> {
    let (source, rest) = rest.split_at_checked(N).ok_or(HeaderError::TooShort)?;
    let (destination, rest) = rest.split_at_checked(N).ok_or(HeaderError::TooShort)?;
    let (source_port, rest) = rest.split_at_checked(2).ok_or(HeaderError::TooShort)?;
    let (destination_port, _) = rest.split_at_checked(2).ok_or(HeaderError::TooShort)?;
    Ok([source, destination, source_port, destination_port])
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A header as a proxy writes it.
    pub(crate) fn header(version_command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([version_command, family]);
        bytes.extend(u16::try_from(rest.len()).unwrap().to_be_bytes());
        bytes.extend(rest);
        bytes
    }

    /// 198.51.100.7:4711 to 192.0.2.1:6969.
    pub(crate) const V4: [u8; 12] = [198, 51, 100, 7, 192, 0, 2, 1, 0x12, 0x67, 0x1b, 0x39];

    fn decode(bytes: &[u8]) -> Result<Option<String>, HeaderError> {
        let (fixed, rest) = bytes.split_first_chunk::<FIXED_BYTES>().unwrap();
        let fixed = Fixed::decode(fixed)?;
        Ok(fixed.source(&rest[..fixed.rest_bytes])?.map(|address| address.to_string()))
    }

    #[test]
    fn the_source_is_told_for_both_families_and_options_are_skipped() {
        let mut options = V4.to_vec();
        options.extend([0x04, 0, 2, 0, 0, 0xee, 0xff, 0xff]);
        assert_eq!(decode(&header(0x21, 0x11, &V4)).unwrap().unwrap(), "198.51.100.7:4711");
        assert_eq!(decode(&header(0x21, 0x11, &options)).unwrap().unwrap(), "198.51.100.7:4711");
        let mut v6 = "2001:db8::7".parse::<Ipv6Addr>().unwrap().octets().to_vec();
        v6.extend([0xff; 16]);
        v6.extend([0x12, 0x67, 0x1b, 0x39]);
        assert_eq!(decode(&header(0x21, 0x21, &v6)).unwrap().unwrap(), "[2001:db8::7]:4711");
    }

    #[test]
    fn a_local_connection_speaks_for_the_proxy_whatever_follows() {
        for rest in [&[][..], &V4, &[1, 2, 3]] {
            assert_eq!(decode(&header(0x20, 0x00, rest)), Ok(None));
        }
    }

    #[test]
    fn each_broken_header_has_its_own_error() {
        let v1 = b"PROXY TCP4 198.51.100.7 192.0.2.1 4711 6969\r\n";
        let mut long = header(0x21, 0x11, &V4);
        long[14] = 0xff;
        for (bytes, error) in [
            (v1.to_vec(), HeaderError::Signature),
            (header(0x11, 0x11, &V4), HeaderError::VersionOrCommand(0x11)),
            (header(0x22, 0x11, &V4), HeaderError::VersionOrCommand(0x22)),
            (long, HeaderError::TooLong(0xff0c)),
            (header(0x21, 0x11, &V4[..11]), HeaderError::TooShort),
            (header(0x21, 0x21, &V4), HeaderError::TooShort),
            (header(0x21, 0x12, &V4), HeaderError::NotTcp(0x12)),
            (header(0x21, 0x31, &V4), HeaderError::NotTcp(0x31)),
            (header(0x21, 0x00, &V4), HeaderError::NotTcp(0)),
            (header(0x21, 0x11, &[0; 12]), HeaderError::Unusable),
        ] {
            assert_eq!(decode(&bytes), Err(error));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(fixed: [u8; 4], rest in prop::collection::vec(any::<u8>(), 0..80)) {
            let mut bytes = SIGNATURE.to_vec();
            bytes.extend(fixed);
            if let Ok(fixed) = Fixed::decode(&bytes.try_into().unwrap()) {
                let _ = fixed.source(&rest);
            }
        }
    }
}
