//! Frames to sessions and workers: knows sessions, never what a message means.
//!
//! A developer writes a [`Module`], adds it to a [`Builder`] together with [`Listener`]s, and
//! starts it. Each reactor has a gate of its own that owns the sessions of its connections. The
//! gate hands their messages in batches to the worker threads that run the module, or calls it on
//! the spot ([`Placement`]), and does what the module or a [`GateHandle`] asks: send, publish to a
//! topic, subscribe, close.
//!
//! ```text
//!   network ──frame──▶ Gate ──batch──▶ Mailbox ──▶ Worker ──▶ Module
//!      ▲                 ▲                                      │ Context
//!      └──── Ctx::send ──┴──────── batch of commands ◀──────────┘
//! ```

#![forbid(unsafe_code)]

#[cfg(feature = "admin")]
pub mod admin;
mod admission;
mod body;
mod builder;
mod command;
mod config;
mod context;
mod dispatch;
mod drain;
mod envelope;
mod error;
mod files;
mod forwarded;
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;
mod gate;
mod handle;
mod health;
mod held;
mod http;
mod mailbox;
mod module;
mod origin;
mod proxy;
mod rate;
mod session;
mod stats;
mod tables;
mod telemetry;
mod topic;
mod worker;

pub use body::BodySource;
pub use builder::{Builder, RunningGate};
pub use config::{Limits, Listener};
pub use context::Context;
pub use drain::Drain;
pub use envelope::{BodyPiece, Envelope, Handshake, HttpRequest, ModuleId};
pub use error::GateError;
pub use files::{Files, FilesError, Portion};
pub use handle::{Batch, GateHandle};
pub use health::{Failure, Health};
pub use module::{Module, Placement};
pub use origin::{BadOrigin, Origins};
pub use proxy::{BadNetwork, TrustedProxies};
pub use rate::{Bucket, Rate};
pub use stats::{GateStats, WorkerStats};
pub use telemetry::Telemetry;
pub use topic::Message;

pub use common::{CloseReason, SessionId, TopicId};
pub use network::codec::MessageKind;
pub use network::codec::http::{Headers, Response};
pub use network::codec::tcp::TcpFraming;
pub use network::codec::ws::DeflateConfig;
pub use network::sys::ListenOptions;
pub use network::tls::{
    ALPN_HTTP, ALPN_HTTP_VERSIONS, CertificateFiles, ClientAuth, TlsError, TlsServer, TlsSettings,
    TlsVersion,
};
pub use network::{
    Delivery, Drops, MemoryBudget, Messages, Overflow, ProfileStats, ReactorConfig, ReactorStats,
};
