//! What is wrong with settings of TLS.

use std::path::PathBuf;

/// Settings cannot be used. Says which file, and what is wrong with it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A listener needs a certificate.
    #[error("no certificate is configured")]
    NoCertificate,
    /// Clients are asked for certificates, but nobody is named who may have signed them.
    #[error("client certificates are asked for, but client_ca is not set")]
    NoClientAuthority,
    /// A file could not be read.
    #[error("cannot read {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the host answered.
        #[source]
        error: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{}: {what}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is missing or wrong.
        what: String,
    },
    /// A certificate and a key do not belong together.
    #[error("the key {} does not match the certificate {}", key.display(), cert.display())]
    KeyMismatch {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// A name of a server that is neither a DNS name nor an address.
    #[error("{0:?} is no name of a server")]
    BadServerName(String),
    /// The cryptographic library refuses the settings.
    #[error("{0}")]
    Refused(#[from] rustls::Error),
}
