//! The address that sent a request, behind trusted proxies that report it.

use core::fmt;
use core::str::FromStr;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv6Addr};

/// A network, `10.0.0.0/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(IpNet);

/// The networks whose `X-Forwarded-For` is trusted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proxies(pub Vec<Network>);

impl Network {
    /// Whether it contains the address. An IPv4 address seen through an IPv6 socket counts as the
    /// IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

/// The text is not a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidNetwork(String);

impl fmt::Display for InvalidNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a network; write 10.0.0.0/8 or 2001:db8::/32", self.0)
    }
}

impl std::error::Error for InvalidNetwork {}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidNetwork(text.to_owned());
        let (address, bits) =
            text.trim().split_once('/').map_or((text.trim(), None), |(a, bits)| (a, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        let Some(bits) = bits else { return Ok(Self(address.into())) };
        // Not ipnet's own parser, which refuses a prefix length that was accepted before, `/+8`.
        let bits = bits.parse().map_err(|_| invalid())?;
        IpNet::new(address, bits).map(Self).map_err(|_| invalid())
    }
}

impl FromStr for Proxies {
    type Err = InvalidNetwork;

    /// Parses networks separated by commas.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split(',').map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl Proxies {
    /// The sender of a request: the peer, or behind a trusted peer the last address in
    /// `X-Forwarded-For` that is not trusted. Anybody can write what stands before that one.
    pub fn sender<'h>(&self, peer: IpAddr, forwarded: impl DoubleEndedIterator<Item = &'h str>) -> IpAddr {
        let mut sender = peer.to_canonical();
        for address in forwarded.rev().flat_map(|line| line.rsplit(',')).map(str::trim) {
            if !self.0.iter().any(|network| network.contains(sender)) {
                break;
            }
            let Some(address) = parse(address) else { break };
            sender = address.to_canonical();
        }
        sender
    }
}

/// Parses an address as proxies write it: bare, with a port, or in brackets.
fn parse(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.split_once(']')?.0.parse().ok();
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    text.parse().ok().or_else(with_port).or_else(bracketed)
}

/// The address whose limit a request counts against: an IPv6 customer has a network of 64 bits.
pub fn subject(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_trusted_proxies_name_the_sender() {
        let none = Proxies::default();
        assert_eq!(none.sender(ip("203.0.113.9"), ["198.51.100.1"].into_iter()), ip("203.0.113.9"));
        let proxies: Proxies = "10.0.0.0/8, 2001:db8::/32".parse().unwrap();
        let sent = |peer, lines: &[&'static str]| proxies.sender(ip(peer), lines.iter().copied());
        assert_eq!(sent("203.0.113.9", &["198.51.100.1"]), ip("203.0.113.9"));
        assert_eq!(sent("10.1.2.3", &["198.51.100.1"]), ip("198.51.100.1"));
        assert_eq!(
            sent("10.1.2.3", &["1.1.1.1, 198.51.100.1"]),
            ip("198.51.100.1"),
            "1.1.1.1 is the sender's own words"
        );
        assert_eq!(sent("10.1.2.3", &["1.1.1.1", "198.51.100.1, 10.9.9.9"]), ip("198.51.100.1"));
        assert_eq!(sent("10.1.2.3", &["198.51.100.1:4711"]), ip("198.51.100.1"));
        assert_eq!(sent("2001:db8::1", &["[2001:470::7]:4711"]), ip("2001:470::7"));
        assert_eq!(sent("10.1.2.3", &["unknown"]), ip("10.1.2.3"));
        assert_eq!(sent("10.1.2.3", &[]), ip("10.1.2.3"));
        assert_eq!(sent("::ffff:10.1.2.3", &["198.51.100.1"]), ip("198.51.100.1"));
    }

    #[test]
    fn the_accepted_and_the_refused_networks_stay() {
        let refused = [
            "10.0.0.0/33",
            "host",
            "",
            "10.0.0.0/-1",
            "::/129",
            "10.0.0.0/",
            "/8",
            "10.0.0/8",
            "10.0.0.0/8/8",
            "10.0.0.0/ 8",
            "10.0.0.0 /8",
            "010.0.0.0/8",
            "[::1]/128",
            "fe80::1%eth0",
            "10.0.0.0/256",
        ];
        for text in refused {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
        let (inside, outside) = ("10.200.3.4", "11.0.0.1");
        for text in ["10.0.0.0/8", " 10.0.0.0/8 ", "10.1.2.3/8", "10.0.0.0/08", "10.0.0.0/008", "10.0.0.0/+8"]
        {
            let network: Network = text.parse().unwrap();
            assert!(network.contains(ip(inside)) && !network.contains(ip(outside)), "{text}");
            assert!(network.contains(ip("::ffff:10.1.1.1")), "{text}");
            assert!(!network.contains(ip("::a00:1")), "{text}");
        }
        let contains =
            |network: &str, address: &str| network.parse::<Network>().unwrap().contains(ip(address));
        assert!(contains("0.0.0.0/0", "8.8.8.8") && !contains("0.0.0.0/0", "2001:db8::1"));
        assert!(contains("::/0", "2001:db8::1") && !contains("::/0", "8.8.8.8"));
        assert!(contains("10.0.0.1", "10.0.0.1") && !contains("10.0.0.1", "10.0.0.2"));
        assert!(contains("2001:db8::/32", "2001:db8:1::1") && !contains("2001:db8::/32", "2001:db9::1"));
        assert!(contains("2001:db8::1", "2001:db8::1") && !contains("2001:db8::1", "2001:db8::2"));
    }

    #[test]
    fn a_customer_of_ipv6_is_one_subject() {
        assert_eq!(subject(ip("2001:db8:1:2:3:4:5:6")), subject(ip("2001:db8:1:2:ffff::1")));
        assert_ne!(subject(ip("2001:db8:1:2::1")), subject(ip("2001:db8:1:3::1")));
        assert_eq!(subject(ip("198.51.100.1")), ip("198.51.100.1"));
    }
}
