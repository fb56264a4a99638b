//! Telling the service manager how far the program is: `sd_notify(3)`.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Every port is bound and answered.
pub(super) const READY: &str = "READY=1";

/// It was told to end.
pub(super) const STOPPING: &str = "STOPPING=1";

/// Sends `state`, if somebody asked for it. Who asked and does not listen is no reason to stop.
pub(super) fn notify(state: &str) {
    if let Some(socket) = std::env::var_os("NOTIFY_SOCKET")
        && let Err(error) = send(&socket, state)
    {
        tracing::warn!(%error, "the service manager does not hear: {state}");
    }
}

fn send(socket: &OsStr, state: &str) -> io::Result<()> {
    let address = match socket.as_bytes() {
        // Names in a space of their own, without a file.
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(bound: &UnixDatagram, socket: &str) -> String {
        send(OsStr::new(socket), READY).unwrap();
        let mut text = [0; 100];
        let length = bound.recv(&mut text).unwrap();
        String::from_utf8(text[..length].to_vec()).unwrap()
    }

    #[test]
    fn a_socket_with_a_file_and_one_without_hear_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        assert_eq!(heard(&UnixDatagram::bind(&path).unwrap(), path.to_str().unwrap()), READY);
        let name = format!("peerfeed-tracker-test-{}", std::process::id());
        let bound = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        assert_eq!(heard(&bound, &format!("@{name}")), READY);
        assert!(send(OsStr::new("/nowhere/notify"), READY).is_err());
    }
}
