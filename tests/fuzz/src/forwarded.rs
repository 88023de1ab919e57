//! For whom a proxy speaks: what a client can write in front of what the proxies have written
//! changes nothing.
//!
//! The input is two values of a field with an empty line between: the client's, and the proxy's.

use std::net::SocketAddr;

use gate::TrustedProxies;

/// See above.
pub fn check(input: &[u8]) {
    let (name, input) = match input.split_first() {
        Some((b'f', rest)) => ("Forwarded", rest),
        Some((_, rest)) => ("X-Forwarded-For", rest),
        None => return,
    };
    if input.contains(&b'\r') {
        return;
    }
    let mut parts = input.split(|&byte| byte == b'\n');
    let (made_up, written) = (parts.next(), parts.next());
    let trusted = TrustedProxies::parse(["10.0.0.0/8", "fd00::/8"]).expect("two networks");
    let peer: SocketAddr = "10.0.0.1:5000".parse().expect("an address");
    let client = |values: &[&[u8]]| {
        let mut lines = Vec::new();
        for value in values {
            lines.extend_from_slice(name.as_bytes());
            lines.extend_from_slice(b": ");
            lines.extend_from_slice(value);
            lines.extend_from_slice(b"\r\n");
        }
        gate::fuzz::forwarded_client(&lines, peer, &trusted)
    };
    let made_up = made_up.unwrap_or_default();
    let alone = client(&[made_up]);
    let written = written.unwrap_or_default();
    let seen = client(&[written]);
    if !trusted.contains(seen.ip()) {
        assert_eq!(client(&[made_up, written]), seen);
    }
    // A list goes on from field to field, so an empty one in front adds a hop that cannot be read.
    if !trusted.contains(alone.ip()) {
        assert_eq!(client(&[b"unknown", made_up]), alone);
    }
}
