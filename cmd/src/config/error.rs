//! Why a configuration is refused.

use std::fmt;
use std::io;
use std::path::PathBuf;

use gate::TlsError;
use module::account::token::TokenError;
use module::webhook::SecretError;

/// A configuration is refused: where, why, and what would be right.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read {}: {error}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the host answered.
        #[source]
        error: io::Error,
    },
    /// A file that TLS needs is not what it should be.
    #[error("listener `{listener}`: {error}")]
    Tls {
        /// Name of the listener.
        listener: String,
        /// What is wrong with which file.
        #[source]
        error: TlsError,
    },
    /// A file that tokens are checked with is not what it should be.
    #[error(transparent)]
    Tokens(#[from] TokenError),
    /// The secret of webhooks is not what it should be.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// What was typed is wrong.
    #[error("{place}: {message}{}", Margin(excerpt.as_ref()))]
    Refused {
        /// `file:line:column`, or the name of a variable or flag.
        place: String,
        /// What is wrong and what would be right.
        message: String,
        /// The line of the file.
        excerpt: Option<Excerpt>,
    },
}

impl ConfigError {
    pub(super) fn tls(listener: &str, error: TlsError) -> Self {
        Self::Tls {
            listener: listener.to_owned(),
            error,
        }
    }
}

/// A line of the file, and the part of it that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// Number of the line, from 1.
    pub line: usize,
    /// The line.
    pub text: String,
    /// Characters in front of the part.
    pub from: usize,
    /// Characters of the part; at least 1.
    pub chars: usize,
}

struct Margin<'a>(Option<&'a Excerpt>);

impl fmt::Display for Margin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Excerpt {
            line,
            text,
            from,
            chars,
        }) = self.0
        else {
            return Ok(());
        };
        let margin = line.to_string().len();
        // A tab is wider than the blank that would stand for it.
        let lead: String = text
            .chars()
            .take(*from)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        write!(
            f,
            "\n {line} | {text}\n {:margin$} | {lead}{:^<chars$}",
            "", ""
        )
    }
}
