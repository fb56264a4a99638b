//! Behind a reverse proxy: whose word about the client's address is believed.

use std::io::Write as _;
use std::net::{IpAddr, TcpStream};

use super::asking::{announce, certificate, connect, connect_from, secure};
use super::program::{Program, command};

/// A header of the PROXY protocol, version 2, for a TCP connection from 198.51.100.7:4711.
const PROXY_HEADER: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc6\x33\x64\x07\x7f\0\0\x01\x12\x67\x1b\x39";

fn seen(stream: TcpStream, headers: &str) -> IpAddr {
    announce(stream, 1001, headers).unwrap().unwrap().external_ip.unwrap()
}

fn stranger(program: &Program, n: usize) -> TcpStream {
    connect_from("127.0.0.99".parse().unwrap(), program.address(n))
}

#[test]
fn the_rightmost_address_that_is_no_proxy_counts_and_only_from_a_trusted_proxy() {
    let mut command = command();
    command.args(["--trusted-proxies", "127.0.0.1", "--trusted-proxies", "10.0.0.0/8"]);
    let program = Program::start_as(command, &[("http", "127.0.0.1:0")]);
    let header = "X-Forwarded-For: 203.0.113.9, 192.0.2.5\r\nx-forwarded-for: 10.1.2.3\r\n";
    assert_eq!(seen(connect(program.address(0)), header), "192.0.2.5".parse::<IpAddr>().unwrap());
    assert_eq!(seen(stranger(&program, 0), header), "127.0.0.99".parse::<IpAddr>().unwrap());
    let refused = announce(connect(program.address(0)), 1001, "X-Forwarded-For: unknown\r\n").unwrap();
    assert!(refused.unwrap_err().to_string().contains("does not tell your address"));
}

#[test]
fn without_trusted_proxies_nobody_speaks_for_another() {
    let program = Program::start(&[("http", "127.0.0.1:0")]);
    let own: IpAddr = "127.0.0.1".parse().unwrap();
    assert_eq!(seen(connect(program.address(0)), "X-Forwarded-For: 192.0.2.5\r\n"), own);
}

#[test]
fn a_proxy_protocol_header_tells_the_client_and_must_come_from_a_trusted_proxy() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key, trusted) = certificate(folder.path());
    let mut command = command();
    command.args(["--trusted-proxies", "127.0.0.1", "--proxy-protocol", "127.0.0.1:0"]);
    command.arg("--tls-certificate").arg(chain).arg("--tls-key").arg(key);
    let program = Program::start_as(command, &[("http", "127.0.0.1:0"), ("https", "127.0.0.1:0")]);
    let client: IpAddr = "198.51.100.7".parse().unwrap();
    let with_header = |mut stream: TcpStream| {
        stream.write_all(PROXY_HEADER).unwrap();
        stream
    };
    assert_eq!(seen(with_header(connect(program.address(0))), ""), client);
    let tls = secure(with_header(connect(program.address(1))), &trusted);
    assert_eq!(announce(tls, 1001, "").unwrap().unwrap().external_ip, Some(client));
    assert!(announce(connect(program.address(0)), 1001, "").is_none(), "no header");
    assert!(announce(with_header(stranger(&program, 0)), 1001, "").is_none(), "not trusted");
}
