//! The secret that lets someone in.

use std::fmt;
use std::str::FromStr;

/// Characters that a token has at least: what a person thinks up is guessed, what a program makes
/// is longer than this.
const LENGTH_MIN: usize = 16;

/// A bearer token (RFC 6750). It is not shown by `{:?}`, so that it does not end up in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// The text cannot be a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a token has at least {LENGTH_MIN} characters, letters, digits and -._~+/= \
     (`openssl rand -hex 32` makes one)"
)]
pub struct BadToken;

impl Token {
    /// The secret itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the value of an `authorization` field brings this token. How long it takes says
    /// nothing about where two tokens differ.
    pub(super) fn is_in(&self, authorization: Option<&str>) -> bool {
        let Some((scheme, shown)) = authorization.and_then(|field| field.split_once(' ')) else {
            return false;
        };
        let (own, shown) = (self.0.as_bytes(), shown.trim().as_bytes());
        let differing = own.iter().zip(shown).fold(0, |acc, (a, b)| acc | (a ^ b));
        scheme.eq_ignore_ascii_case("bearer") && own.len() == shown.len() && differing == 0
    }
}

impl FromStr for Token {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<Self, BadToken> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if text.len() < LENGTH_MIN || !text.bytes().all(fits) {
            return Err(BadToken);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_lets_in() {
        let token: Token = "0123456789abcdef".parse().unwrap();
        assert!(token.is_in(Some("Bearer 0123456789abcdef")));
        assert!(token.is_in(Some("bearer  0123456789abcdef")));
        for field in [
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdef0",
            "Bearer 0123456789abcdeg",
            "Bearer ",
            "Basic 0123456789abcdef",
            "0123456789abcdef",
        ] {
            assert!(!token.is_in(Some(field)), "{field}");
        }
        assert!(!token.is_in(None));
        assert!(!format!("{token:?}").contains("0123"));
    }

    #[test]
    fn what_can_be_guessed_or_not_be_sent_is_refused() {
        for text in [
            "",
            "secret",
            "0123456789abcde",
            "0123456789 abcdef",
            "0123456789abcdéf",
        ] {
            assert_eq!(text.parse::<Token>(), Err(BadToken), "{text}");
        }
    }
}
