//! Certificates for tests, and clients that speak TLS by another implementation than the reactor's
//! way of using it.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use gate::{CertificateFiles, ClientAuth, TlsServer, TlsSettings};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;

/// Name that the first certificate of a test server is good for.
pub const SERVER: &str = "gatehouse.test";

/// An authority that signs certificates, with a directory to keep them in.
#[derive(Debug)]
pub struct Authority {
    dir: TempDir,
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// An authority of its own.
    ///
    /// # Panics
    /// If there is no room for its files.
    #[must_use]
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("room for a directory");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        fs::write(dir.path().join("ca.pem"), certificate.pem()).expect("room for a file");
        Self {
            dir,
            certificate: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    /// The authority's own certificate.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// Where [`Authority::issue`] puts its files.
    #[must_use]
    pub fn files(&self, label: &str) -> CertificateFiles {
        CertificateFiles {
            cert: self.dir.path().join(format!("{label}.pem")),
            key: self.dir.path().join(format!("{label}.key")),
        }
    }

    /// Writes a certificate for `names` and its key, over those that this label had.
    ///
    /// # Panics
    /// If they cannot be made.
    pub fn issue(&self, label: &str, names: &[&str]) -> CertificateFiles {
        self.issue_with(label, names, |_| {})
    }

    /// The same, with something changed in the certificate.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn issue_with(
        &self,
        label: &str,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> CertificateFiles {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).expect("names that a certificate takes");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let files = self.files(label);
        fs::write(&files.cert, certificate.pem()).expect("room for a file");
        fs::write(&files.key, key.serialize_pem()).expect("room for a file");
        files
    }

    /// Settings of a server with a certificate for [`SERVER`].
    #[must_use]
    pub fn settings(&self) -> TlsSettings {
        TlsSettings {
            certificates: vec![self.issue("server", &[SERVER, "127.0.0.1"])],
            ..TlsSettings::default()
        }
    }

    /// The same, asking clients for certificates of this authority.
    #[must_use]
    pub fn settings_asking(&self, client_auth: ClientAuth) -> TlsSettings {
        TlsSettings {
            client_auth,
            client_ca: Some(self.file()),
            ..self.settings()
        }
    }

    /// A server with a certificate for [`SERVER`].
    ///
    /// # Panics
    /// If the files are not right.
    #[must_use]
    pub fn server(&self) -> TlsServer {
        TlsServer::load(&self.settings()).expect("files that were just written")
    }

    /// A client that trusts this authority.
    #[must_use]
    pub fn client(&self) -> ClientConfig {
        self.client_with(&[&rustls::version::TLS13, &rustls::version::TLS12], None)
    }

    /// The same that speaks these versions, with a certificate to show.
    ///
    /// # Panics
    /// If its files are not right.
    #[must_use]
    pub fn client_with(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        identity: Option<&CertificateFiles>,
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("versions that the provider speaks")
            .with_root_certificates(roots);
        match identity {
            None => builder.with_no_client_auth(),
            Some(files) => builder
                .with_client_auth_cert(vec![certificate(files)], key(files))
                .expect("a certificate and its key"),
        }
    }
}

/// The certificate in a file.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn certificate(files: &CertificateFiles) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(&files.cert).expect("a certificate")
}

fn key(files: &CertificateFiles) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_file(&files.key).expect("a key")
}
