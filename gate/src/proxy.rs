//! Whose word about a client's address is taken.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use ipnet::IpNet;

/// Networks of the proxies that stand in front of a listener. What they say about the address of a
/// client is believed; what anybody else says about it is not.
///
/// Cheap to clone: the list is shared. The default trusts nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Arc<[IpNet]>);

impl TrustedProxies {
    /// Parses networks (`10.0.0.0/8`, `fd00::/8`) and single addresses (`192.0.2.7`).
    ///
    /// # Errors
    /// The first text that is neither.
    pub fn parse<T: AsRef<str>>(networks: impl IntoIterator<Item = T>) -> Result<Self, BadNetwork> {
        let parse = |text: T| network(text.as_ref());
        networks
            .into_iter()
            .map(parse)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether `address` is one of a trusted proxy. IPv4 addresses count as such also where an
    /// IPv6 socket has mapped them (`::ffff:10.0.0.1`).
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Whether nobody is trusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The networks as they are written.
    pub fn iter(&self) -> impl Iterator<Item = String> + use<'_> {
        self.0.iter().map(ToString::to_string)
    }
}

fn network(text: &str) -> Result<IpNet, BadNetwork> {
    let text = text.trim();
    if text.contains('/') {
        return IpNet::from_str(text)
            .map(|network| network.trunc())
            .map_err(|_| BadNetwork(text.to_owned()));
    }
    IpAddr::from_str(text)
        .map(IpNet::from)
        .map_err(|_| BadNetwork(text.to_owned()))
}

/// A text that is neither a network nor an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadNetwork(String);

impl fmt::Display for BadNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(text) = self;
        write!(
            f,
            "{text:?} is neither a network like 10.0.0.0/8 nor an address"
        )
    }
}

impl std::error::Error for BadNetwork {}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn networks_and_addresses_of_both_families_are_matched() {
        let trusted = TrustedProxies::parse(["10.1.2.3/8", "192.0.2.7", "fd00::/8"]).unwrap();
        for inside in ["10.255.0.1", "192.0.2.7", "fd12::1", "::ffff:10.0.0.1"] {
            assert!(trusted.contains(address(inside)), "{inside}");
        }
        for outside in ["11.0.0.1", "192.0.2.8", "fe80::1", "::ffff:11.0.0.1"] {
            assert!(!trusted.contains(address(outside)), "{outside}");
        }
        let written: Vec<_> = trusted.iter().collect();
        assert_eq!(written, ["10.0.0.0/8", "192.0.2.7/32", "fd00::/8"]);
    }

    #[test]
    fn nobody_is_trusted_unless_named() {
        assert!(TrustedProxies::default().is_empty());
        assert!(!TrustedProxies::default().contains(address("127.0.0.1")));
    }

    #[test]
    fn what_is_no_network_is_named() {
        for bad in [
            "",
            "10.0.0.0/33",
            "10.0.0",
            "localhost",
            "::/129",
            "10.0.0.0/",
        ] {
            let error = TrustedProxies::parse(["::1", bad]).expect_err(bad);
            assert!(
                error.to_string().starts_with(&format!("{bad:?}")),
                "{error}"
            );
        }
    }
}
