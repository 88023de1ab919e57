//! What the scenario of the whole IM is told.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::time;

/// What `--help` says of what is verified.
pub(super) const ABOUT: &str = "\
Users who are logged in write to each other, in pairs and in groups, and keep books as a client \
does that must not lose anything: numbers of their inbox, numbers of each conversation, and what \
was said under which.

In the end everyone asks for what they may have missed, and the books are compared. Of each \
conversation everyone must have every number from the first to the last, the same words under the \
same number, and as many messages as were acknowledged: so each of them has arrived exactly once. \
Pushes must come in the order of the numbers. Anything else is a loss, and one makes the run a \
failure.

With --reconnect the server may be stopped, killed and started again while the run goes on: users \
come back, log in, catch up by inbox.sync, and send again what was not acknowledged.";

#[derive(Args, Debug)]
pub(crate) struct ImLoad {
    /// Users, each with one connection; an odd number is rounded up, since they talk in pairs.
    #[arg(
        short,
        long,
        default_value_t = 1000,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(crate) users: u32,
    /// Who they are. A server that keeps what it has in files takes no guests unless it is told to
    /// (`guests` in its configuration); accounts are made at its first ws:// target, some 30 a
    /// second for each of its cores.
    #[arg(long, value_enum, default_value = "guests", value_name = "WHO")]
    pub(crate) accounts: Accounts,
    /// Messages per second, of all users together [default: as many as are acknowledged].
    #[arg(
        short,
        long,
        value_name = "PER_SECOND",
        conflicts_with = "in_flight",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(crate) rate: Option<u32>,
    /// Without a rate: messages on their way at once, of all users together.
    #[arg(
        short,
        long,
        default_value_t = 1024,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=65_536)
    )]
    pub(crate) in_flight: u32,
    /// How long to send.
    #[arg(short, long, default_value = "10s", value_name = "TIME", value_parser = time)]
    pub(crate) duration: Duration,
    /// Members of a group; 0 for no groups.
    #[arg(short, long, default_value_t = 0, value_name = "N")]
    pub(crate) group_size: u32,
    /// With groups: messages of a hundred that go to the sender's group.
    #[arg(
        long,
        default_value_t = 50,
        value_name = "PERCENT",
        value_parser = clap::value_parser!(u32).range(..=100)
    )]
    pub(crate) group_share: u32,
    /// Bytes of a message's body, at least 48.
    #[arg(
        short,
        long,
        default_value_t = 100,
        value_name = "BYTES",
        value_parser = clap::value_parser!(u32).range(48..=16_384)
    )]
    pub(crate) size: u32,
    /// Come back when the server goes, and go on.
    #[arg(long)]
    pub(crate) reconnect: bool,
}

/// How users come to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Accounts {
    /// By name, without a password.
    Guests,
    /// By an account that is made for the run, and a token.
    Registered,
}
