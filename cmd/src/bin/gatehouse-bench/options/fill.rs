//! What the filling of a store is told.

use std::path::PathBuf;

use clap::Args;

#[derive(Args, Debug)]
pub(crate) struct Fill {
    /// Directory for the store; there must be none in it.
    #[arg(long, value_name = "DIR")]
    pub(crate) store: PathBuf,
    /// Users: guests of the names user-0, user-1 and on.
    #[arg(
        short,
        long,
        default_value_t = 10_000,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=10_000_000)
    )]
    pub(crate) users: u32,
    /// Direct conversations that each user has begun; each has as many that others have.
    #[arg(long, default_value_t = 5, value_name = "N")]
    pub(crate) peers: u32,
    /// Groups; their messages are a tenth of all, unless --group-messages says otherwise.
    #[arg(short, long, default_value_t = 0, value_name = "N")]
    pub(crate) groups: u32,
    /// Members of each group; above 500 it is a channel.
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub(crate) members: u32,
    /// Messages.
    #[arg(
        short,
        long,
        default_value_t = 1_000_000,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(..=1_000_000_000)
    )]
    pub(crate) messages: u32,
    /// Of the messages, those in groups.
    #[arg(long, value_name = "N")]
    pub(crate) group_messages: Option<u32>,
    /// Bytes of a message's body.
    #[arg(
        short,
        long,
        default_value_t = 100,
        value_name = "BYTES",
        value_parser = clap::value_parser!(u32).range(1..=16_384)
    )]
    pub(crate) size: u32,
    /// Leave the index for searching messages to the server, which makes it when it starts.
    #[arg(long)]
    pub(crate) no_search: bool,
}
