//! What requests are signed with.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::hmac;

/// What secrets begin with that stand in base64, as Standard Webhooks writes them.
const PREFIX: &[u8] = b"whsec_";
/// Fewest bytes that nobody guesses.
const BYTES_MIN: usize = 24;

/// The secret that the operator's servers share with this one.
#[derive(Clone)]
pub struct Secret(hmac::Key);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read {0}: {1}")]
    Unreadable(String, io::Error),
    /// What stands behind `whsec_` is not base64.
    #[error("{0}: what stands behind whsec_ is not base64")]
    Malformed(String),
    /// It could be guessed.
    #[error("{0}: the secret of webhooks has fewer than {BYTES_MIN} bytes")]
    Short(String),
}

impl Secret {
    /// Reads a secret; white space at its end is no part of it.
    ///
    /// # Errors
    /// [`SecretError`].
    pub fn read(file: &Path) -> Result<Self, SecretError> {
        let name = || file.display().to_string();
        let text = fs::read(file).map_err(|error| SecretError::Unreadable(name(), error))?;
        let text = text.trim_ascii_end();
        match text.strip_prefix(PREFIX) {
            None if text.len() >= BYTES_MIN => Ok(Self::new(text)),
            None => Err(SecretError::Short(name())),
            Some(encoded) => match BASE64.decode(encoded) {
                Ok(bytes) if bytes.len() >= BYTES_MIN => Ok(Self::new(&bytes)),
                Ok(_) => Err(SecretError::Short(name())),
                Err(_) => Err(SecretError::Malformed(name())),
            },
        }
    }

    fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The signature of a request, as its header has it (Standard Webhooks 1.0): of the id, the
    /// time and the body, so that none of them can be another's.
    pub(super) fn sign(&self, id: &str, seconds: u64, body: &[u8]) -> String {
        let mut signing = hmac::Context::with_key(&self.0);
        signing.update(format!("{id}.{seconds}.").as_bytes());
        signing.update(body);
        format!("v1,{}", BASE64.encode(signing.sign()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_standard_webhooks() {
        // The example of the specification's own libraries.
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let secret = Secret::read(file.path()).unwrap();
        let signature = secret.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_that_can_be_guessed_or_read_in_two_ways_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let read = |text: &str| {
            fs::write(&file, text).unwrap();
            Secret::read(file.path())
        };
        assert!(matches!(read("short"), Err(SecretError::Short(_))));
        assert!(matches!(read("whsec_c2hvcnQ="), Err(SecretError::Short(_))));
        assert!(matches!(read("whsec_?"), Err(SecretError::Malformed(_))));
        assert!(read("twenty-four bytes or more").is_ok());
    }
}
