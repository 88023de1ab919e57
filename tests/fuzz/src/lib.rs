//! What the fuzz targets check: one function of bytes a file.
//!
//! libFuzzer calls them with what it makes up (`libfuzzer/`, see the README), and the suite
//! `corpus` of the tests with what it has found so far (`corpus/`) and with seeds written by hand
//! (`seeds/`). A function that returns has found nothing wrong.

#![forbid(unsafe_code)]

pub mod close;
pub mod config;
pub mod connection;
pub mod differential;
pub mod files;
pub mod form;
pub mod forwarded;
pub mod handshake_client;
pub mod handshake_server;
pub mod http;
pub mod native;
mod pieces;
pub mod proxy;
pub mod tcp_length;
pub mod tcp_line;
pub mod units;
pub mod upload;
pub mod utf8;
mod ws;
pub mod ws_client;
pub mod ws_server;

/// A target: its name, which is that of its files, and what it checks.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 18] = [
    ("close", close::check),
    ("config", config::check),
    ("connection", connection::check),
    ("differential", differential::check),
    ("files", files::check),
    ("form", form::check),
    ("forwarded", forwarded::check),
    ("handshake_client", handshake_client::check),
    ("handshake_server", handshake_server::check),
    ("http", http::check),
    ("native", native::check),
    ("proxy", proxy::check),
    ("tcp_length", tcp_length::check),
    ("tcp_line", tcp_line::check),
    ("upload", upload::check),
    ("utf8", utf8::check),
    ("ws_client", ws_client::check),
    ("ws_server", ws_server::check),
];
