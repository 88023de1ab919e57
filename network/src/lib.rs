//! Bytes to frames and back: reactors, connections, framings. Knows sockets, never users.
//!
//! A [`Reactor`] is one thread with one epoll instance. Each of its turns waits for events, takes
//! commands from other threads, reads the connections that have input into the one read buffer that
//! they share, lets their codecs cut it into frames, hands each frame to the [`Handler`], accepts
//! who waits, looks at deadlines that have come, writes what was queued, and frees what has ended.
//!
//! ```text
//!   reactor/   the loop, the handler's trait and what it may ask, commands from other threads
//!   conn/      one connection: state, reading, outbox; the table of them
//!   transport/ what lies between some sockets and their codecs: a proxy's header, TLS
//!   tls/       settings and sessions of TLS
//!   codec/     sans-I/O framings: WebSocket, HTTP/1.1, length prefix, lines
//!   listener   accepting;  timer  the wheel;  buffer  the read buffer;  memory  the node's budget;
//!   sys        the operating system
//! ```

#[cfg(feature = "bench")]
#[doc(hidden)]
pub mod bench_support;
mod buffer;
pub mod codec;
mod conn;
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;
mod listener;
mod memory;
mod reactor;
pub mod sys;
mod timer;
pub mod tls;
mod transport;

pub use memory::{MemoryBudget, Pressure};
pub use reactor::{
    Admission, Ctx, Deadline, Delivery, Drops, Ending, Handler, LastInput, Listen, Messages, Offer,
    Overflow, Profile, ProfileStats, Reactor, ReactorConfig, ReactorHandle, ReactorSeed,
    ReactorStats, SendError, Stopped,
};
