//! The configuration: [`RawConfig`] is what was typed, [`Config`] is what it means.
//!
//! ```text
//!   defaults  <  file  <  GATEHOUSE_… variables  <  flags          (later ones win)
//! ```

mod accounts;
mod admin;
mod attachments;
mod check;
mod error;
mod raw;
mod source;
mod tls;
mod typed;
mod value;
mod webhooks;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;

use common::limits;
use gate::admin::AdminConfig;
use gate::{
    DeflateConfig, Drain, Limits, ListenOptions, Origins, Overflow, Rate, TcpFraming, TlsServer,
    TlsSettings, TrustedProxies,
};

use module::account::AccountConfig;
use module::account::token::{BackendFile, Tokens};
use module::attachment::AttachmentsConfig;
use module::storage::sqlite::StoreConfig;
use module::webhook::{Secret, WebhookConfig};

use crate::host;

pub use accounts::{LoginPolicyName, RawAccounts, RawHashCost};
pub use attachments::RawAttachments;
pub use error::{ConfigError, Excerpt};
pub use raw::{
    ClientAuthName, Format, FramingName, Level, MinVersion, OverflowPolicy, Protocol,
    ProxyProtocol, RawAdmin, RawCertificate, RawCompression, RawConfig, RawDeflate, RawLimitedRate,
    RawLimits, RawListener, RawLog, RawRate, RawShutdown, RawStore, RawTls, Typed,
};
pub use source::{Setting, Sources};
pub use value::{
    Address, Auto, Cap, Keep, Networks, Number, OriginRule, Scalar, Seconds, Size, Switch, Texts,
};
pub use webhooks::{EventNames, OnFailureName, RawWebhooks};

/// Largest message of the native protocol, whose bodies are 16 KiB at most.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// What a person types never comes near it; a client that does is broken or means harm.
pub const MESSAGE_RATE: Rate = Rate {
    per_second: 50,
    burst: 200,
};
/// The least that a node can be given for its clients.
pub const MEMORY_BYTES_MIN: usize = 16 * 1024 * 1024;
/// The `path` of a store that ends with the process.
pub const IN_MEMORY: &str = ":memory:";
/// Seconds until everything has ended.
pub const SHUTDOWN_SECONDS: u32 = 10;

const _: () = assert!(MESSAGE_BYTES_MAX < limits::OUTBOX_BYTES_MAX);

/// What a node is made of: complete and checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Reactor threads; at least 1.
    pub reactors: usize,
    /// Worker threads; at least 1.
    pub workers: usize,
    /// A descriptor table for each reactor.
    pub private_fd_tables: bool,
    /// Connections of all listeners together; `usize::MAX` for no cap.
    pub connections_max: usize,
    /// Events that may wait for one worker; at least 1.
    pub mailbox_events_max: usize,
    /// Bytes that may be held for clients; at least [`MEMORY_BYTES_MIN`].
    pub memory_bytes_max: usize,
    /// Bytes of those that the contexts of compression may take.
    pub context_bytes_max: usize,
    /// What is kept, where, and by which rules.
    pub store: StoreConfig,
    /// Who is let in.
    pub accounts: AccountConfig,
    /// Files that users send.
    pub attachments: AttachmentsConfig,
    /// Who is asked and told, if anybody is.
    pub webhooks: Option<WebhookConfig>,
    /// What is logged.
    pub log_level: Level,
    /// How a line of the log looks.
    pub log_format: Format,
    /// The admin listener, if there is to be one.
    pub admin: Option<AdminConfig>,
    /// How a stop goes; its time is at least a second.
    pub shutdown: Drain,
    /// Proxies in front of listeners that have none of their own.
    pub trusted_proxies: TrustedProxies,
    /// Limits of listeners that have none of their own.
    pub limits: Limits,
    /// At least one; names and addresses are unique.
    pub listeners: Vec<ListenerConfig>,
}

/// One listener.
#[derive(Clone, Debug)]
pub struct ListenerConfig {
    /// Name in logs and errors.
    pub name: String,
    /// Where it listens; port 0 lets the kernel choose.
    pub addr: SocketAddr,
    /// What is spoken there.
    pub speech: Speech,
    /// Folder whose files are served at `/`, with WebSocket only.
    pub files: Option<PathBuf>,
    /// Whose pages may open WebSockets.
    pub origins: Origins,
    /// How WebSocket messages are compressed, if they are; none on TCP.
    pub compression: Option<DeflateConfig>,
    /// Limits of its connections.
    pub limits: Limits,
    /// Whose word about the address of a client is taken.
    pub trusted_proxies: TrustedProxies,
    /// Options of its socket.
    pub options: ListenOptions,
    /// Its TLS; the files are not read yet.
    pub tls: Option<TlsSettings>,
    /// Whether proxies must say for whom they speak.
    pub proxy_protocol: bool,
}

/// What a listener speaks from the first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    /// HTTP/1.1 and WebSocket.
    WebSocket {
        /// Whether the chat page is served.
        page: bool,
    },
    /// A TCP framing.
    Tcp(TcpFraming),
}

impl Config {
    /// Reads the file, if there is one, then variables and flags over it, and checks the whole.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn load(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        flags: Vec<Setting>,
    ) -> Result<Self, ConfigError> {
        let mut settings = Setting::from_environment(variables)?;
        settings.extend(flags);
        Self::from_sources(&Sources::read(file, settings)?)
    }

    /// Checks what was typed, and fills in the defaults.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn from_sources(sources: &Sources) -> Result<Self, ConfigError> {
        check::check(sources, sources.typed()?)
    }

    /// Reads and checks the files that it names, as a start would.
    ///
    /// # Errors
    /// The first thing that is wrong, with the name of its listener or file.
    pub fn check_files(&self) -> Result<(), ConfigError> {
        let backend = self.accounts.backend.as_ref().map(BackendFile::read);
        Tokens::new(None, backend.transpose()?.as_ref())?;
        let secret = self.webhooks.as_ref().map(WebhookConfig::secret);
        secret.transpose()?;
        let secret = self.accounts.auth_webhook_secret_file.as_deref();
        secret.map(Secret::read).transpose()?;
        for listener in &self.listeners {
            if let Some(settings) = &listener.tls {
                TlsServer::load(settings)
                    .map_err(|error| ConfigError::tls(&listener.name, error))?;
            }
        }
        Ok(())
    }

    /// Seconds of silence after which a client of any listener is asked for a sign of life, the
    /// shortest of all; `None` if none ever is.
    #[must_use]
    pub fn heartbeat_seconds(&self) -> Option<u32> {
        self.listeners
            .iter()
            .map(|listener| listener.limits.idle_seconds)
            .filter(|seconds| *seconds > 0)
            .min()
    }
}

impl fmt::Display for Config {
    /// As a file in which every key is set, and which reads back as this configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&toml::to_string(&self.to_typed()).map_err(|_| fmt::Error)?)
    }
}

/// Reactor threads if nothing is said: one per core, and half of the cores where there are more
/// than 4, which leaves the others to the workers.
#[must_use]
pub fn reactors_default() -> usize {
    let cores = workers_default();
    if cores > 4 { cores / 2 } else { cores }
}

/// Worker threads if nothing is said: one per core.
#[must_use]
pub fn workers_default() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Memory that may be held for clients if nothing is said: half of what the host has, or of what
/// the process's control group may use.
#[must_use]
pub fn memory_default() -> usize {
    (host::memory_bytes() / 2).max(MEMORY_BYTES_MIN)
}

/// Limits of a listener for which nothing is said.
fn limits_default() -> Limits {
    Limits {
        connections_max: usize::MAX,
        connections_per_address_max: usize::MAX,
        message_bytes_max: MESSAGE_BYTES_MAX,
        body_bytes_max: limits::BODY_BYTES_MAX,
        message_rate: Some(MESSAGE_RATE),
        outbox_bytes_max: limits::OUTBOX_BYTES_MAX,
        overflow: Overflow::Close,
        handshake_seconds: limits::HANDSHAKE_SECONDS,
        frame_seconds: limits::FRAME_SECONDS,
        auth_seconds: limits::AUTH_SECONDS,
        idle_seconds: limits::IDLE_SECONDS,
        close_seconds: limits::CLOSE_SECONDS,
    }
}
