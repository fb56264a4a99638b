//! Several sockets on one address, among which the kernel spreads the clients.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};

/// Binds `count` sockets of this kind to `address`; port 0 takes a free one, the same for all. A socket for `[::]` takes IPv4
/// too, unless `only_v6`. `prepare` sees each before it is bound.
pub(crate) fn bind(
    kind: Type,
    address: SocketAddr,
    only_v6: bool,
    count: usize,
    prepare: impl Fn(&Socket) -> io::Result<()>,
) -> io::Result<Vec<Socket>> {
    let open = || {
        let socket = Socket::new(Domain::for_address(address), kind, None)?;
        if address.is_ipv6() {
            socket.set_only_v6(only_v6)?;
        }
        prepare(&socket)?;
        Ok::<_, io::Error>(socket)
    };
    // Without SO_REUSEPORT first: with it, a second tracker on the port would silently take half of the clients.
    let probe = open()?;
    probe.bind(&address.into())?;
    let address = probe.local_addr()?.as_socket().unwrap_or(address);
    drop(probe);
    let bound = |_| {
        let socket = open()?;
        socket.set_reuse_port(count > 1)?;
        socket.bind(&address.into())?;
        Ok(socket)
    };
    (0..count.max(1)).map(bound).collect()
}
