//! Sets of sessions that get a publish.

mod fanout;
mod prepared;
mod presence;
mod table;

pub(crate) use fanout::Fanouts;
pub use prepared::Message;
pub(crate) use prepared::Prepared;
pub(crate) use presence::TopicPresence;
pub(crate) use table::{MembershipStore, Memberships, TopicTable};
