//! Words and small tools that every layer of Gatehouse shares.
//!
//! Here belongs what two layers must agree on: identifiers, ends of connections, error codes,
//! limits, time, counters. What opens, spawns, sleeps or logs does not.

#![forbid(unsafe_code)]

mod close;
mod error_code;
mod histogram;
mod id;
pub mod limits;
mod metrics;
mod time;

pub use close::{Blame, CloseReason};
pub use error_code::ErrorCode;
pub use histogram::{CountHistogram, DurationHistogram, Histogram};
pub use id::{
    ConnId, GENERATION_MAX, GroupId, REACTORS_MAX, SLOTS_MAX, SessionId, TopicId, UserId,
};
pub use metrics::Counter;
pub use time::{Clock, ManualClock, MonotonicClock, Tick};
