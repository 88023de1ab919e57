//! What messages mean: users, groups, conversations. Knows the gate's sessions, never a socket.
//!
//! ```text
//!   adapter/   one wire protocol each: bytes ⇄ commands and events
//!      │ commands                      ▲ events, encoded once per protocol
//!      ▼                               │
//!   api/   every call there is, once for all protocols
//!      │
//!   im.rs  Im: login, presence, messages
//!      │
//!   account/ presence/ group/ message/     the words of each
//!   storage/   what is kept: the Store trait, and the store in memory
//!   webhook/   asking and telling the operator's own servers
//!   web/       the chat page
//! ```

#![forbid(unsafe_code)]

pub mod account;
pub mod adapter;
mod announcing;
pub mod api;
pub mod blocking;
mod delivery;
pub mod event;
pub mod friend;
pub mod group;
mod id;
pub mod im;
pub mod inbox;
pub mod message;
mod outlet;
pub mod presence;
pub mod statistics;
pub mod storage;
pub mod web;
pub mod webhook;

pub use im::{Im, ImConfig, ImError, OpenError};
