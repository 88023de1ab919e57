//! TLS 1.2 and 1.3 by rustls (RFC 5246, RFC 8446): settings of listeners, which can be read anew
//! while connections are open, settings of outgoing connections, and the session of one connection.
//!
//! ```text
//!   server    TlsSettings, what was configured; TlsServer, what handshakes use
//!   client    TlsClient: whom to trust, and whom to expect
//!   session   Session: records in, plaintext and records out; owns keys and no buffers
//!   stream    Sealed: a socket that seals what is written to it
//! ```

mod client;
mod error;
mod server;
pub(crate) mod session;
pub(crate) mod stream;

#[cfg(test)]
mod tests;

pub use client::TlsClient;
pub use error::TlsError;
pub use server::{CertificateFiles, ClientAuth, TlsServer, TlsSettings, TlsVersion};

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// What is spoken inside, for listeners and clients of HTTP and WebSocket (RFC 7301 section 6).
pub const ALPN_HTTP: &[u8] = b"http/1.1";
/// What a listener that speaks HTTP agrees to, in this order: some clients ask for HTTP/1.0 by its
/// own name.
pub const ALPN_HTTP_VERSIONS: [&[u8]; 2] = [ALPN_HTTP, b"http/1.0"];

/// How the connections of a profile are secured.
#[derive(Clone, Debug)]
pub enum Tls {
    /// Accepted ones.
    Server(TlsServer),
    /// Outgoing ones.
    Client(TlsClient),
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
