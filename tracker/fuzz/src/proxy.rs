//! What reverse proxies say, and what somebody says who claims to be one.

use std::net::IpAddr;

use peerfeed_tracker::proxy::v2::{FIXED_BYTES, Fixed, REST_BYTES_MAX};
use peerfeed_tracker::proxy::{Network, Networks, client};

fn is_a_client(ip: IpAddr) -> bool {
    ip == ip.to_canonical() && !ip.is_unspecified() && !ip.is_multicast()
}

/// Header values, one per line: from a stranger they say nothing, from a proxy only what may be a client's address.
pub(crate) fn forwarded_for(bytes: &[u8]) {
    let trusted = Networks::new(vec!["127.0.0.0/8".parse::<Network>().expect("a network")]);
    let values = || bytes.split(|&byte| byte == b'\n');
    let [stranger, proxy] = ["192.0.2.1", "127.0.0.1"].map(|ip| ip.parse::<IpAddr>().expect("an address"));
    assert_eq!(client(stranger, values(), &trusted), Ok(stranger));
    if let Ok(ip) = client(proxy, values(), &trusted) {
        assert!(is_a_client(ip), "{ip}");
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(network) = text.parse::<Network>()
    {
        assert_eq!(network.to_string().parse(), Ok(network));
    }
}

/// The binary header: what it names may be a client, and what follows is within its limit.
pub(crate) fn v2(bytes: &[u8]) {
    let Some((fixed, rest)) = bytes.split_first_chunk::<FIXED_BYTES>() else { return };
    let Ok(fixed) = Fixed::decode(fixed) else { return };
    assert!(fixed.rest_bytes <= REST_BYTES_MAX);
    if let Ok(Some(source)) = fixed.source(&rest[..fixed.rest_bytes.min(rest.len())]) {
        assert!(is_a_client(source.ip()), "{source}");
    }
}
