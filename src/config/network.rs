//! Networks of IP addresses, for proxies that are trusted, and the test for this machine.

use std::net::{IpAddr, Ipv6Addr};

/// An address, or a network such as `10.0.0.0/8`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IpNetwork {
    address: Ipv6Addr,
    bits: u32,
}

impl IpNetwork {
    /// Reads `10.0.0.1`, `10.0.0.0/8` or `fd00::/8`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is not an address or a network; use a value such as `10.0.0.0/8`");
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.trim().parse().map_err(|_| wrong()))?;
        if bits > most {
            return Err(wrong());
        }
        Ok(Self {
            address: to_ipv6(address),
            // The length counts in the mapped address, whose first 96 bits are fixed.
            bits: bits + (128 - most),
        })
    }

    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let differ = self.address.to_bits() ^ to_ipv6(address).to_bits();
        differ.leading_zeros() >= self.bits
    }
}

/// Maps IPv4 into IPv6, because a socket for both families reports IPv4 clients that way.
fn to_ipv6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

/// Whether the host of an address is this machine.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address: Result<std::net::IpAddr, _> = bare.parse();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_addresses_and_no_others() {
        let holds = |network: &str, address: &str| {
            let network = IpNetwork::parse(network).expect(network);
            network.contains(address.parse().expect(address))
        };
        assert!(holds("10.0.0.0/8", "10.9.8.7") && holds("10.0.0.0/8", "::ffff:10.9.8.7"));
        assert!(!holds("10.0.0.0/8", "11.0.0.1") && !holds("10.0.0.0/8", "fd00::1"));
        assert!(holds("127.0.0.1", "127.0.0.1") && !holds("127.0.0.1", "127.0.0.2"));
        assert!(holds("fd00::/8", "fd12::1") && holds("0.0.0.0/0", "1.2.3.4"));
        for wrong in ["", "proxy", "10.0.0.0/33", "10.0.0.0/x", "::1/129"] {
            assert!(IpNetwork::parse(wrong).is_err(), "{wrong}");
        }
    }
}
