//! Certificates and policies of a listener.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{
    ClientHello, NoServerSessionStorage, ParsedCertificate, ProducesTickets, ResolvesServerCert,
    WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, InconsistentKeys, RootCertStore, ServerConfig, SupportedProtocolVersion,
};

use super::{TlsError, provider};

/// Tickets that a TLS 1.3 client gets after its handshake (RFC 8446 section 4.6.1). Clients of
/// this server keep one connection, so one is enough to come back with.
const TICKETS_PER_HANDSHAKE: usize = 1;

/// What a listener's TLS is configured with. Files are PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// At least one. A client gets the first one that is good for the name it asks for (SNI, RFC
    /// 6066 section 3) and whose key it can check; without a name, or with an unknown one, the
    /// first of all.
    pub certificates: Vec<CertificateFiles>,
    /// The oldest version that is spoken. Default: 1.2.
    pub min_version: TlsVersion,
    /// Whether clients show certificates. Default: they are not asked.
    pub client_auth: ClientAuth,
    /// Certificates of those who may have signed the clients' ones.
    pub client_ca: Option<PathBuf>,
    /// Whether clients may resume a session with a ticket, which saves both sides the public-key
    /// work of a handshake. Default: true.
    pub session_tickets: bool,
    /// Protocols that may be spoken inside (ALPN, RFC 7301), in order of preference. A client that
    /// offers others only is refused; with none here, nothing is negotiated.
    pub alpn: Vec<Vec<u8>>,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self {
            certificates: Vec::new(),
            min_version: TlsVersion::V1_2,
            client_auth: ClientAuth::Off,
            client_ca: None,
            session_tickets: true,
            alpn: Vec::new(),
        }
    }
}

/// A certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, followed by those that lead to a root.
    pub cert: PathBuf,
    /// Its private key: PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// RFC 5246.
    V1_2,
    /// RFC 8446.
    V1_3,
}

/// Whether clients show certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// They are not asked.
    #[default]
    Off,
    /// They are asked; who has none is let in, who has a bad one is not.
    Optional,
    /// Who has none is not let in.
    Required,
}

/// The TLS of one listener, shared by all reactors; cheap to clone.
///
/// What handshakes use can be exchanged while connections are open: those that exist keep what
/// they began with.
#[derive(Clone)]
pub struct TlsServer(Arc<Inner>);

struct Inner {
    /// Taken for the time of one clone, by handshakes and by reloads alone.
    current: RwLock<Current>,
}

#[derive(Clone)]
struct Current {
    config: Arc<ServerConfig>,
    clients: Clients,
    tickets: Option<Arc<dyn ProducesTickets>>,
}

/// What was demanded of clients when a ticket was given out.
#[derive(Clone, PartialEq)]
struct Clients {
    auth: ClientAuth,
    authorities: Vec<CertificateDer<'static>>,
}

impl fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsServer").finish_non_exhaustive()
    }
}

impl TlsServer {
    /// Reads and checks what `settings` name. A certificate that is not valid now is logged and
    /// used all the same: it may be all there is.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn load(settings: &TlsSettings) -> Result<Self, TlsError> {
        let current = Current::load(settings, None)?;
        let current = RwLock::new(current);
        Ok(Self(Arc::new(Inner { current })))
    }

    /// Reads and checks anew; handshakes that begin from here on use it. Tickets that were given
    /// out stay good, unless the new settings ask for other client certificates: a session that
    /// is resumed shows none.
    ///
    /// # Errors
    /// [`TlsError`]; then nothing is changed.
    pub fn reload(&self, settings: &TlsSettings) -> Result<(), TlsError> {
        let before = self.0.current.read().clone();
        let current = Current::load(settings, Some(&before))?;
        *self.0.current.write() = current;
        Ok(())
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.current.read().config)
    }
}

impl Current {
    fn load(settings: &TlsSettings, before: Option<&Self>) -> Result<Self, TlsError> {
        let resolver = Certificates::load(&settings.certificates)?;
        let clients = Clients::load(settings)?;
        let provider = provider();
        let versions: &[&SupportedProtocolVersion] = match settings.min_version {
            TlsVersion::V1_2 => &[&rustls::version::TLS13, &rustls::version::TLS12],
            TlsVersion::V1_3 => &[&rustls::version::TLS13],
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)?;
        let builder = match clients.verifier(settings)? {
            None => builder.with_no_client_auth(),
            Some(verifier) => builder.with_client_cert_verifier(verifier),
        };
        let mut config = builder.with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols.clone_from(&settings.alpn);
        // A cache in memory would be a lock and a queue of sessions for the same as a ticket does.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        let mut tickets = None;
        if settings.session_tickets {
            let kept = before
                .filter(|before| before.clients == clients)
                .and_then(|before| before.tickets.clone());
            let ticketer = match kept {
                Some(ticketer) => ticketer,
                None => rustls::crypto::ring::Ticketer::new()?,
            };
            config.ticketer = Arc::clone(&ticketer);
            config.send_tls13_tickets = TICKETS_PER_HANDSHAKE;
            tickets = Some(ticketer);
        }
        Ok(Self {
            config: Arc::new(config),
            clients,
            tickets,
        })
    }
}

impl Clients {
    fn load(settings: &TlsSettings) -> Result<Self, TlsError> {
        let authorities = match (settings.client_auth, &settings.client_ca) {
            (ClientAuth::Off, _) => Vec::new(),
            (_, None) => return Err(TlsError::NoClientAuthority),
            (_, Some(path)) => read_certificates(path)?,
        };
        Ok(Self {
            auth: settings.client_auth,
            authorities,
        })
    }

    fn verifier(
        &self,
        settings: &TlsSettings,
    ) -> Result<Option<Arc<dyn rustls::server::danger::ClientCertVerifier>>, TlsError> {
        let Some(path) = settings
            .client_ca
            .as_ref()
            .filter(|_| !self.authorities.is_empty())
        else {
            return Ok(None);
        };
        let roots = roots(path, &self.authorities)?;
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
        let builder = match self.auth {
            ClientAuth::Optional => builder.allow_unauthenticated(),
            ClientAuth::Off | ClientAuth::Required => builder,
        };
        let bad = |what| bad_file(path, what);
        builder.build().map(Some).map_err(bad)
    }
}

/// The roots that a file of certificates holds.
pub(super) fn roots(
    path: &Path,
    certificates: &[CertificateDer<'static>],
) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots
            .add(certificate.clone())
            .map_err(|error| bad_file(path, error))?;
    }
    Ok(roots)
}

/// The certificates of a listener.
#[derive(Debug)]
struct Certificates(Vec<Arc<CertifiedKey>>);

impl Certificates {
    fn load(files: &[CertificateFiles]) -> Result<Self, TlsError> {
        if files.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        let load = |files| load_certificate(files).map(Arc::new);
        files.iter().map(load).collect::<Result<_, _>>().map(Self)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let usable =
            |key: &&Arc<CertifiedKey>| key.key.choose_scheme(hello.signature_schemes()).is_some();
        let named = hello.server_name().and_then(|name| {
            let name = ServerName::try_from(name).ok()?;
            let mut good = self.0.iter().filter(|key| is_good_for(key, &name));
            good.clone().find(usable).or_else(|| good.next())
        });
        named
            .or_else(|| self.0.iter().find(usable))
            .or_else(|| self.0.first())
            .cloned()
    }
}

fn is_good_for(key: &CertifiedKey, name: &ServerName<'_>) -> bool {
    key.end_entity_cert()
        .and_then(ParsedCertificate::try_from)
        .is_ok_and(|certificate| verify_server_name(&certificate, name).is_ok())
}

fn load_certificate(files: &CertificateFiles) -> Result<CertifiedKey, TlsError> {
    let CertificateFiles { cert, key } = files;
    let chain = read_certificates(cert)?;
    ParsedCertificate::try_from(&chain[0]).map_err(|error| bad_file(cert, error))?;
    let private =
        PrivateKeyDer::from_pem_file(key).map_err(|error| pem_error(key, error, "key"))?;
    let certified =
        CertifiedKey::from_der(chain, private, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                TlsError::KeyMismatch {
                    cert: cert.clone(),
                    key: key.clone(),
                }
            }
            error => bad_file(key, error),
        })?;
    if let Some(what) = out_of_date(&certified) {
        tracing::warn!(certificate = %cert.display(), "{what}");
    }
    Ok(certified)
}

/// What is wrong with the time for which a certificate is valid.
///
/// Its time is looked at before the path to a root is, of which there is none here.
fn out_of_date(key: &CertifiedKey) -> Option<&'static str> {
    let certificate = ParsedCertificate::try_from(&key.cert[0]).ok()?;
    let checked = verify_server_cert_signed_by_trust_anchor(
        &certificate,
        &RootCertStore::empty(),
        &[],
        UnixTime::now(),
        provider().signature_verification_algorithms.all,
    );
    match checked {
        Err(rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        )) => Some("the certificate has expired"),
        Err(rustls::Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        )) => Some("the certificate is not valid yet"),
        _ => None,
    }
}

/// The certificates in a file; at least one.
pub(super) fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| pem_error(path, error, "certificate"))?;
    if certificates.is_empty() {
        return Err(pem_error(path, pem::Error::NoItemsFound, "certificate"));
    }
    Ok(certificates)
}

fn pem_error(path: &Path, error: pem::Error, wanted: &str) -> TlsError {
    match error {
        pem::Error::Io(error) => TlsError::Unreadable {
            path: path.to_owned(),
            error,
        },
        pem::Error::NoItemsFound => bad_file(path, format_args!("no {wanted} in PEM found")),
        error => bad_file(path, error),
    }
}

fn bad_file(path: &Path, what: impl fmt::Display) -> TlsError {
    TlsError::BadFile {
        path: path.to_owned(),
        what: what.to_string(),
    }
}
