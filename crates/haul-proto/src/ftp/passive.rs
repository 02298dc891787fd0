//! Where a data connection goes: the replies to PASV (RFC 959 §4.1.2, RFC 1123 §4.1.2.6) and EPSV (RFC 2428 §3), the
//! arguments of PORT and EPRT.
//!
//! The address in a 227 is wrong behind NAT, and a hostile server may name any host in it: the control connection's
//! peer is the one to connect to.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

use super::{digits, reply::Reply};

/// What a 227 says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pasv {
    /// The port; never 0.
    pub port: u16,
    /// The host as told: not to be connected to unless the user asks for it.
    pub untrusted_host: Ipv4Addr,
}

/// The port and host in the reply to PASV: the first six numbers joined by commas, with or without parentheses.
pub fn pasv(reply: &Reply) -> Option<Pasv> {
    let mut rest = reply.text_of(227)?;
    loop {
        let (numbers, behind) = joined_numbers(skip_to_digit(rest)?);
        rest = behind;
        let bytes: Option<Vec<u8>> =
            numbers.iter().map(|number| u8::try_from(digits::number(number)?).ok()).collect();
        if let Some([a, b, c, d, high, low]) = bytes.as_deref() {
            let port = u16::from_be_bytes([*high, *low]);
            return (port != 0).then_some(Pasv { port, untrusted_host: Ipv4Addr::new(*a, *b, *c, *d) });
        }
    }
}

fn skip_to_digit(text: &[u8]) -> Option<&[u8]> {
    text.get(text.iter().position(u8::is_ascii_digit)?..)
}

/// Numbers joined by commas (spaces may stand around those), and what follows them; the text begins with a digit.
fn joined_numbers(text: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let (first, mut rest) = digits::leading(text);
    let mut numbers = vec![first];
    loop {
        let Some(behind) = rest.trim_ascii_start().strip_prefix(b",") else { return (numbers, rest) };
        let (number, behind) = digits::leading(behind.trim_ascii_start());
        rest = behind;
        // A comma without a number: not the six, whatever came before.
        numbers.push(number);
    }
}

/// The port in the reply to EPSV: `(|||port|)` with any delimiter. A server that fills in protocol and address is
/// understood, and they are ignored.
pub fn epsv(reply: &Reply) -> Option<u16> {
    let text = reply.text_of(229)?;
    (0..text.len()).find_map(|at| extended_port(text.get(at..)?))
}

/// The port in `d…d…dportd`, at the beginning of the text.
fn extended_port(text: &[u8]) -> Option<u16> {
    let (delimiter, fields) = text.split_first()?;
    // RFC 2428 §2 allows 33 to 126; letters and digits would make words of the text look like it.
    if !delimiter.is_ascii_punctuation() {
        return None;
    }
    let mut fields = fields.split(|byte| byte == delimiter);
    let (protocol, address, port) = (fields.next()?, fields.next()?, fields.next()?);
    fields.next()?;
    let told = matches!(protocol, b"" | b"1" | b"2") && address.iter().all(|byte| is_of_address(*byte));
    let port = u16::try_from(digits::number(port)?).ok()?;
    (told && port != 0).then_some(port)
}

fn is_of_address(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':' | b'%')
}

/// PORT's argument, `h1,h2,h3,h4,p1,p2`.
pub fn host_port(address: SocketAddrV4) -> String {
    let [a, b, c, d] = address.ip().octets();
    let [high, low] = address.port().to_be_bytes();
    format!("{a},{b},{c},{d},{high},{low}")
}

/// EPRT's argument, `|protocol|address|port|`. An IPv4 address within IPv6 is told as IPv4.
pub fn net_address(address: SocketAddr) -> String {
    let ip = address.ip().to_canonical();
    let protocol = match ip {
        IpAddr::V4(_) => 1,
        IpAddr::V6(_) => 2,
    };
    format!("|{protocol}|{ip}|{}|", address.port())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pasv_of(text: &str) -> Option<(String, u16)> {
        pasv(&Reply::new(227, &[text.as_bytes()])).map(|pasv| (pasv.untrusted_host.to_string(), pasv.port))
    }

    fn epsv_of(text: &str) -> Option<u16> {
        epsv(&Reply::new(229, &[text.as_bytes()]))
    }

    #[test]
    fn every_form_of_227_is_read() {
        let texts = [
            "Entering Passive Mode (10,0,0,1,200,10)",
            "Entering Passive Mode (10,0,0,1,200,10).",
            "Entering Passive Mode 10,0,0,1,200,10",
            "Entering Passive Mode. 10,0,0,1,200,10",
            "=10,0,0,1,200,10",
            "Passive mode 2 (10, 0, 0, 1, 200, 10)",
            "Entering Passive Mode (010,000,000,001,200,010)",
        ];
        for text in texts {
            assert_eq!(pasv_of(text), Some(("10.0.0.1".to_owned(), 51210)), "{text}");
        }
    }

    #[test]
    fn what_is_not_six_bytes_is_no_227() {
        let texts = [
            "",
            "Entering Passive Mode",
            "(10,0,0,1,200)",
            "(10,0,0,1,200,10,1)",
            "(10,0,0,1,200,256)",
            "(256,0,0,1,200,10)",
            "(10,0,0,1,,200,10)",
            "(10,0,0,1,0,0)",
            "(10.0.0.1,200,10)",
            "(10,0,0,1,-200,10)",
            ",",
        ];
        for text in texts {
            assert_eq!(pasv_of(text), None, "{text}");
        }
        assert_eq!(pasv(&Reply::new(500, &[b"(10,0,0,1,200,10)"])), None);
    }

    #[test]
    fn every_form_of_229_is_read() {
        let texts = [
            "Entering Extended Passive Mode (|||6446|)",
            "Entering Extended Passive Mode (|||6446|).",
            "Entering Extended Passive Mode (!!!6446!)",
            "Extended, passive (,,,6446,)",
            "Entering Extended Passive Mode |||6446|",
            "ok (|1|10.0.0.1|6446|)",
            "ok (|2|fe80::1|6446|)",
        ];
        for text in texts {
            assert_eq!(epsv_of(text), Some(6446), "{text}");
        }
    }

    #[test]
    fn what_has_no_port_is_no_229() {
        let texts = [
            "",
            "(|||0|)",
            "(|||65536|)",
            "(|||6446)",
            "(||6446|)",
            "(|||+6446|)",
            "(111644611)",
            "(|||64 46|)",
        ];
        for text in texts {
            assert_eq!(epsv_of(text), None, "{text}");
        }
    }

    #[test]
    fn own_addresses_are_written() {
        assert_eq!(host_port("127.0.0.1:65535".parse().unwrap()), "127,0,0,1,255,255");
        assert_eq!(net_address("132.235.1.2:6275".parse().unwrap()), "|1|132.235.1.2|6275|");
        assert_eq!(
            net_address("[1080::8:800:200c:417a]:5282".parse().unwrap()),
            "|2|1080::8:800:200c:417a|5282|"
        );
        assert_eq!(net_address("[::ffff:10.0.0.1]:21".parse().unwrap()), "|1|10.0.0.1|21|");
    }

    proptest! {
        #[test]
        fn never_panics(any: Vec<u8>, near in "[0-9,| ()]{0,40}") {
            for text in [any, near.into_bytes()] {
                let _ = (pasv(&Reply::new(227, &[&text])), epsv(&Reply::new(229, &[&text])));
            }
        }

        #[test]
        fn round_trips(host: u32, port in 1_u16..) {
            let address = SocketAddrV4::new(host.into(), port);
            let told = pasv(&Reply::new(227, &[host_port(address).as_bytes()])).unwrap();
            prop_assert_eq!(SocketAddrV4::new(told.untrusted_host, told.port), address);
            let told = epsv(&Reply::new(229, &[net_address(address.into()).as_bytes()]));
            prop_assert_eq!(told, Some(port));
        }
    }
}
