//! Operations on the store, and how their outcomes come back.
//!
//! Every operation is a struct with a typed output. [`Write`] and [`Read`] list them all: what an
//! implementation of [`super::store::Store`] has to be able to do.

use std::fmt;

use common::UserId;

use super::refusal::Refusal;
use crate::account::{position, verification};
use crate::{account, attachment, friend, group, inbox, message, presence, statistics};

/// An operation on the store.
pub trait Operation: fmt::Debug + Send + Sized + 'static {
    /// What it gives when it succeeds.
    type Output: fmt::Debug + Send + 'static;
}

/// Where the outcome of an operation goes. Called once, from a thread of the store, or by the
/// caller's own if the operation is refused before it begins.
pub struct Reply<T>(Box<dyn FnOnce(Result<T, Refusal>) + Send>);

impl<T> Reply<T> {
    /// A reply that calls `then`, which must be short and must not wait for the store.
    pub fn new(then: impl FnOnce(Result<T, Refusal>) + Send + 'static) -> Self {
        Self(Box::new(then))
    }

    /// Hands the outcome over.
    pub fn send(self, outcome: Result<T, Refusal>) {
        (self.0)(outcome);
    }
}

impl<T> fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reply")
    }
}

macro_rules! operations {
    (
        $(#[$doc:meta])*
        $list:ident, $trait:ident:
        $($variant:ident($operation:ty) -> $output:ty;)*
    ) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $list {
            $(
                #[doc = concat!("See [`", stringify!($operation), "`].")]
                $variant($operation, Reply<$output>),
            )*
        }

        impl $list {
            /// Answers an operation that is not begun.
            pub fn refuse(self, refusal: Refusal) {
                match self {
                    $(Self::$variant(_, reply) => reply.send(Err(refusal)),)*
                }
            }
        }

        $(
            impl Operation for $operation {
                type Output = $output;
            }

            impl $trait for $operation {
                fn with_reply(self, reply: Reply<$output>) -> $list {
                    $list::$variant(self, reply)
                }
            }
        )*
    };
}

/// An operation that changes the store.
pub trait WriteOperation: Operation {
    /// The entry of the list for it.
    fn with_reply(self, reply: Reply<Self::Output>) -> Write;
}

/// An operation that only looks.
pub trait ReadOperation: Operation {
    /// The entry of the list for it.
    fn with_reply(self, reply: Reply<Self::Output>) -> Read;
}

operations! {
    /// Everything that changes the store. Each is done as a whole or not at all.
    Write, WriteOperation:
    Register(account::Register) -> account::User;
    EnterGuest(account::EnterGuest) -> account::Entered;
    Enter(account::Enter) -> account::Entered;
    EnterExternal(account::EnterExternal) -> account::User;
    OpenSession(account::OpenSession) -> account::User;
    CloseSessions(account::CloseSessions) -> usize;
    ChangePassword(account::ChangePassword) -> ();
    SetProfile(account::SetProfile) -> ();
    SetDisabled(account::SetDisabled) -> ();
    Send(message::Send) -> message::Receipt;
    SendSystem(message::SendSystem) -> usize;
    Signal(message::Signal) -> ();
    Recall(message::Recall) -> ();
    Delete(message::Delete) -> ();
    Clear(message::Clear) -> ();
    MarkRead(message::MarkRead) -> u64;
    SetConversation(message::SetConversation) -> ();
    RequestFriend(friend::RequestFriend) -> friend::Requested;
    AnswerFriend(friend::AnswerFriend) -> ();
    SetFriend(friend::SetFriend) -> ();
    RemoveFriend(friend::RemoveFriend) -> ();
    SetBlock(friend::SetBlock) -> ();
    CreateGroup(group::CreateGroup) -> group::Group;
    SetGroup(group::SetGroup) -> group::Group;
    Join(group::Join) -> group::Joined;
    Invite(group::Invite) -> group::Invited;
    AnswerApplication(group::AnswerApplication) -> ();
    Leave(group::Leave) -> ();
    Kick(group::Kick) -> ();
    SetRole(group::SetRole) -> ();
    Transfer(group::Transfer) -> ();
    SetMember(group::SetMember) -> ();
    MuteMember(group::MuteMember) -> ();
    Dismiss(group::Dismiss) -> ();
    SetPosition(position::SetPosition) -> ();
    SubmitVerification(verification::SubmitVerification) -> u64;
    AnswerVerification(verification::AnswerVerification) -> account::User;
    NoteSeen(presence::NoteSeen) -> ();
    FindWatched(presence::FindWatched) -> presence::Watched;
    NoteFile(attachment::NoteFile) -> ();
    AddAttachment(attachment::AddAttachment) -> attachment::Attachment;
    RemoveAttachment(attachment::RemoveAttachment) -> ();
    ForgetFiles(attachment::ForgetFiles) -> ();
}

operations! {
    /// Everything that is asked of the store. Each sees one state of it.
    Read, ReadOperation:
    FindCredentials(account::FindCredentials) -> account::Credentials;
    FindSession(account::FindSession) -> account::Account;
    FindAccount(account::FindAccount) -> account::Account;
    FindUsers(account::FindUsers) -> Vec<account::User>;
    SearchUsers(account::SearchUsers) -> Vec<account::Account>;
    ListSessions(account::ListSessions) -> Vec<account::Session>;
    History(message::History) -> message::HistoryPage;
    Conversations(message::Conversations) -> message::ConversationPage;
    SearchMessages(message::SearchMessages) -> Vec<message::Message>;
    Readers(message::Readers) -> message::ReadersPage;
    FindMuted(message::FindMuted) -> Vec<UserId>;
    Sync(inbox::Sync) -> inbox::SyncPage;
    Changes(inbox::Changes) -> inbox::ChangePage;
    ListFriends(friend::ListFriends) -> friend::FriendPage;
    ListRequests(friend::ListRequests) -> Vec<friend::FriendRequest>;
    ListBlocks(friend::ListBlocks) -> Vec<account::User>;
    FindBlockers(friend::FindBlockers) -> Vec<UserId>;
    FindGroup(group::FindGroup) -> group::GroupView;
    ListGroups(group::ListGroups) -> group::GroupPage;
    SearchGroups(group::SearchGroups) -> Vec<group::GroupView>;
    ListMembers(group::ListMembers) -> group::MemberPage;
    ListMemberIds(group::ListMemberIds) -> Vec<UserId>;
    ListApplications(group::ListApplications) -> Vec<group::Application>;
    FindNearby(position::FindNearby) -> position::NearbyPage;
    FindVerification(verification::FindVerification) -> verification::Verification;
    ListVerifications(verification::ListVerifications) -> verification::VerificationPage;
    FindLastSeen(presence::FindLastSeen) -> Vec<presence::LastSeen>;
    FindStatistics(statistics::FindStatistics) -> statistics::Statistics;
    ListAccounts(account::ListAccounts) -> account::AccountPage;
    ListAllGroups(group::ListAllGroups) -> group::GroupPage;
    FindAttachment(attachment::FindAttachment) -> attachment::Attachment;
    UsedBytes(attachment::UsedBytes) -> u64;
    IsLoose(attachment::IsLoose) -> bool;
    ListLooseFiles(attachment::ListLooseFiles) -> Vec<attachment::Hash>;
}
