//! TLS and proxies of a listener: what was typed, what it means, and the way back.

use std::path::{Path, PathBuf};

use gate::{
    ALPN_HTTP_VERSIONS, CertificateFiles, ClientAuth, TlsSettings, TlsVersion, TrustedProxies,
};
use toml::Spanned;

use super::check::{Check, Checked, or};
use super::raw::{
    ClientAuthName, FramingName, MinVersion, ProxyProtocol, RawCertificate, RawListener, RawTls,
    Typed,
};
use super::typed::typed;

impl Check<'_> {
    /// The settings of `[listener.tls]`. The files are not read here.
    pub(super) fn tls(&self, raw: &RawListener) -> Checked<Option<TlsSettings>> {
        let Some(section) = &raw.tls else {
            return Ok(None);
        };
        let tls = section.get_ref();
        let certificates = match &tls.certificates {
            Some(certificates) if certificates.get_ref().is_empty() => {
                return self.refuse(certificates, "TLS needs a certificate");
            }
            Some(certificates) => certificates.get_ref(),
            None => {
                let message = "[listener.tls] needs `certificates = [{ cert = \"FILE\", \
                               key = \"FILE\" }]`";
                return self.refuse(section, message);
            }
        };
        let certificates = certificates.iter().map(|files| CertificateFiles {
            cert: self.path(&files.cert),
            key: self.path(&files.key),
        });
        let client_auth = match or(&tls.client_auth, ClientAuthName::Off) {
            ClientAuthName::Off => ClientAuth::Off,
            ClientAuthName::Optional => ClientAuth::Optional,
            ClientAuthName::Required => ClientAuth::Required,
        };
        match (client_auth, &tls.client_ca, &tls.client_auth) {
            (ClientAuth::Off, Some(ca), _) => {
                return self.refuse(ca, "client_ca is of no use while client_auth is \"off\"");
            }
            (ClientAuth::Optional | ClientAuth::Required, None, Some(auth)) => {
                let message = "client_auth needs `client_ca = \"FILE\"`: the certificates of \
                               those who may have signed the clients' ones";
                return self.refuse(auth, message);
            }
            _ => {}
        }
        let is_http = or(&raw.framing, FramingName::WebSocket) == FramingName::WebSocket;
        Ok(Some(TlsSettings {
            certificates: certificates.collect(),
            min_version: match or(&tls.min_version, MinVersion::V1_2) {
                MinVersion::V1_2 => TlsVersion::V1_2,
                MinVersion::V1_3 => TlsVersion::V1_3,
            },
            client_auth,
            client_ca: tls.client_ca.as_ref().map(|ca| self.path(ca.get_ref())),
            session_tickets: or(&tls.session_tickets, true),
            alpn: ALPN_HTTP_VERSIONS
                .iter()
                .filter(|_| is_http)
                .map(|name| name.to_vec())
                .collect(),
        }))
    }

    /// Whether proxies must say for whom they speak; `trusted` are those whose word is taken.
    pub(super) fn proxy_protocol(
        &self,
        raw: &RawListener,
        trusted: &TrustedProxies,
    ) -> Checked<bool> {
        let required = or(&raw.proxy_protocol, ProxyProtocol::Off) == ProxyProtocol::Required;
        if let Some(typed) = raw.proxy_protocol.as_ref().filter(|_| required)
            && trusted.is_empty()
        {
            let message = "nobody would be let in: name the proxies in `trusted_proxies = \
                           [\"10.0.0.0/8\"]`";
            return self.refuse(typed, message);
        }
        Ok(required)
    }

    /// A path of the file, from where the file is.
    pub(super) fn path(&self, typed: &str) -> PathBuf {
        let path = self.sources.directory().join(typed);
        // Where there is no working directory, the path stays what it is.
        std::path::absolute(&path).unwrap_or(path)
    }
}

/// The section that means these settings.
pub(super) fn tls_to_typed(settings: &TlsSettings) -> RawTls {
    let text = |path: &Path| path.display().to_string();
    let certificate = |files: &CertificateFiles| RawCertificate {
        cert: text(&files.cert),
        key: text(&files.key),
    };
    RawTls {
        certificates: typed(settings.certificates.iter().map(certificate).collect()),
        min_version: typed(match settings.min_version {
            TlsVersion::V1_2 => MinVersion::V1_2,
            TlsVersion::V1_3 => MinVersion::V1_3,
        }),
        client_auth: typed(match settings.client_auth {
            ClientAuth::Off => ClientAuthName::Off,
            ClientAuth::Optional => ClientAuthName::Optional,
            ClientAuth::Required => ClientAuthName::Required,
        }),
        client_ca: settings.client_ca.as_deref().map(text).and_then(typed),
        session_tickets: typed(settings.session_tickets),
    }
}

/// The key that means this.
pub(super) fn proxy_protocol_to_typed(required: bool) -> Typed<ProxyProtocol> {
    Some(Spanned::new(
        0..0,
        if required {
            ProxyProtocol::Required
        } else {
            ProxyProtocol::Off
        },
    ))
}
