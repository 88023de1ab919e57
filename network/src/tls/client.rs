//! Whom an outgoing connection trusts, and whom it expects.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use super::server::{read_certificates, roots};
use super::{TlsError, provider};

/// The TLS of outgoing connections to one server; cheap to clone.
///
/// Every connection makes a full handshake: sessions are not resumed.
#[derive(Clone, Debug)]
pub struct TlsClient {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl TlsClient {
    /// Trusts servers whose certificate was signed by one of those in the PEM file `roots`, and is
    /// good for `name`, a DNS name or an address. `alpn` are the protocols to offer.
    ///
    /// # Errors
    /// [`TlsError`], if the file holds no certificate or the name is none.
    pub fn trusting(roots: &Path, name: &str, alpn: &[&[u8]]) -> Result<Self, TlsError> {
        let certificates = read_certificates(roots)?;
        let roots = Arc::new(self::roots(roots, &certificates)?);
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider())
            .build()
            .map_err(|error| Error::General(error.to_string()))?;
        Self::with_verifier(verifier, name, alpn)
    }

    /// Trusts every server, whoever it is: for load tests only.
    ///
    /// # Errors
    /// [`TlsError`], if the name is none.
    pub fn accepting_any_certificate(name: &str, alpn: &[&[u8]]) -> Result<Self, TlsError> {
        Self::with_verifier(Arc::new(AnyCertificate(provider())), name, alpn)
    }

    fn with_verifier(
        verifier: Arc<dyn ServerCertVerifier>,
        name: &str,
        alpn: &[&[u8]],
    ) -> Result<Self, TlsError> {
        let bad_name = |_| TlsError::BadServerName(name.to_owned());
        let server = ServerName::try_from(name.to_owned()).map_err(bad_name)?;
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        config.resumption = Resumption::disabled();
        Ok(Self {
            config: Arc::new(config),
            name: server,
        })
    }

    /// What rustls needs for a connection of its own.
    #[must_use]
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    /// The server that is expected.
    #[must_use]
    pub fn server_name(&self) -> ServerName<'static> {
        self.name.clone()
    }
}

/// Checks that the server has the key of the certificate that it shows, and nothing else.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
