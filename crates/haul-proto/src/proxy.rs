//! The PROXY protocol, versions 1 and 2: what a proxy tells of the client that it speaks for, before anything else
//! (HAProxy's proxy-protocol.txt §2.1, §2.2).
//!
//! No I/O: whoever reads asks [`next`] again and again how many bytes of the header are still to come, and so takes none
//! that belong to what is spoken behind it. A sender that is not sure to send a header cannot be told from one that
//! does: there is no guessing here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// How version 2 begins.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// How version 1 begins.
const TEXT: &[u8; 6] = b"PROXY ";
/// The longest header of version 1, its line end included.
const LONGEST_TEXT: usize = 107;
/// The head of version 2: signature, version and command, family, length.
const HEAD: usize = 16;
/// Addresses of version 2 and all that is said behind them: no proxy has so much to say.
const LONGEST_REST: usize = 4096;
/// The checksum among what stands behind the addresses of version 2 (§2.2.3).
const CRC32C: u8 = 0x03;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// The connection is the proxy's own (LOCAL), or it does not know whose it is (UNKNOWN, UNSPEC, a Unix socket): its
    /// own addresses are what they are.
    Own,
    /// It is somebody else's.
    Proxied {
        /// The client.
        from: SocketAddr,
        /// Where the client has come to.
        to: SocketAddr,
    },
}

/// What is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// So many bytes more belong to the header at least; never 0.
    Read(usize),
    /// That is all of it.
    Done(Header),
}

/// Bytes that are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// They begin as none begins.
    #[error("it does not begin with a PROXY header")]
    None,
    /// They begin as one, and go on otherwise.
    #[error("its PROXY header is malformed")]
    Wrong,
    /// It is longer than any that has a use.
    #[error("its PROXY header is too long")]
    Long,
    /// It was changed on its way.
    #[error("the checksum of its PROXY header is wrong")]
    Checksum,
}

/// What is next after these bytes, from the first one on.
///
/// # Errors
/// As soon as it is sure that they are no header.
pub fn next(read: &[u8]) -> Result<Next, Malformed> {
    let begins = |with: &[u8]| read.iter().zip(with).all(|(is, should)| is == should);
    if begins(SIGNATURE) {
        return binary(read);
    }
    if begins(TEXT) {
        return text(read);
    }
    Err(Malformed::None)
}

/// Version 1: a line.
fn text(read: &[u8]) -> Result<Next, Malformed> {
    // "PROXY UNKNOWN\r\n"; nobody asks for more than the signature's twelve bytes before it is known which one it is.
    const SHORTEST: usize = 15;
    if read.len() < SHORTEST {
        return Ok(Next::Read(SHORTEST - read.len()));
    }
    let Some(line) = read.strip_suffix(b"\n") else {
        return match read.len() {
            LONGEST_TEXT.. => Err(Malformed::Long),
            _ if read.contains(&b'\n') => Err(Malformed::Wrong),
            _ => Ok(Next::Read(1)),
        };
    };
    let line = line.strip_suffix(b"\r").ok_or(Malformed::Wrong)?;
    let line = str::from_utf8(line).map_err(|_| Malformed::Wrong)?;
    if line.contains(['\r', '\n', '\0']) {
        return Err(Malformed::Wrong);
    }
    let mut words = line.split(' ').skip(1);
    let family = words.next().ok_or(Malformed::Wrong)?;
    if family == "UNKNOWN" {
        // Whatever else it says is not meant for anybody.
        return Ok(Next::Done(Header::Own));
    }
    let words: Vec<&str> = words.collect();
    let [from, to, from_port, to_port] = words[..] else { return Err(Malformed::Wrong) };
    let address = |address: &str, port: &str| {
        let address = match family {
            "TCP4" => address.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
            "TCP6" => address.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            _ => None,
        };
        Some(SocketAddr::new(address?, port_of(port)?))
    };
    let (from, to) = address(from, from_port).zip(address(to, to_port)).ok_or(Malformed::Wrong)?;
    Ok(Next::Done(Header::Proxied { from, to }))
}

/// Digits without a sign or a leading zero.
fn port_of(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

/// Version 2: numbers in network order.
fn binary(read: &[u8]) -> Result<Next, Malformed> {
    let Some((head, rest)) = read.split_first_chunk::<HEAD>() else {
        // As long as it may be either, no more is asked for than the shorter one has.
        let all = if read.len() < SIGNATURE.len() { SIGNATURE.len() } else { HEAD };
        return Ok(Next::Read(all - read.len()));
    };
    let [.., version_and_command, family, high, low] = *head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if version_and_command >> 4 != 2 {
        return Err(Malformed::Wrong);
    }
    if length > LONGEST_REST {
        return Err(Malformed::Long);
    }
    if rest.len() < length {
        return Ok(Next::Read(length - rest.len()));
    }
    if rest.len() > length {
        return Err(Malformed::Wrong);
    }
    let header = match (version_and_command & 0x0f, family) {
        (0, _) => return Ok(Next::Done(Header::Own)),
        // Not told, and what is spoken here over no Unix socket.
        (1, 0x00 | 0x31) => return Ok(Next::Done(Header::Own)),
        (1, 0x11) => addresses(rest, |four: [u8; 4]| Ipv4Addr::from(four).into()),
        (1, 0x21) => addresses(rest, |sixteen: [u8; 16]| Ipv6Addr::from(sixteen).into()),
        _ => None,
    };
    let (header, more) = header.ok_or(Malformed::Wrong)?;
    vouched(read, more)?;
    Ok(Next::Done(header))
}

/// Two addresses of so many bytes, two ports, and what stands behind them.
fn addresses<const N: usize>(rest: &[u8], address: impl Fn([u8; N]) -> IpAddr) -> Option<(Header, &[u8])> {
    let (from, rest) = rest.split_first_chunk::<N>()?;
    let (to, rest) = rest.split_first_chunk::<N>()?;
    let (from_port, rest) = rest.split_first_chunk::<2>()?;
    let (to_port, rest) = rest.split_first_chunk::<2>()?;
    let at = |bytes: &[u8; N], port: &[u8; 2]| SocketAddr::new(address(*bytes), u16::from_be_bytes(*port));
    Some((Header::Proxied { from: at(from, from_port), to: at(to, to_port) }, rest))
}

/// What stands behind the addresses is well formed, and its checksum, where there is one, is that of the whole header.
fn vouched(header: &[u8], mut more: &[u8]) -> Result<(), Malformed> {
    while let [kind, high, low, rest @ ..] = more {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (value, rest) = rest.split_at_checked(length).ok_or(Malformed::Wrong)?;
        if *kind == CRC32C {
            let told: [u8; 4] = value.try_into().map_err(|_| Malformed::Wrong)?;
            // It is computed as if it were zero itself.
            let at = header.len() - rest.len() - value.len();
            let zeroed = header
                .iter()
                .enumerate()
                .map(|(index, byte)| if (at..at + value.len()).contains(&index) { 0 } else { *byte });
            if crc32c(zeroed) != u32::from_be_bytes(told) {
                return Err(Malformed::Checksum);
            }
        }
        more = rest;
    }
    if more.is_empty() { Ok(()) } else { Err(Malformed::Wrong) }
}

/// CRC-32C (RFC 3720 appendix B.4), bit by bit: of some dozens of bytes, once for a connection.
fn crc32c(bytes: impl Iterator<Item = u8>) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let end = bytes.fold(u32::MAX, |crc, byte| {
        let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 };
        (0..8).fold(crc ^ u32::from(byte), step)
    });
    !end
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// A header of version 2, with its length.
    fn second(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest].concat()
    }

    fn of(from: SocketAddr, to: SocketAddr) -> Vec<u8> {
        let ports = [from.port().to_be_bytes(), to.port().to_be_bytes()].concat();
        match (from.ip(), to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                second(0x21, 0x11, &[&from.octets()[..], &to.octets(), &ports].concat())
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                second(0x21, 0x21, &[&from.octets()[..], &to.octets(), &ports].concat())
            }
            _ => unreachable!(),
        }
    }

    /// As whoever reads does: so many bytes as are asked for, each time. How many it took, and what it came to.
    fn reads(stream: &[u8]) -> (usize, Result<Option<Header>, Malformed>) {
        let mut taken = 0;
        loop {
            match next(&stream[..taken]) {
                Ok(Next::Done(header)) => return (taken, Ok(Some(header))),
                Ok(Next::Read(more)) => {
                    assert!(more > 0);
                    if taken + more > stream.len() {
                        return (taken, Ok(None));
                    }
                    taken += more;
                }
                Err(error) => return (taken, Err(error)),
            }
        }
    }

    #[test]
    fn lines_of_the_first_version_are_read_to_their_end_and_no_further() {
        let proxied = |from, to| Header::Proxied { from: at(from), to: at(to) };
        for (line, header) in [
            ("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443", proxied("192.0.2.1:56324", "198.51.100.1:443")),
            ("PROXY TCP6 2001:db8::1 ::1 1 65535", proxied("[2001:db8::1]:1", "[::1]:65535")),
            ("PROXY UNKNOWN", Header::Own),
            ("PROXY UNKNOWN ffff::1 ffff::2 65535 65535", Header::Own),
        ] {
            let header_alone = format!("{line}\r\n");
            let stream = format!("{header_alone}GET / HTTP/1.1\r\n\r\n");
            assert_eq!(reads(stream.as_bytes()), (header_alone.len(), Ok(Some(header))), "{line}");
        }
    }

    #[test]
    fn what_is_no_header_is_none() {
        for bad in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "USER anonymous\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 1\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 56324 65536\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 056 443\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 +56 443\r\n",
            "PROXY TCP4 2001:db8::1 ::1 1 1\r\n",
            "PROXY TCP6 192.0.2.1 198.51.100.1 1 1\r\n",
            "PROXY TCP5 192.0.2.1 198.51.100.1 1 1\r\n",
            "PROXY  TCP4 192.0.2.1 198.51.100.1 1 1\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 1 1\n",
            "PROXY TCP4\t192.0.2.1 198.51.100.1 1 1\r\n",
            "proxy TCP4 192.0.2.1 198.51.100.1 1 1\r\n",
            "PROXY A\r\nGET / HTTP/1.1\r\n",
        ] {
            assert!(reads(bad.as_bytes()).1.is_err(), "{bad:?}");
        }
        let endless = format!("PROXY UNKNOWN {}", "x".repeat(1000));
        assert_eq!(reads(endless.as_bytes()), (107, Err(Malformed::Long)));
    }

    #[test]
    fn the_second_version_is_read_by_its_length() {
        for (from, to) in
            [("192.0.2.1:56324", "198.51.100.1:443"), ("[2001:db8::1]:1", "[2001:db8::2]:65535")]
        {
            let header = of(at(from), at(to));
            let stream = [&header[..], b"USER ann\r\n"].concat();
            let proxied = Header::Proxied { from: at(from), to: at(to) };
            assert_eq!(reads(&stream), (header.len(), Ok(Some(proxied))));
        }
        assert_eq!(reads(&second(0x20, 0, &[])).1, Ok(Some(Header::Own)), "LOCAL");
        assert_eq!(reads(&second(0x20, 0x11, &[7; 40])).1, Ok(Some(Header::Own)), "LOCAL with anything");
        assert_eq!(reads(&second(0x21, 0, &[1, 2, 3])).1, Ok(Some(Header::Own)), "UNSPEC");
        assert_eq!(reads(&second(0x21, 0x31, &[0; 216])).1, Ok(Some(Header::Own)), "a Unix socket");
        for (command, family, rest) in [
            (0x11, 0x11, vec![0; 12]),
            (0x22, 0x11, vec![0; 12]),
            (0x21, 0x12, vec![0; 12]),
            (0x21, 0x41, vec![0; 12]),
            (0x21, 0x11, vec![0; 11]),
            (0x21, 0x21, vec![0; 35]),
            (0x21, 0x11, vec![0; 13]),
            (0x21, 0x11, [vec![0; 12], vec![4, 0, 9, 1]].concat()),
        ] {
            let header = second(command, family, &rest);
            assert_eq!(reads(&header).1, Err(Malformed::Wrong), "{command:x} {family:x} {rest:?}");
        }
        assert_eq!(reads(&second(0x21, 0x11, &[0; 5000])), (16, Err(Malformed::Long)));
    }

    #[test]
    fn more_may_stand_behind_the_addresses_and_a_checksum_among_it_counts() {
        let rest = |crc: u32| {
            let addresses = [192, 0, 2, 1, 198, 51, 100, 1, 0xdc, 4, 1, 187];
            [&addresses[..], &[1, 0, 2, b'h', b'2', CRC32C, 0, 4], &crc.to_be_bytes(), &[4, 0, 1, 0]].concat()
        };
        let right = crc32c(second(0x21, 0x11, &rest(0)).into_iter());
        assert!(matches!(reads(&second(0x21, 0x11, &rest(right))).1, Ok(Some(Header::Proxied { .. }))));
        assert_eq!(reads(&second(0x21, 0x11, &rest(right ^ 1))).1, Err(Malformed::Checksum));
        assert_eq!(crc32c(b"123456789".iter().copied()), 0xe306_9283);
    }

    proptest! {
        #[test]
        fn whatever_comes_ends_and_takes_no_more_than_there_may_be(bytes in vec(any::<u8>(), 0..300)) {
            prop_assert!(reads(&bytes).0 <= bytes.len());
        }

        #[test]
        fn whatever_stands_behind_a_beginning_ends(tail in vec(any::<u8>(), 0..300), first in any::<bool>()) {
            let begin: &[u8] = if first { TEXT } else { SIGNATURE };
            let (taken, header) = reads(&[begin, &tail].concat());
            prop_assert!(taken <= LONGEST_REST + HEAD);
            if first {
                prop_assert!(taken <= LONGEST_TEXT);
                prop_assert!(!matches!(header, Err(Malformed::None)));
            }
        }

        #[test]
        fn what_was_said_is_heard_and_what_is_behind_it_is_left(
            from in any::<(u32, u16)>(), to in any::<(u32, u16)>(), six in any::<bool>(), second in any::<bool>(),
            behind in vec(any::<u8>(), 0..50),
        ) {
            let address = |(bits, port): (u32, u16)| {
                let four = Ipv4Addr::from_bits(bits);
                let ip = if six { four.to_ipv6_compatible().into() } else { IpAddr::V4(four) };
                SocketAddr::new(ip, port)
            };
            let (from, to) = (address(from), address(to));
            let header = if second { of(from, to) } else {
                let family = if six { "TCP6" } else { "TCP4" };
                let (a, b) = (from.ip(), to.ip());
                format!("PROXY {family} {a} {b} {} {}\r\n", from.port(), to.port()).into_bytes()
            };
            let stream = [&header[..], &behind].concat();
            prop_assert_eq!(reads(&stream), (header.len(), Ok(Some(Header::Proxied { from, to }))));
            let cut = reads(&header[..header.len() - 1]);
            prop_assert_eq!(cut.1, Ok(None));
        }
    }
}
