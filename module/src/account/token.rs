//! Tokens: our own, and those that the operator's backend signs.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use common::UserId;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};

use super::TokenId;
use super::vouched::Vouched;
use crate::presence::Platform;
use crate::storage::refusal::Refusal;

/// Name of the file with our own secret in the data directory.
const SECRET_FILE: &str = "token-secret";
/// Who issues our own tokens: one that the backend has signed cannot pass for them.
const ISSUER: &str = "gatehouse";
/// Bytes of our own secret.
const SECRET_BYTES: usize = 32;
/// Longest token that is looked at.
const TOKEN_BYTES_MAX: usize = 4_096;
/// Seconds by which the clock of the backend may differ from ours.
const LEEWAY_SECONDS: u64 = 30;

/// Who signs the tokens of users that the operator vouches for.
#[derive(Clone)]
pub enum Backend {
    /// A secret that the backend and this server share (HS256).
    Secret(Vec<u8>),
    /// A public key in PEM: RSA (RS256), P-256 (ES256) or Ed25519 (EdDSA).
    PublicKey(String),
}

impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret",
            Self::PublicKey(_) => "PublicKey",
        })
    }
}

/// The file with what the tokens of the operator's backend are checked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendFile {
    /// A secret; white space at its end is no part of it.
    Secret(PathBuf),
    /// A public key.
    PublicKey(PathBuf),
}

impl BackendFile {
    /// Reads it.
    ///
    /// # Errors
    /// [`TokenError::Backend`].
    pub fn read(&self) -> Result<Backend, TokenError> {
        let failed = |path: &Path, error| TokenError::Backend(path.display().to_string(), error);
        match self {
            Self::Secret(path) => fs::read(path)
                .map(|secret| Backend::Secret(secret.trim_ascii_end().to_vec()))
                .map_err(|error| failed(path, error)),
            Self::PublicKey(path) => fs::read_to_string(path)
                .map(Backend::PublicKey)
                .map_err(|error| failed(path, error)),
        }
    }
}

/// Why tokens cannot be issued or checked.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file with what the backend signs with cannot be read.
    #[error("cannot read {0}: {1}")]
    Backend(String, io::Error),
    /// The file with our own secret cannot be read or written.
    #[error("cannot read or write the secret {0}: {1}")]
    Secret(String, io::Error),
    /// It is not what we have written there.
    #[error("the secret {0} is not 64 hexadecimal digits")]
    Malformed(String),
    /// Too short to be one.
    #[error("the backend's secret has fewer than 32 bytes")]
    ShortSecret,
    /// Not a public key of the kinds that are known.
    #[error("the backend's public key is no RSA, P-256 or Ed25519 key in PEM")]
    PublicKey,
}

/// Issues and checks tokens.
pub struct Tokens {
    own: (EncodingKey, DecodingKey),
    backend: Option<(DecodingKey, Validation)>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens")
            .field("backend", &self.backend.is_some())
            .finish_non_exhaustive()
    }
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// One of ours; good as long as its session is open.
    Session {
        /// Whom it names.
        user: UserId,
        /// Which session.
        token: TokenId,
        /// Where it was issued to.
        platform: Platform,
        /// Until when it is good, in milliseconds since 1970.
        expires_ms: u64,
    },
    /// One of the backend's.
    Vouched(Vouched),
}

#[derive(Serialize, Deserialize)]
struct OwnClaims {
    iss: String,
    /// The user's number.
    sub: String,
    /// The token's number.
    jti: String,
    platform: String,
    iat: u64,
    exp: u64,
}

#[derive(Deserialize)]
struct BackendClaims {
    sub: String,
    #[serde(default)]
    iss: Option<String>,
    #[serde(default)]
    name: Option<String>,
    exp: u64,
}

impl Tokens {
    /// Tokens with a secret of our own, which ends with the process or is kept in `directory`.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn new(directory: Option<&Path>, backend: Option<&Backend>) -> Result<Self, TokenError> {
        let secret = match directory {
            None => rand::random(),
            Some(directory) => kept_secret(directory, SECRET_FILE)?,
        };
        Ok(Self {
            own: (
                EncodingKey::from_secret(&secret),
                DecodingKey::from_secret(&secret),
            ),
            backend: backend.map(backend_key).transpose()?,
        })
    }

    /// A token for a session.
    #[must_use]
    pub fn issue(
        &self,
        user: UserId,
        token: TokenId,
        platform: Platform,
        now_ms: u64,
        expires_ms: u64,
    ) -> String {
        let claims = OwnClaims {
            iss: ISSUER.to_owned(),
            sub: user.0.to_string(),
            jti: format!("{:032x}", u128::from_be_bytes(token)),
            platform: platform.as_str().to_owned(),
            iat: now_ms / 1_000,
            exp: expires_ms / 1_000,
        };
        encode(&Header::default(), &claims, &self.own.0)
            .expect("numbers and strings can be signed with a secret")
    }

    /// What a token says, if it is signed and has not expired.
    ///
    /// # Errors
    /// [`Refusal::TokenInvalid`].
    pub fn check(&self, token: &str) -> Result<Claim, Refusal> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Refusal::TokenInvalid);
        }
        self.check_own(token)
            .or_else(|| self.check_backends(token))
            .ok_or(Refusal::TokenInvalid)
    }

    fn check_own(&self, token: &str) -> Option<Claim> {
        let claims = decode::<OwnClaims>(token, &self.own.1, &own_validation()).ok()?;
        let OwnClaims {
            sub,
            jti,
            platform,
            exp,
            ..
        } = claims.claims;
        Some(Claim::Session {
            user: UserId(sub.parse().ok()?),
            token: u128::from_str_radix(&jti, 16).ok()?.to_be_bytes(),
            platform: Platform::named(&platform)?,
            expires_ms: exp.saturating_mul(1_000),
        })
    }

    /// Whether we have issued this token, be it good or not.
    pub(super) fn is_ours(&self, token: &str) -> bool {
        let mut validation = own_validation();
        validation.validate_exp = false;
        token.len() <= TOKEN_BYTES_MAX
            && decode::<OwnClaims>(token, &self.own.1, &validation).is_ok()
    }

    fn check_backends(&self, token: &str) -> Option<Claim> {
        let (key, validation) = self.backend.as_ref()?;
        let claims = decode::<BackendClaims>(token, key, validation).ok()?.claims;
        // Nobody but us says that we have issued it.
        (claims.iss.as_deref() != Some(ISSUER)).then_some(Claim::Vouched(Vouched {
            name: claims.sub,
            nickname: claims.name,
            expires_ms: Some((claims.exp.saturating_add(LEEWAY_SECONDS)).saturating_mul(1_000)),
        }))
    }
}

/// What a token of ours has to be.
fn own_validation() -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.leeway = 0;
    validation.set_issuer(&[ISSUER]);
    validation.set_required_spec_claims(&["exp", "iss", "sub"]);
    validation
}

fn backend_key(backend: &Backend) -> Result<(DecodingKey, Validation), TokenError> {
    let (key, algorithm) = match backend {
        Backend::Secret(secret) if secret.len() < SECRET_BYTES => {
            return Err(TokenError::ShortSecret);
        }
        Backend::Secret(secret) => (DecodingKey::from_secret(secret), Algorithm::HS256),
        Backend::PublicKey(pem) => {
            let pem = pem.as_bytes();
            DecodingKey::from_rsa_pem(pem)
                .map(|key| (key, Algorithm::RS256))
                .or_else(|_| DecodingKey::from_ec_pem(pem).map(|key| (key, Algorithm::ES256)))
                .or_else(|_| DecodingKey::from_ed_pem(pem).map(|key| (key, Algorithm::EdDSA)))
                .map_err(|_| TokenError::PublicKey)?
        }
    };
    // The algorithm is the key's and never what a token says of itself.
    let mut validation = Validation::new(algorithm);
    validation.leeway = LEEWAY_SECONDS;
    validation.validate_nbf = true;
    validation.validate_aud = false;
    validation.set_required_spec_claims(&["exp", "sub"]);
    Ok((key, validation))
}

/// The secret in a file of this name, made where there is none. Only the owner of the process can
/// read it.
pub(crate) fn kept_secret(directory: &Path, file: &str) -> Result<[u8; SECRET_BYTES], TokenError> {
    let path = directory.join(file);
    let name = path.display().to_string();
    let failed = |error| TokenError::Secret(name.clone(), error);
    match fs::read_to_string(&path) {
        Ok(text) => from_hex(text.trim()).ok_or_else(|| TokenError::Malformed(name.clone())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let secret: [u8; SECRET_BYTES] = rand::random();
            let text: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
            // Written beside and renamed: half a secret would be no secret.
            let beside = directory.join(format!("{file}.new"));
            let write = || {
                let mut options = File::options();
                let mut file = options
                    .create(true)
                    .truncate(true)
                    .write(true)
                    .mode(0o600)
                    .open(&beside)?;
                file.write_all(text.as_bytes())?;
                file.sync_all()?;
                fs::rename(&beside, &path)?;
                File::open(directory)?.sync_all()
            };
            write().map_err(failed)?;
            Ok(secret)
        }
        Err(error) => Err(failed(error)),
    }
}

fn from_hex(text: &str) -> Option<[u8; SECRET_BYTES]> {
    let mut secret = [0; SECRET_BYTES];
    if text.len() != 2 * SECRET_BYTES || !text.is_ascii() {
        return None;
    }
    for (at, byte) in secret.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(secret)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::im::now_ms;

    const SECRET: &[u8] = b"thirty-two bytes that both know.";

    fn issued_until(tokens: &Tokens, expires_ms: u64) -> String {
        tokens.issue(UserId(7), [9; 16], Platform::Ios, now_ms(), expires_ms)
    }

    fn issued(tokens: &Tokens, seconds: i64) -> String {
        issued_until(tokens, now_ms().saturating_add_signed(seconds * 1_000))
    }

    fn signed(claims: &serde_json::Value) -> String {
        let key = EncodingKey::from_secret(SECRET);
        encode(&Header::default(), claims, &key).unwrap()
    }

    #[test]
    fn a_token_says_what_it_was_issued_for_until_it_expires() {
        let tokens = Tokens::new(None, None).unwrap();
        let claim = Claim::Session {
            user: UserId(7),
            token: [9; 16],
            platform: Platform::Ios,
            expires_ms: u64::from(u32::MAX) * 1_000,
        };
        let token = issued_until(&tokens, u64::from(u32::MAX) * 1_000);
        assert_eq!(tokens.check(&token), Ok(claim));
        assert_eq!(
            tokens.check(&issued(&tokens, -2)),
            Err(Refusal::TokenInvalid)
        );
        let other = Tokens::new(None, None).unwrap();
        assert_eq!(other.check(&token), Err(Refusal::TokenInvalid));
        for bad in ["", "a.b.c", &token[1..], &"x".repeat(5_000)] {
            assert_eq!(tokens.check(bad), Err(Refusal::TokenInvalid));
        }
    }

    #[test]
    fn the_backend_names_its_users_and_cannot_speak_for_us() {
        let backend = Backend::Secret(SECRET.to_vec());
        let tokens = Tokens::new(None, Some(&backend)).unwrap();
        let exp = now_ms() / 1_000 + 60;
        let claim = Claim::Vouched(Vouched {
            name: "e-1".to_owned(),
            nickname: Some("Eve".to_owned()),
            expires_ms: Some((exp + LEEWAY_SECONDS) * 1_000),
        });
        let token = signed(&json!({"sub": "e-1", "name": "Eve", "exp": exp}));
        assert_eq!(tokens.check(&token), Ok(claim));
        for bad in [
            json!({"sub": "e-1"}),
            json!({"exp": exp}),
            json!({"sub": "e-1", "exp": exp - 3_600}),
            json!({"sub": "e-1", "exp": exp, "nbf": exp}),
            json!({"sub": "7", "exp": exp, "iss": ISSUER, "jti": "0", "platform": "web", "iat": 0}),
        ] {
            assert_eq!(
                tokens.check(&signed(&bad)),
                Err(Refusal::TokenInvalid),
                "{bad}"
            );
        }
        let short = Backend::Secret(b"short".to_vec());
        assert!(matches!(
            Tokens::new(None, Some(&short)),
            Err(TokenError::ShortSecret)
        ));
    }

    #[test]
    fn a_token_without_a_signature_is_none() {
        let tokens = Tokens::new(None, None).unwrap();
        let token = issued(&tokens, 60);
        let claims = token.split('.').nth(1).unwrap();
        // {"alg":"none"}
        let unsigned = format!("eyJhbGciOiJub25lIn0.{claims}.");
        assert_eq!(tokens.check(&unsigned), Err(Refusal::TokenInvalid));
    }

    #[test]
    fn our_secret_outlives_the_process_and_is_nobody_elses_to_read() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let open = || Tokens::new(Some(directory.path()), None);
        let token = issued(&open().unwrap(), 60);
        assert!(open().unwrap().check(&token).is_ok());
        let file = directory.path().join(SECRET_FILE);
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(&file, "not a secret").unwrap();
        assert!(matches!(open(), Err(TokenError::Malformed(_))));
    }
}
