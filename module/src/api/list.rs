//! All calls.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use super::call::Entry;
use super::{
    account, admin, attachment, change, conversation, friend, group, member, message, position,
    presence, statistics, user, verification,
};

/// All calls, in the order of their reference.
pub static CALLS: &[Entry] = &[
    // Accounts and sessions.
    Entry::of::<account::Register>(),
    Entry::of::<account::LogIn>(),
    Entry::of::<account::Renew>(),
    Entry::of::<account::Get>(),
    Entry::of::<account::Set>(),
    Entry::of::<account::ChangePassword>(),
    Entry::of::<account::Sessions>(),
    Entry::of::<account::Close>(),
    Entry::of::<account::CloseAll>(),
    // Users.
    Entry::of::<user::Get>(),
    Entry::of::<user::Search>(),
    Entry::of::<user::Online>(),
    Entry::of::<presence::Get>(),
    Entry::of::<position::Set>(),
    Entry::of::<position::Clear>(),
    Entry::of::<position::Near>(),
    Entry::of::<verification::Submit>(),
    Entry::of::<verification::Get>(),
    // Friends.
    Entry::of::<friend::Request>(),
    Entry::of::<friend::Requests>(),
    Entry::of::<friend::Reply>(),
    Entry::of::<friend::List>(),
    Entry::of::<friend::Set>(),
    Entry::of::<friend::Remove>(),
    Entry::of::<friend::Blocks>(),
    Entry::of::<friend::Block>(),
    Entry::of::<friend::Unblock>(),
    // Groups.
    Entry::of::<group::Create>(),
    Entry::of::<group::List>(),
    Entry::of::<group::Search>(),
    Entry::of::<group::Get>(),
    Entry::of::<group::Set>(),
    Entry::of::<group::JoinIt>(),
    Entry::of::<group::LeaveIt>(),
    Entry::of::<group::HandOver>(),
    Entry::of::<group::End>(),
    Entry::of::<member::List>(),
    Entry::of::<member::Bring>(),
    Entry::of::<member::Remove>(),
    Entry::of::<member::Rename>(),
    Entry::of::<member::Appoint>(),
    Entry::of::<member::Mute>(),
    Entry::of::<member::Applications>(),
    Entry::of::<member::Decide>(),
    // Messages.
    Entry::of::<message::Send>(),
    Entry::of::<message::Tell>(),
    Entry::of::<message::ReadHistory>(),
    Entry::of::<message::Read>(),
    Entry::of::<message::TakeBack>(),
    Entry::of::<message::DeleteForMe>(),
    Entry::of::<message::Search>(),
    Entry::of::<message::WhoHasRead>(),
    Entry::of::<conversation::List>(),
    Entry::of::<conversation::Set>(),
    Entry::of::<conversation::Empty>(),
    Entry::of::<change::List>(),
    Entry::of::<conversation::SyncInbox>(),
    // Attachments; they are uploaded over HTTP alone.
    Entry::of::<attachment::Get>(),
    Entry::of::<attachment::Remove>(),
    // What the operator's own staff may ask.
    Entry::of::<statistics::Counts>(),
    Entry::of::<statistics::Users>(),
    Entry::of::<admin::FindUsers>(),
    Entry::of::<admin::GetUser>(),
    Entry::of::<admin::Disable>(),
    Entry::of::<admin::SetPassword>(),
    Entry::of::<admin::Sessions>(),
    Entry::of::<admin::Kick>(),
    Entry::of::<admin::Online>(),
    Entry::of::<admin::Announce>(),
    Entry::of::<admin::TakeBack>(),
    Entry::of::<verification::List>(),
    Entry::of::<verification::Decide>(),
    Entry::of::<statistics::Groups>(),
    Entry::of::<admin::EndGroup>(),
];

/// The call of this name in the native protocol.
#[must_use]
pub fn find(op: &str) -> Option<&'static Entry> {
    static BY_OP: LazyLock<FxHashMap<&'static str, &'static Entry>> =
        LazyLock::new(|| CALLS.iter().map(|call| (call.op, call)).collect());
    BY_OP.get(op).copied()
}
