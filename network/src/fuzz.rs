//! The parsers that fuzz targets reach although nobody outside may use them. No part of the
//! interface. A reactor stepped by hand is in `reactor/fuzz.rs`.

use std::net::SocketAddr;

use crate::codec::ProtocolError;
use crate::codec::ws::utf8;
use crate::transport::proxy;

/// Whole characters at the front of `bytes`, in bytes; the rest is the beginning of another one.
///
/// # Errors
/// `InvalidUtf8` if nothing that may follow makes them text.
pub fn utf8_prefix(bytes: &[u8]) -> Result<usize, ProtocolError> {
    utf8::valid_prefix(bytes)
}

/// The header of the PROXY protocol at the front of `input`: its bytes and the client that it
/// names; `None` until it is whole.
///
/// # Errors
/// If there is none.
#[expect(clippy::result_unit_err, reason = "the parser says no more")]
pub fn proxy_header(input: &[u8]) -> Result<Option<(usize, Option<SocketAddr>)>, ()> {
    match proxy::parse(input) {
        Ok(header) => Ok(header.map(|header| (header.bytes, header.client))),
        Err(proxy::NoHeader) => Err(()),
    }
}
