//! `--deflate`: how the programs that are made for tests compress.

use clap::ValueEnum;
use network::codec::ws::{ContextBudget, DeflateConfig};

/// How WebSocket messages are compressed (permessage-deflate), if the other end does it too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Deflate {
    /// Not at all.
    #[default]
    Off,
    /// Each message by itself: no memory per connection.
    Shared,
    /// Going on from message to message, while 256 MiB last for all connections together.
    Takeover,
}

impl Deflate {
    /// What this means for listeners or outgoing connections. Messages of every length are
    /// compressed, so that a test gets what it asked for.
    #[must_use]
    pub fn config(self) -> Option<DeflateConfig> {
        let takeover = match self {
            Self::Off => return None,
            Self::Shared => false,
            Self::Takeover => true,
        };
        Some(DeflateConfig {
            threshold_bytes: 0,
            server_context_takeover: takeover,
            client_context_takeover: takeover,
            contexts: ContextBudget::new(Self::CONTEXT_BYTES),
            ..DeflateConfig::default()
        })
    }

    /// Bytes that contexts may take. An echo server gives them to its node, whose budget takes the
    /// place of the one above.
    pub(crate) const CONTEXT_BYTES: usize = 256 * 1024 * 1024;
}
