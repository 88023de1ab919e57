//! For whom a proxy speaks, as it says in header fields: X-Forwarded-For, and Forwarded (RFC 7239).
//!
//! Each proxy adds the address that it was asked from at the right end. So the list is read from
//! there, and only as far as proxies have written it that are trusted: what stands further left a
//! client may have made up.

use std::net::{IpAddr, SocketAddr};

use network::codec::http::Headers;

use crate::proxy::TrustedProxies;

/// The client behind `peer`, who is a trusted proxy. The port is 0 where no proxy tells it.
///
/// Where an address is missing or unreadable, the client is taken to be the last trusted proxy
/// that is known. So it is where both fields are there and name different clients: one of them is
/// then not written by the proxies, but was passed on by them.
pub(crate) fn client(
    headers: Headers<'_>,
    peer: SocketAddr,
    trusted: &TrustedProxies,
) -> SocketAddr {
    let walked = |name: &str, read: fn(&str) -> Vec<Option<SocketAddr>>| {
        let hops: Vec<_> = headers
            .iter()
            .filter(|(field, _)| field.eq_ignore_ascii_case(name))
            .flat_map(|(_, value)| match std::str::from_utf8(value) {
                Ok(value) => read(value),
                Err(_) => vec![None],
            })
            .collect();
        (!hops.is_empty()).then(|| walk(&hops, peer, trusted))
    };
    let customary = walked("x-forwarded-for", customary_hops);
    let standard = walked("forwarded", standard_hops);
    match (customary, standard) {
        (Some(a), Some(b)) if a.ip() != b.ip() => peer,
        (Some(a), Some(b)) if a.port() == 0 => b,
        (Some(client), _) | (None, Some(client)) => client,
        (None, None) => peer,
    }
}

/// The host for which the client has asked the first proxy, if a proxy says so.
pub(crate) fn host<'a>(headers: Headers<'a>) -> Option<&'a str> {
    let hosts = headers.get("x-forwarded-host")?;
    hosts.split(',').next().map(str::trim)
}

/// Goes from proxy to proxy as long as they are trusted.
fn walk(hops: &[Option<SocketAddr>], peer: SocketAddr, trusted: &TrustedProxies) -> SocketAddr {
    let mut last = peer;
    for hop in hops.iter().rev() {
        let Some(hop) = *hop else {
            return last;
        };
        last = hop;
        if !trusted.contains(hop.ip()) {
            return hop;
        }
    }
    last
}

/// Addresses with commas between. There is no standard; some proxies add ports, and brackets.
fn customary_hops(value: &str) -> Vec<Option<SocketAddr>> {
    let hop = |text: &str| {
        let bare = |text: &str| text.parse::<IpAddr>().ok().map(|ip| (ip, 0).into());
        let bracketed = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'));
        bare(text)
            .or_else(|| text.parse().ok())
            .or_else(|| bare(bracketed.filter(|inner| inner.contains(':'))?))
    };
    value.split(',').map(|text| hop(text.trim())).collect()
}

/// Elements with commas between, each of them pairs with semicolons between (RFC 7239 section 4).
fn standard_hops(value: &str) -> Vec<Option<SocketAddr>> {
    split_unquoted(value, ',').map(standard_hop).collect()
}

/// The address in the one `for` of an element.
fn standard_hop(element: &str) -> Option<SocketAddr> {
    let mut node = None;
    for pair in split_unquoted(element, ';') {
        let (name, value) = pair.trim().split_once('=')?;
        if name.eq_ignore_ascii_case("for") && node.replace(unquote(value)?).is_some() {
            return None;
        }
    }
    let node = node?;
    // Section 6: an IPv6 address has brackets, also without a port. "unknown" and names that begin
    // with an underscore hide the address, and ports may be hidden in the same way.
    let (host, port) = match node.rfind(']') {
        Some(end) => node.split_at(end + 1),
        None => node.split_at(node.find(':').unwrap_or(node.len())),
    };
    let ip = match host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
    {
        Some(v6) => IpAddr::V6(v6.parse().ok()?),
        None => IpAddr::V4(host.parse().ok()?),
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => 0,
        Some(hidden) if hidden.starts_with('_') => 0,
        Some(port) => port.parse().ok()?,
        None => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// A token as it is, or what stands in quotes. No address has anything in it that would need a
/// backslash.
fn unquote(value: &str) -> Option<&str> {
    if let Some(quoted) = value.strip_prefix('"') {
        return quoted
            .strip_suffix('"')
            .filter(|inner| !inner.contains(['"', '\\']));
    }
    let in_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    value.bytes().all(in_token).then_some(value)
}

/// Splits where `separator` stands outside of quoted strings (RFC 9110 section 5.6.4).
fn split_unquoted(value: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    value.split(move |c| {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => return c == separator && !quoted,
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The client that is found behind 10.0.0.1, where 10.0.0.0/8 and fd00::/8 are trusted.
    fn found(lines: &str) -> String {
        let trusted = TrustedProxies::parse(["10.0.0.0/8", "fd00::/8"]).unwrap();
        let peer = "10.0.0.1:5000".parse().unwrap();
        client(Headers::from_checked(lines.as_bytes()), peer, &trusted).to_string()
    }

    #[test]
    fn x_forwarded_for() {
        for (value, expected) in [
            ("192.0.2.1", "192.0.2.1:0"),
            ("192.0.2.1:4711", "192.0.2.1:4711"),
            ("2001:db8::1", "[2001:db8::1]:0"),
            ("[2001:db8::1]", "[2001:db8::1]:0"),
            ("[2001:db8::1]:4711", "[2001:db8::1]:4711"),
            // What a client sends stands on the left of what the proxies have seen.
            ("127.0.0.1, 192.0.2.1", "192.0.2.1:0"),
            ("10.0.0.9, 192.0.2.1", "192.0.2.1:0"),
            ("unknown, 192.0.2.1", "192.0.2.1:0"),
            ("192.0.2.1, 10.0.0.2, 10.0.0.3", "192.0.2.1:0"),
            ("192.0.2.1,fd00::2 ,\t10.0.0.3", "192.0.2.1:0"),
            ("192.0.2.1, ::ffff:10.0.0.2", "192.0.2.1:0"),
            ("192.0.2.9, 192.0.2.1, 10.0.0.2", "192.0.2.1:0"),
            // Nobody but proxies: the first of them has asked by itself.
            ("10.0.0.3, 10.0.0.2", "10.0.0.3:0"),
            // As far as it can be read.
            ("192.0.2.1, unknown", "10.0.0.1:5000"),
            ("192.0.2.1, unknown, 10.0.0.2", "10.0.0.2:0"),
            ("192.0.2.1, , 10.0.0.2", "10.0.0.2:0"),
            ("192.0.2.1, 10.0.0.2,", "10.0.0.1:5000"),
            ("", "10.0.0.1:5000"),
            ("192.0.2.256", "10.0.0.1:5000"),
            ("192.0.2.1:99999", "10.0.0.1:5000"),
            ("[192.0.2.1]", "10.0.0.1:5000"),
            ("for=192.0.2.1", "10.0.0.1:5000"),
            ("\"192.0.2.1\"", "10.0.0.1:5000"),
        ] {
            assert_eq!(
                found(&format!("X-Forwarded-For: {value}\r\n")),
                expected,
                "{value}"
            );
        }
        let lines = "X-Forwarded-For: 192.0.2.9\r\nx-forwarded-for: 192.0.2.1\r\n";
        assert_eq!(found(lines), "192.0.2.1:0");
    }

    #[test]
    fn forwarded() {
        for (value, expected) in [
            ("for=192.0.2.1", "192.0.2.1:0"),
            ("For=\"192.0.2.1:4711\";proto=https", "192.0.2.1:4711"),
            ("proto=http; by=203.0.113.43 ;for=192.0.2.1", "192.0.2.1:0"),
            ("for=\"[2001:db8::1]\"", "[2001:db8::1]:0"),
            ("for=\"[2001:db8::1]:4711\"", "[2001:db8::1]:4711"),
            ("for=\"192.0.2.1:_hidden\"", "192.0.2.1:0"),
            (
                "for=192.0.2.9, for=192.0.2.1;by=\"a,b;for=x\", for=10.0.0.2",
                "192.0.2.1:0",
            ),
            ("for=unknown, for=192.0.2.1", "192.0.2.1:0"),
            ("for=_hidden", "10.0.0.1:5000"),
            ("for=unknown", "10.0.0.1:5000"),
            ("for=192.0.2.1, for=_hidden, for=10.0.0.2", "10.0.0.2:0"),
            ("proto=https", "10.0.0.1:5000"),
            ("for=192.0.2.1;for=192.0.2.1", "10.0.0.1:5000"),
            ("for=192.0.2.1:4711", "10.0.0.1:5000"),
            ("for=[2001:db8::1]", "10.0.0.1:5000"),
            ("for=\"2001:db8::1\"", "10.0.0.1:5000"),
            ("for=\"192.0.2.1", "10.0.0.1:5000"),
            ("for=\"192.0.2.1\\\"", "10.0.0.1:5000"),
            ("for", "10.0.0.1:5000"),
            ("for=", "10.0.0.1:5000"),
            ("", "10.0.0.1:5000"),
        ] {
            assert_eq!(
                found(&format!("Forwarded: {value}\r\n")),
                expected,
                "{value}"
            );
        }
    }

    #[test]
    fn two_fields_that_differ_say_nothing() {
        let both = |a: &str, b: &str| found(&format!("X-Forwarded-For: {a}\r\nForwarded: {b}\r\n"));
        assert_eq!(both("192.0.2.1", "for=\"192.0.2.1:5\""), "192.0.2.1:5");
        assert_eq!(both("192.0.2.1:5", "for=192.0.2.1"), "192.0.2.1:5");
        assert_eq!(both("192.0.2.1", "for=192.0.2.2"), "10.0.0.1:5000");
        assert_eq!(both("192.0.2.1", "for=unknown"), "10.0.0.1:5000");
        assert_eq!(found(""), "10.0.0.1:5000");
    }

    #[test]
    fn the_host_is_the_one_of_the_first_proxy() {
        let of = |lines: &'static str| host(Headers::from_checked(lines.as_bytes()));
        assert_eq!(
            of("X-Forwarded-Host: a.example:81\r\n"),
            Some("a.example:81")
        );
        assert_eq!(of("X-Forwarded-Host: a.example , b\r\n"), Some("a.example"));
        assert_eq!(of("Host: a\r\n"), None);
    }
}
