//! The header by which a proxy says for whom it speaks: PROXY protocol, versions 1 and 2 (HAProxy,
//! "The PROXY protocol", sections 2.1 and 2.2).

use std::net::SocketAddr;

use proxy_header::{Error, ParseConfig, ProxyHeader};

/// A header of version 1 has 107 bytes at most, CRLF included (section 2.1).
const V1_BYTES_MAX: usize = 107;
/// Bytes of version 2 in front of what its length counts (section 2.2).
const V2_FIXED_BYTES: usize = 16;
/// A longer header is refused. The addresses take 36 bytes; what else proxies say (of TLS, of
/// their cloud) some hundred.
pub(crate) const HEADER_BYTES_MAX: usize = 2048;

/// A header that was found whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Its bytes.
    pub(crate) bytes: usize,
    /// The client; `None` if the proxy speaks for itself, or does not know.
    pub(crate) client: Option<SocketAddr>,
}

/// There is no header where there must be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoHeader;

/// Parses a header from the front of `input`; `None` until it is whole.
pub(crate) fn parse(input: &[u8]) -> Result<Option<Header>, NoHeader> {
    let bytes_max = bytes_max(input);
    let is_line = input.first() == Some(&b'P');
    // The parser takes any byte for the blank.
    if bytes_max > HEADER_BYTES_MAX || (is_line && input.get(5).is_some_and(|&byte| byte != b' ')) {
        return Err(NoHeader);
    }
    let config = ParseConfig {
        include_tlvs: false,
        ..ParseConfig::default()
    };
    match ProxyHeader::parse(input, config) {
        // A line ends at its first line feed, whatever comes with it in one read.
        Ok((_, bytes)) if is_line && input[..bytes - 1].contains(&b'\n') => Err(NoHeader),
        Ok((header, bytes)) if bytes <= bytes_max => Ok(Some(Header {
            bytes,
            client: header.proxied_address().map(|address| address.source),
        })),
        // The parser says so also of a header that ends before its addresses do.
        Err(Error::BufferTooShort)
            if input.len() < bytes_max && !(is_line && input.contains(&b'\n')) =>
        {
            Ok(None)
        }
        _ => Err(NoHeader),
    }
}

/// Bytes that the header at the front of `input` has, at most.
fn bytes_max(input: &[u8]) -> usize {
    match (input.first(), input.get(V2_FIXED_BYTES - 2..V2_FIXED_BYTES)) {
        (Some(b'\r'), Some(length)) => {
            V2_FIXED_BYTES + usize::from(u16::from_be_bytes([length[0], length[1]]))
        }
        (Some(b'\r'), None) => V2_FIXED_BYTES,
        _ => V1_BYTES_MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let mut header = V2_SIGNATURE.to_vec();
        header.extend_from_slice(&[command, family]);
        header.extend_from_slice(&(rest.len() as u16).to_be_bytes());
        header.extend_from_slice(rest);
        header
    }

    fn ipv4() -> Vec<u8> {
        let mut rest = vec![192, 0, 2, 1, 198, 51, 100, 1];
        rest.extend_from_slice(&56324u16.to_be_bytes());
        rest.extend_from_slice(&443u16.to_be_bytes());
        rest
    }

    fn good() -> Vec<(Vec<u8>, Option<&'static str>)> {
        let mut with_tlv = ipv4();
        with_tlv.extend_from_slice(&[0x04, 0, 3, 1, 2, 3]);
        let mut ipv6 = [[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]; 2].concat();
        ipv6.extend_from_slice(&[0x10, 0, 0x01, 0xbb]);
        vec![
            (
                b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n".to_vec(),
                Some("192.0.2.1:56324"),
            ),
            (
                b"PROXY TCP6 2001:db8::7 2001:db8::1 4096 443\r\n".to_vec(),
                Some("[2001:db8::7]:4096"),
            ),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (
                b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n".to_vec(),
                None,
            ),
            (v2(0x21, 0x11, &ipv4()), Some("192.0.2.1:56324")),
            (v2(0x21, 0x11, &with_tlv), Some("192.0.2.1:56324")),
            (v2(0x21, 0x21, &ipv6), Some("[2001:db8::7]:4096")),
            (v2(0x20, 0x00, &[]), None),
            (v2(0x21, 0x00, &[]), None),
        ]
    }

    #[test]
    fn headers_are_found_once_they_are_whole_and_end_where_they_do() {
        for (header, client) in good() {
            let mut input = header.clone();
            input.extend_from_slice(b"GET / HTTP/1.1\r\n\r\n");
            for cut in 0..header.len() {
                assert_eq!(parse(&input[..cut]), Ok(None), "cut at {cut}");
            }
            let whole = Header {
                bytes: header.len(),
                client: client.map(|client| client.parse().expect("an address")),
            };
            for cut in header.len()..=input.len() {
                assert_eq!(parse(&input[..cut]), Ok(Some(whole)), "cut at {cut}");
            }
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(V1_BYTES_MAX));
        for bad in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            b"\x16\x03\x01\x02\x00",
            b"PROXY TCP4 192.0.2.300 198.51.100.1 56324 443\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 66000\r\n",
            b"PROXY UDP4 192.0.2.1 198.51.100.1 56324 443\r\n",
            b"PROXY TCP4 192.0.2.1\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n",
            b"PROXY-TCP4 192.0.2.1 198.51.100.1 56324 443\r\n",
            b"PROXY UNKNOWN ffff::1\n 6553\r\n",
            b"PROXX TCP4 192.0.2.1 198.51.100.1 56324 443\r\n",
            long.as_bytes(),
            &v2(0x31, 0x11, &ipv4()),
            &v2(0x21, 0x44, &ipv4()),
            &v2(0x21, 0x21, &ipv4()),
            // It is refused by its length, without waiting for the rest.
            &v2(0x21, 0x11, &[0; HEADER_BYTES_MAX])[..V2_FIXED_BYTES],
        ] {
            assert_eq!(parse(bad), Err(NoHeader), "{}", bad.escape_ascii());
        }
    }
}
