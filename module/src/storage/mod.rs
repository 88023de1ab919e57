//! What the IM keeps.

mod memory;
pub mod operation;
pub mod refusal;
pub mod sqlite;
pub mod store;

use common::{GroupId, UserId};

use crate::account::User;
use crate::group::Group;
use crate::message::{Conversation, Draft, Receipt};

pub use memory::MemoryStore;

/// Why the store did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no such thing.
    #[error("not found")]
    NotFound,
    /// A bound of the store is reached.
    #[error("the store's limit is reached")]
    Full,
}

/// Accounts, groups and conversations. Every call is short, and safe from any worker.
pub trait Store: Send + Sync {
    /// The user of this name, letter case aside; made if there is none.
    ///
    /// # Errors
    /// [`StoreError::Full`].
    fn guest(&self, name: &str) -> Result<User, StoreError>;

    /// The user of this id.
    fn user(&self, id: UserId) -> Option<User>;

    /// The user has gone offline: a store that keeps guests only for a while may forget them.
    fn retire(&self, id: UserId);

    /// Makes a group with one member.
    ///
    /// # Errors
    /// [`StoreError::Full`].
    fn create_group(&self, name: &str, owner: UserId) -> Result<Group, StoreError>;

    /// The group of this id.
    fn group(&self, id: GroupId) -> Option<Group>;

    /// Makes a user a member; the group, and whether they were none before.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Full`].
    fn join(&self, group: GroupId, user: UserId) -> Result<(Group, bool), StoreError>;

    /// Ends a membership; false if there was none. A group without members is gone.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    fn leave(&self, group: GroupId, user: UserId) -> Result<bool, StoreError>;

    /// Whether the user is a member of the group.
    fn is_member(&self, group: GroupId, user: UserId) -> bool;

    /// Members with an id above `after`, by ascending id; at most `limit`.
    fn members(&self, group: GroupId, after: UserId, limit: usize) -> Vec<User>;

    /// The groups of a user.
    fn groups_of(&self, user: UserId) -> Vec<GroupId>;

    /// Groups with an id above `after`, by ascending id; at most `limit`, and how many there are in
    /// all.
    fn groups(&self, after: GroupId, limit: usize) -> (Vec<Group>, usize);

    /// Gives a message its place in its conversation; the receipt, and whether the message is new.
    /// A message whose sender has already used its client id gets the receipt of the first.
    ///
    /// # Errors
    /// [`StoreError::Full`].
    fn append(
        &self,
        conversation: Conversation,
        sender: UserId,
        draft: &Draft,
        time_ms: u64,
    ) -> Result<(Receipt, bool), StoreError>;
}
