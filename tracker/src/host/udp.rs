//! Datagrams that the kernel dropped: the tracker itself never sees these.

use super::Host;

/// Counts of the kernel since the machine started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KernelDrops {
    /// Datagrams that found a receive buffer full, on any socket of the machine.
    pub receive_buffer: u64,
    /// Replies that found a send buffer full, on any socket of the machine.
    pub send_buffer: u64,
    /// Datagrams with a wrong checksum.
    pub checksum: u64,
    /// Datagrams dropped at the sockets of the ports asked for, for any reason; starts anew with each socket.
    pub sockets: u64,
}

impl Host {
    /// What was dropped, on all sockets and on those of `ports`.
    pub fn kernel_drops(&self, ports: &[u16]) -> KernelDrops {
        let mut drops = KernelDrops::default();
        if let Some(text) = self.read("/proc/net/snmp") {
            drops.receive_buffer += snmp(&text, "Udp:", "RcvbufErrors");
            drops.send_buffer += snmp(&text, "Udp:", "SndbufErrors");
            drops.checksum += snmp(&text, "Udp:", "InCsumErrors");
        }
        if let Some(text) = self.read("/proc/net/snmp6") {
            drops.receive_buffer += snmp6(&text, "Udp6RcvbufErrors");
            drops.send_buffer += snmp6(&text, "Udp6SndbufErrors");
            drops.checksum += snmp6(&text, "Udp6InCsumErrors");
        }
        for file in ["/proc/net/udp", "/proc/net/udp6"] {
            drops.sockets += self.read(file).map_or(0, |text| sockets(&text, ports));
        }
        drops
    }
}

/// The value under a heading of a pair of lines that begin with `table`; 0 where there is none.
fn snmp(text: &str, table: &str, name: &str) -> u64 {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(table));
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else { return 0 };
    let mut pairs = names.split_whitespace().zip(values.split_whitespace());
    pairs.find(|pair| pair.0 == name).and_then(|pair| pair.1.parse().ok()).unwrap_or(0)
}

/// The value of a line `name value`; 0 where there is none.
fn snmp6(text: &str, name: &str) -> u64 {
    let mut lines = text.lines().map(str::split_whitespace);
    let value = lines.find_map(|mut fields| (fields.next()? == name).then(|| fields.next())?);
    value.and_then(|value| value.parse().ok()).unwrap_or(0)
}

/// Drops of the sockets bound to one of `ports`: the last column.
fn sockets(text: &str, ports: &[u16]) -> u64 {
    let drops = text.lines().skip(1).filter_map(|line| {
        let local = line.split_whitespace().nth(1)?;
        let port = u16::from_str_radix(local.rsplit(':').next()?, 16).ok()?;
        ports.contains(&port).then(|| line.split_whitespace().last()?.parse::<u64>().ok())?
    });
    drops.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SNMP: &str = "Ip: Forwarding DefaultTTL\nIp: 1 64\n\
        Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors\n\
        Udp: 10002 9 17 10448 11 4 2 0 0\n\
        UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors\n\
        UdpLite: 9 9 9 9 9 9 9 9 9\n";
    const SNMP6: &str = "Udp6InDatagrams                 \t780\nUdp6RcvbufErrors                \t5\n\
        Udp6SndbufErrors                \t1\nUdp6InCsumErrors                \t0\n";
    const UDP: &str = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n  \
        421: 00000000:1B39 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 30337 2 0000000000000000 40\n  \
        421: 00000000:1B39 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 30338 2 0000000000000000 2\n  \
        900: 0100007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 30339 2 0000000000000000 100\n";
    const UDP6: &str = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n  \
        421: 00000000000000000000000000000000:1B39 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 30340 2 0000000000000000 8\n";

    #[test]
    fn both_families_and_the_sockets_of_the_tracker_are_added_up() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("proc/net")).unwrap();
        for (name, text) in [("snmp", SNMP), ("snmp6", SNMP6), ("udp", UDP), ("udp6", UDP6)] {
            std::fs::write(folder.path().join("proc/net").join(name), text).unwrap();
        }
        let drops = Host::below(folder.path()).kernel_drops(&[6969]);
        assert_eq!(drops, KernelDrops { receive_buffer: 16, send_buffer: 5, checksum: 2, sockets: 50 });
        assert_eq!(Host::below(folder.path()).kernel_drops(&[53, 9]).sockets, 100);
    }

    #[test]
    fn texts_of_other_kernels_count_as_nothing() {
        for text in ["", "Udp:", "Udp: InDatagrams\nUdp: 1\n", "Udp: RcvbufErrors\nUdp: many\n", ":\n::\n  :x\n"] {
            assert_eq!(snmp(text, "Udp:", "RcvbufErrors") + snmp6(text, "Udp6RcvbufErrors") + sockets(text, &[0]), 0);
        }
    }

    #[test]
    fn a_datagram_that_this_kernel_drops_is_counted() {
        let receiver = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
        receiver.set_recv_buffer_size(4096).unwrap();
        receiver.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
        let to = receiver.local_addr().unwrap().as_socket().unwrap();
        let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..100 {
            sender.send_to(&[0; 1000], to).unwrap();
        }
        assert!(Host::new().kernel_drops(&[to.port()]).sockets > 50);
    }
}
