//! What was typed: every key may be missing, and each value knows where it stands.

use std::fmt;

use serde::de::{Deserializer, Error, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Serialize, Serializer};
use toml::Spanned;

use super::accounts::RawAccounts;
use super::attachments::RawAttachments;
use super::value::{Address, Auto, Cap, Keep, Networks, Number, OriginRule, Seconds, Size, Switch};
use super::webhooks::RawWebhooks;

/// A value that may be missing, with the place where it was typed.
pub type Typed<T> = Option<Spanned<T>>;

/// The whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawConfig {
    /// Address of the first WebSocket listener, in place of its own.
    pub listen: Typed<Address>,
    /// Address of the first TCP listener, in place of its own.
    pub tcp: Typed<Address>,
    /// Reactor threads.
    pub reactors: Typed<Auto<Number>>,
    /// Worker threads.
    pub workers: Typed<Auto<Number>>,
    /// A descriptor table for each reactor.
    pub private_fd_tables: Typed<bool>,
    /// Connections of all listeners together.
    pub connections: Typed<Cap>,
    /// Events that may wait for one worker.
    pub mailbox_events: Typed<Number>,
    /// Memory that may be held for clients.
    pub memory: Typed<Auto<Size>>,
    /// Proxies in front of every listener that has none of its own.
    pub trusted_proxies: Typed<Networks>,
    /// Memory of it for contexts of compression.
    pub compression_memory: Typed<Size>,
    /// What is kept.
    pub store: RawStore,
    /// Who is let in.
    pub accounts: RawAccounts,
    /// Files that users send.
    pub attachments: RawAttachments,
    /// Who is asked and told.
    pub webhooks: RawWebhooks,
    /// The log.
    pub log: RawLog,
    /// The admin listener.
    pub admin: RawAdmin,
    /// The end.
    pub shutdown: RawShutdown,
    /// Limits of every listener that has none of its own.
    pub limits: RawLimits,
    /// Listeners.
    pub listener: Vec<Spanned<RawListener>>,
}

/// `[store]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section: [store]")]
pub struct RawStore {
    /// The data directory.
    pub path: Typed<String>,
    /// Whether it is looked through for damage at the start.
    pub check: Typed<bool>,
    /// Time for which entries of inboxes are kept.
    pub inbox: Typed<Seconds>,
    /// Time for which messages are kept.
    pub messages: Typed<Keep>,
    /// Time in which a sender may recall a message.
    pub recall: Typed<Seconds>,
    /// Members up to which a group's messages go through inboxes.
    pub fanout_limit: Typed<Number>,
}

/// `[log]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section: [log]")]
pub struct RawLog {
    /// What is logged.
    pub level: Typed<Level>,
    /// How a line looks.
    pub format: Typed<Format>,
}

/// `[admin]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section: [admin]")]
pub struct RawAdmin {
    /// Where metrics, profiles and the dashboard are.
    pub listen: Typed<Switch<Address>>,
    /// What who asks for them must bring; empty for nothing.
    pub token: Typed<String>,
}

/// `[shutdown]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section: [shutdown]")]
pub struct RawShutdown {
    /// Time until everything has ended.
    pub deadline: Typed<Seconds>,
    /// Sessions told per second.
    pub drain_rate: Typed<Cap>,
    /// Close code that they are told with.
    pub close_code: Typed<Number>,
}

/// `[limits]` and `[listener.limits]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "a section of limits: [limits] or [listener.limits]"
)]
pub struct RawLimits {
    /// Connections at once.
    pub connections: Typed<Cap>,
    /// Connections at once from one address.
    pub connections_per_address: Typed<Cap>,
    /// Bytes of a WebSocket message.
    pub message_bytes: Typed<Size>,
    /// Bytes of an HTTP request body.
    pub body_bytes: Typed<Size>,
    /// Messages per session.
    pub message_rate: Typed<RawRate>,
    /// Bytes that may wait to be written to one connection.
    pub outbox_bytes: Typed<Size>,
    /// What happens beyond that.
    pub overflow: Typed<OverflowPolicy>,
    /// Time until the upgrade, or the first complete frame.
    pub handshake: Typed<Seconds>,
    /// Time from the first byte of a frame to its last.
    pub frame: Typed<Seconds>,
    /// Time until a login.
    pub auth: Typed<Seconds>,
    /// Time without a sign of life.
    pub idle: Typed<Seconds>,
    /// Time that a close may take.
    pub close: Typed<Seconds>,
}

/// `[[listener]]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a listener: [[listener]]")]
pub struct RawListener {
    /// Name in logs and errors.
    pub name: Typed<String>,
    /// Address.
    pub listen: Typed<Address>,
    /// What is spoken from the first byte.
    pub framing: Typed<FramingName>,
    /// What the messages mean.
    pub protocol: Typed<Protocol>,
    /// Smallest payload of a TCP framing.
    pub min_frame: Typed<Size>,
    /// Largest payload of a TCP framing.
    pub max_frame: Typed<Size>,
    /// Whether a WebSocket listener serves the chat page.
    pub page: Typed<bool>,
    /// Folder whose files a WebSocket listener serves; empty for none.
    pub files: Typed<String>,
    /// Whose pages may open WebSockets.
    pub origins: Typed<OriginRule>,
    /// Proxies whose word about a client's address is taken.
    pub trusted_proxies: Typed<Networks>,
    /// Whether a WebSocket listener compresses, and how.
    pub compression: Typed<RawCompression>,
    /// Connections that may wait to be accepted.
    pub backlog: Typed<Number>,
    /// Kernel's receive buffer of a connection.
    pub receive_buffer: Typed<Auto<Size>>,
    /// Kernel's send buffer of a connection.
    pub send_buffer: Typed<Auto<Size>>,
    /// Whether a proxy says first for whom it speaks.
    pub proxy_protocol: Typed<ProxyProtocol>,
    /// TLS.
    pub tls: Typed<RawTls>,
    /// Limits of its own.
    pub limits: RawLimits,
}

/// `[listener.tls]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section: [listener.tls]")]
pub struct RawTls {
    /// Certificates and their keys; the first one is for clients that ask for none of the names.
    pub certificates: Typed<Vec<RawCertificate>>,
    /// Oldest version.
    pub min_version: Typed<MinVersion>,
    /// Whether clients show certificates.
    pub client_auth: Typed<ClientAuthName>,
    /// Who may have signed those.
    pub client_ca: Typed<String>,
    /// Whether clients may resume a session.
    pub session_tickets: Typed<bool>,
}

/// `{ cert = "…", key = "…" }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "{ cert = \"FILE\", key = \"FILE\" }")]
pub struct RawCertificate {
    /// PEM file of the certificate and those that lead to a root.
    pub cert: String,
    /// PEM file of its key.
    pub key: String,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MinVersion {
    /// RFC 5246.
    #[serde(rename = "1.2")]
    V1_2,
    /// RFC 8446.
    #[serde(rename = "1.3")]
    V1_3,
}

/// Whether clients show certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuthName {
    /// They are not asked.
    Off,
    /// Who has none is let in.
    Optional,
    /// Who has none is not.
    Required,
}

/// Whether a proxy says first for whom it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProxyProtocol {
    /// It does not.
    Off,
    /// It does, and nobody else is let in.
    Required,
}

/// What is logged: this and everything more urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Level {
    Off,
    Error,
    Warn,
    Info,
    Debug,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The framings by the names that they have everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum FramingName {
    WebSocket,
    Len1,
    Len2be,
    Len2le,
    Len4be,
    Len4le,
    Ndjson,
}

impl FramingName {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::WebSocket,
        Self::Len1,
        Self::Len2be,
        Self::Len2le,
        Self::Len4be,
        Self::Len4le,
        Self::Ndjson,
    ];

    /// The name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Len1 => "len1",
            Self::Len2be => "len2be",
            Self::Len2le => "len2le",
            Self::Len4be => "len4be",
            Self::Len4le => "len4le",
            Self::Ndjson => "ndjson",
        }
    }

    /// The framing of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|framing| framing.as_str() == name)
    }
}

/// What messages mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// The protocol of docs/protocol.md.
    Native,
}

/// What happens to a message for which an outbox has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OverflowPolicy {
    /// The connection is closed.
    Close,
    /// The message is dropped.
    DropNewest,
    /// The oldest waiting messages are dropped.
    DropOldest,
    /// Of the waiting messages of one key only the latest stays.
    Latest,
}

/// A rate of messages: `{ per_second = 50, burst = 200 }`, or `"unlimited"`.
#[derive(Clone, Debug, PartialEq)]
pub enum RawRate {
    /// Without a limit.
    Unlimited,
    /// With one.
    Limited(RawLimitedRate),
}

/// Parts of a rate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawLimitedRate {
    /// Messages per second in the long run.
    pub per_second: Typed<Number>,
    /// Messages that may come at once after a pause.
    pub burst: Typed<Number>,
}

/// Compression: `"off"`, `"shared"`, or `{ level = 1, threshold = "512B" }`.
#[derive(Clone, Debug, PartialEq)]
pub enum RawCompression {
    /// None.
    Off,
    /// Each message by itself, with every part at its default.
    Shared,
    /// With these parts.
    Deflate(RawDeflate),
}

/// Parts of a compression.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawDeflate {
    /// 1 (quickest) to 9 (shortest).
    pub level: Typed<Number>,
    /// Shorter messages are sent as they are.
    pub threshold: Typed<Size>,
    /// Window of the server's compressor, as a power of two.
    pub window_bits: Typed<Number>,
    /// Let the server's compressor go on from message to message.
    pub server_takeover: Typed<bool>,
    /// Let the client's compressor go on from message to message.
    pub client_takeover: Typed<bool>,
}

impl Serialize for RawCompression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_str("off"),
            Self::Shared => serializer.serialize_str("shared"),
            Self::Deflate(deflate) => deflate.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for RawCompression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CompressionVisitor;
        impl<'de> Visitor<'de> for CompressionVisitor {
            type Value = RawCompression;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"off\", \"shared\" or { level = 1, threshold = \"512B\" }")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<RawCompression, E> {
                match text {
                    "off" => Ok(RawCompression::Off),
                    "shared" => Ok(RawCompression::Shared),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawCompression, A::Error> {
                let parts = RawDeflate::deserialize(MapAccessDeserializer::new(map));
                parts.map(RawCompression::Deflate)
            }
        }
        deserializer.deserialize_any(CompressionVisitor)
    }
}

impl Serialize for RawRate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unlimited => serializer.serialize_str("unlimited"),
            Self::Limited(rate) => rate.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for RawRate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RateVisitor;
        impl<'de> Visitor<'de> for RateVisitor {
            type Value = RawRate;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("{ per_second = 50, burst = 200 } or \"unlimited\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<RawRate, E> {
                if text == "unlimited" {
                    return Ok(RawRate::Unlimited);
                }
                Err(E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawRate, A::Error> {
                // Straight from the map, so that the parts keep their places.
                RawLimitedRate::deserialize(MapAccessDeserializer::new(map)).map(RawRate::Limited)
            }
        }
        deserializer.deserialize_any(RateVisitor)
    }
}
