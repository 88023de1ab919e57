//! Assembly of the `gatehouse` program: the one place where every layer is visible.
//!
//! Here belongs the order in which things start and stop, and what an operator can set. What
//! messages mean is in `module`, and how they travel in `gate` and `network`.

#![forbid(unsafe_code)]

mod admin;
pub mod compression;
pub mod config;
pub mod ctl;
pub mod doctor;
pub mod echo;
pub mod host;
pub mod log;
mod metrics;
pub mod node;
pub mod signal;
