//! Networks that somebody may come from, in the notation of CIDR (RFC 4632 §3.1, RFC 4291 §2.3). An address of IPv4 is
//! the same one however it came (`::ffff:192.0.2.1`).

use std::{net::IpAddr, net::Ipv4Addr, str::FromStr};

/// A network, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its first address.
    first: IpAddr,
    /// How many bits of it all its addresses share.
    bits: u8,
}

/// Networks; none at all is every address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(pub Vec<Network>);

impl Networks {
    /// Whether an address lies in one of them.
    pub fn let_in(&self, address: IpAddr) -> bool {
        self.0.is_empty() || self.0.iter().any(|network| network.has(address))
    }
}

impl Network {
    fn has(&self, address: IpAddr) -> bool {
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                high(first.to_bits().into(), self.bits, 32) == high(address.to_bits().into(), self.bits, 32)
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                high(first.to_bits(), self.bits, 128) == high(address.to_bits(), self.bits, 128)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// The first bits of an address of so many.
fn high(address: u128, bits: u8, of: u8) -> u128 {
    address.checked_shr(u32::from(of.saturating_sub(bits))).unwrap_or(0)
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const WRONG: &str = "is no network: write 192.0.2.0/24, 2001:db8::/32 or one address";
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let written: IpAddr = address.parse().map_err(|_| WRONG.to_owned())?;
        let most: u8 = if written.is_ipv4() { 32 } else { 128 };
        let digits = |bits: &str| !bits.is_empty() && bits.bytes().all(|digit| digit.is_ascii_digit());
        let bits = match bits {
            None => most,
            Some(bits) if digits(bits) => bits.parse().map_err(|_| WRONG.to_owned())?,
            Some(_) => return Err(WRONG.to_owned()),
        };
        if bits > most {
            return Err(format!("is no network: an address has {most} bits"));
        }
        let whole = match written {
            IpAddr::V4(first) => Self { first: Ipv4Addr::from_bits(cut(first.to_bits(), bits)).into(), bits },
            IpAddr::V6(first) => {
                let shift = u32::from(128 - bits);
                let first = first.to_bits().checked_shr(shift).unwrap_or(0);
                let first = std::net::Ipv6Addr::from_bits(first.checked_shl(shift).unwrap_or(0));
                Self { first: first.into(), bits }
            }
        };
        if whole.first != written {
            return Err(format!(
                "is an address within a network: write {}/{bits} for all of it",
                whole.first
            ));
        }
        // All of it is IPv4.
        Ok(match (whole.first.to_canonical(), whole.bits.checked_sub(96)) {
            (first @ IpAddr::V4(_), Some(bits)) if written.is_ipv6() => Self { first, bits },
            _ => whole,
        })
    }
}

fn cut(address: u32, bits: u8) -> u32 {
    let shift = u32::from(32 - bits);
    address.checked_shr(shift).unwrap_or(0).checked_shl(shift).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lets_in(networks: &[&str], address: &str) -> bool {
        let networks = Networks(networks.iter().map(|text| text.parse().unwrap()).collect());
        networks.let_in(address.parse().unwrap())
    }

    #[test]
    fn an_address_lies_in_a_network_or_not() {
        assert!(lets_in(&[], "203.0.113.9"), "none are all");
        for inside in ["10.0.0.0", "10.255.255.255", "192.0.2.1", "::ffff:10.1.2.3", "2001:db8:ffff::1"] {
            assert!(lets_in(&["10.0.0.0/8", "192.0.2.1", "2001:db8::/32"], inside), "{inside}");
        }
        for outside in ["11.0.0.0", "192.0.2.2", "2001:db9::1", "::1", "::ffff:11.0.0.1"] {
            assert!(!lets_in(&["10.0.0.0/8", "192.0.2.1", "2001:db8::/32"], outside), "{outside}");
        }
        assert!(lets_in(&["0.0.0.0/0"], "203.0.113.9") && !lets_in(&["0.0.0.0/0"], "::1"));
        assert!(lets_in(&["::/0"], "::1") && !lets_in(&["::/0"], "203.0.113.9"));
    }

    #[test]
    fn ipv4_written_as_ipv6_is_ipv4() {
        assert!(lets_in(&["::ffff:10.0.0.0/104"], "10.1.2.3"));
        assert!(lets_in(&["::ffff:192.0.2.1"], "192.0.2.1"));
        assert!(!lets_in(&["::ffff:10.0.0.0/104"], "11.1.2.3"));
    }

    #[test]
    fn what_is_no_network_is_told() {
        for bad in ["", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/-1", "10.0.0.0/+8", "a.b"]
        {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
        let told = "10.1.0.0/8".parse::<Network>().unwrap_err();
        assert!(told.ends_with("write 10.0.0.0/8 for all of it"), "{told}");
    }
}
