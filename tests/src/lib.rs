//! The harness of the test suites: nodes in process, raw clients, and probes of the process.
//!
//! ```text
//!   node      TestNode: a gate or the whole IM on port 0, stopped when it is dropped
//!   actors    the modules that such nodes run: Echo, Hall, Gated, Probe
//!   script    Script: send these bytes, expect those, on a blocking socket
//!   ws        WsClient: WebSocket on a Script, well-behaved or not
//!   tls       Authority: certificates, and clients that trust them
//!   hook      HookServer: what webhooks are sent to
//!   native    NativeClient: the native protocol over each of its transports
//!   rest      RestClient: the calls of the IM over HTTP
//!   process   memory and descriptors of this process
//! ```
//!
//! Clients block and have a read timeout, [`PATIENCE`], which only bounds how long a broken test
//! takes. No test waits for time: to see that nothing came, it asks for something that must come
//! behind it.

#![forbid(unsafe_code)]

pub mod actors;
pub mod hook;
pub mod native;
pub mod node;
pub mod process;
pub mod rest;
pub mod script;
pub mod tls;
pub mod ws;

pub use actors::{Echo, Gated, Hall, Probe, Seen};
pub use hook::{HookAnswer, HookRequest, HookServer};
pub use native::{NativeClient, Transport};
pub use node::{Options, TestNode};
pub use rest::{RestAnswer, RestClient};
pub use script::{HttpReply, Script};
pub use tls::Authority;
pub use ws::{WsClient, WsFrame};

/// How long a client waits for what must come before the test has failed.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(15);
