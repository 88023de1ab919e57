//! What can be asked of the IM, on any wire.
//!
//! Each [`Call`] says what it is named in the native protocol, where it is found over REST, who may
//! make it, what comes in and what goes out. [`CALLS`] is the list of them all, from which the
//! adapters serve and their reference is written, so that neither can have what the other lacks.
//!
//! ```text
//!   bytes ─▶ adapter ─▶ Entry::perform ─▶ Call::perform ─▶ Im, Store
//!                                              │
//!   bytes ◀─ adapter ◀─────── Outcome ◀─── Answer
//! ```

mod account;
mod admin;
mod answer;
mod attachment;
mod call;
mod caller;
mod change;
mod conversation;
mod friend;
mod group;
pub(crate) mod input;
mod list;
mod member;
mod message;
mod online;
pub(crate) mod output;
mod position;
mod presence;
mod statistics;
mod user;
mod verification;
mod word;

pub use answer::{Answer, Outcome};
pub use call::{Access, Call, Entry, Input, Verb};
pub use caller::Caller;
pub use list::{CALLS, find};
