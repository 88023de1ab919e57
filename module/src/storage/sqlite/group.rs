//! Groups: making, changing and ending them.

use common::{GroupId, SessionId, UserId};

use super::ending;
use super::sql::{Outcome, Sql};
use super::text;
use super::tx::{Execute, Tx};
use crate::group::{CreateGroup, Dismiss, Group, Joining, Role, SetGroup, Transfer};
use crate::inbox::{Audience, Happening, Notice};
use crate::message::Conversation;
use crate::storage::refusal::Refusal;

/// What of a group decides what may be done in it.
#[derive(Clone, Debug)]
pub(super) struct GroupRow {
    pub(super) name: String,
    pub(super) members: usize,
    pub(super) conversation: u64,
    pub(super) channel: bool,
    pub(super) joining: Joining,
    pub(super) muted: bool,
    pub(super) dismissed: bool,
}

/// What of a membership decides what may be done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Membership {
    pub(super) role: Role,
    pub(super) muted_until_ms: u64,
}

pub(super) fn role(number: u8) -> Role {
    match number {
        0 => Role::Member,
        1 => Role::Administrator,
        _ => Role::Owner,
    }
}

pub(super) fn joining(number: u8) -> Joining {
    match number {
        0 => Joining::Open,
        1 => Joining::Application,
        2 => Joining::Approval,
        _ => Joining::Invitation,
    }
}

impl Tx<'_> {
    /// A group, dismissed or not.
    pub(super) fn any_group(&self, group: GroupId) -> Outcome<GroupRow> {
        let found = self.db.first(
            "SELECT name, members, conversation, channel, joining, muted, dismissed
             FROM groups WHERE id = ?",
            [group.0],
            |row| {
                Ok(GroupRow {
                    name: row.get(0)?,
                    members: row.get(1)?,
                    conversation: row.get(2)?,
                    channel: row.get(3)?,
                    joining: joining(row.get(4)?),
                    muted: row.get(5)?,
                    dismissed: row.get(6)?,
                })
            },
        )?;
        Ok(found.ok_or(Refusal::GroupUnknown)?)
    }

    /// A group that was not dismissed. One that is gone with its last member is unknown.
    pub(super) fn group(&self, group: GroupId) -> Outcome<GroupRow> {
        let row = self.any_group(group)?;
        if row.dismissed && row.members == 0 {
            return Err(Refusal::GroupUnknown.into());
        }
        if row.dismissed {
            return Err(Refusal::GroupDismissed.into());
        }
        Ok(row)
    }

    pub(super) fn find_membership(
        &self,
        group: GroupId,
        user: UserId,
    ) -> Outcome<Option<Membership>> {
        let found = self.db.first(
            "SELECT role, muted_until_ms FROM members WHERE grp = ? AND user = ?",
            (group.0, user.0),
            |row| {
                Ok(Membership {
                    role: role(row.get(0)?),
                    muted_until_ms: row.get(1)?,
                })
            },
        )?;
        Ok(found)
    }

    pub(super) fn membership(&self, group: GroupId, user: UserId) -> Outcome<Membership> {
        Ok(self
            .find_membership(group, user)?
            .ok_or(Refusal::NotMember)?)
    }

    /// The membership of a user who must have at least this role.
    pub(super) fn membership_as(
        &self,
        group: GroupId,
        user: UserId,
        least: Role,
    ) -> Outcome<Membership> {
        let membership = self.membership(group, user)?;
        if membership.role < least {
            return Err(Refusal::RoleTooLow.into());
        }
        Ok(membership)
    }

    /// Both memberships, of one who acts and one above whom they must stand.
    pub(super) fn above(&self, group: GroupId, by: UserId, user: UserId) -> Outcome<Role> {
        if by == user {
            return Err(Refusal::Oneself.into());
        }
        let own = self.membership(group, by)?.role;
        let theirs = self.membership(group, user)?.role;
        if own < Role::Administrator || own <= theirs {
            return Err(Refusal::RoleTooLow.into());
        }
        Ok(theirs)
    }

    pub(super) fn set_role(&self, group: GroupId, user: UserId, role: Role) -> Outcome<()> {
        self.db.run(
            "UPDATE members SET role = ? WHERE grp = ? AND user = ?",
            (role as u8, group.0, user.0),
        )?;
        Ok(())
    }

    fn index_group(&self, group: GroupId, name: &str) -> Outcome<()> {
        self.db.run(
            "INSERT OR REPLACE INTO group_index (rowid, text) VALUES (?, ?)",
            (group.0, text::indexed(name)),
        )?;
        Ok(())
    }

    /// Takes a group out of what can be found, joined and written to. Its members, who need not
    /// leave it, have room for another.
    pub(super) fn end_group(&self, group: GroupId) -> Outcome<()> {
        self.db
            .run("UPDATE groups SET dismissed = 1 WHERE id = ?", [group.0])?;
        ending::count_out(self.db, group.0, 0)?;
        self.db
            .run("DELETE FROM group_index WHERE rowid = ?", [group.0])?;
        let groups = self.db.meta("groups")?;
        self.db.set_meta("groups", groups.saturating_sub(1))?;
        Ok(())
    }

    /// Makes a group a channel if it has grown beyond what fans out.
    pub(super) fn open_channel_if_large(&mut self, group: GroupId) -> Outcome<()> {
        let row = self.any_group(group)?;
        if row.channel || row.members <= self.rules.fanout_limit {
            return Ok(());
        }
        self.db
            .run("UPDATE groups SET channel = 1 WHERE id = ?", [group.0])?;
        let members = self.members(group)?;
        let happening = Happening::ChannelOpened { group, members };
        self.emit(happening, Audience::Nobody, None);
        Ok(())
    }

    fn tell_change(
        &mut self,
        group: GroupId,
        by: UserId,
        origin: Option<SessionId>,
    ) -> Outcome<()> {
        let channel = self.any_group(group)?.channel;
        let by = self.user(by)?;
        self.notify_group(group, channel, Notice::GroupChanged { group, by }, origin)
    }

    /// Tells all members that a group has another owner, who finds it in their inbox, in a channel
    /// as well.
    pub(super) fn tell_owner(
        &mut self,
        group: GroupId,
        owner: UserId,
        by: UserId,
        origin: Option<SessionId>,
    ) -> Outcome<()> {
        if self.any_group(group)?.channel {
            let by = self.user(by)?;
            self.notify(&[owner], Notice::GroupChanged { group, by }, origin)?;
        }
        self.tell_change(group, by, origin)
    }
}

impl Execute for CreateGroup {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<Group> {
        let owner = tx.user(self.owner)?;
        tx.count_up("groups", tx.rules.groups_max, "there are too many groups")?;
        tx.db.run(
            "INSERT INTO groups (name, owner, creator, members, conversation, joining, created_ms)
             VALUES (?, ?, ?, 0, 0, ?, ?)",
            (
                &self.name,
                self.owner.0,
                self.owner.0,
                self.joining as u8,
                tx.now_ms,
            ),
        )?;
        let id = GroupId(tx.db.last_insert_rowid() as u64);
        let log = tx.open_conversation(Conversation::Group(id))?;
        tx.db.run(
            "UPDATE groups SET conversation = ? WHERE id = ?",
            (log.id, id.0),
        )?;
        tx.index_group(id, &self.name)?;
        tx.admit(id, self.owner, Role::Owner, None)?;
        // The owner's other devices hear of it as those of the members do.
        let made = Notice::GroupJoined {
            group: id,
            user: owner.clone(),
            by: None,
        };
        tx.notify(&[self.owner], made, self.origin)?;
        for user in self.members {
            if user == self.owner || tx.blocks(user, self.owner)? {
                continue;
            }
            let Some(user) = super::tx::find_user(tx.db, user)? else {
                continue;
            };
            if tx.find_membership(id, user.id)?.is_none() && tx.has_room(user.id)? {
                tx.admit(id, user.id, Role::Member, Some(self.owner))?;
                // Only the one concerned: everybody else finds the list when they are told.
                let notice = Notice::GroupJoined {
                    group: id,
                    user: user.clone(),
                    by: Some(owner.clone()),
                };
                tx.notify(&[user.id], notice, None)?;
            }
        }
        tx.open_channel_if_large(id)?;
        Ok(Group {
            id,
            members: tx.any_group(id)?.members,
            name: self.name,
        })
    }
}

impl Execute for SetGroup {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<Group> {
        tx.group(self.group)?;
        tx.membership_as(self.group, self.by, Role::Administrator)?;
        tx.db.run(
            "UPDATE groups SET name = coalesce(?2, name), picture = coalesce(?3, picture),
                introduction = coalesce(?4, introduction),
                announcement = coalesce(?5, announcement), extra = coalesce(?6, extra),
                joining = coalesce(?7, joining), muted = coalesce(?8, muted) WHERE id = ?1",
            (
                self.group.0,
                &self.name,
                &self.picture,
                &self.introduction,
                &self.announcement,
                &self.extra,
                self.joining.map(|joining| joining as u8),
                self.muted,
            ),
        )?;
        if let Some(name) = &self.name {
            tx.index_group(self.group, name)?;
        }
        tx.tell_change(self.group, self.by, self.origin)?;
        let row = tx.any_group(self.group)?;
        Ok(Group {
            id: self.group,
            name: row.name,
            members: row.members,
        })
    }
}

impl Execute for Transfer {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<()> {
        tx.group(self.group)?;
        if self.by == self.to {
            return Err(Refusal::Oneself.into());
        }
        tx.membership_as(self.group, self.by, Role::Owner)?;
        let before = tx.membership(self.group, self.to)?.role;
        tx.set_role(self.group, self.to, Role::Owner)?;
        tx.set_role(self.group, self.by, before)?;
        tx.db.run(
            "UPDATE groups SET owner = ? WHERE id = ?",
            (self.to.0, self.group.0),
        )?;
        tx.tell_owner(self.group, self.to, self.by, self.origin)
    }
}

impl Execute for Dismiss {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<()> {
        let row = tx.group(self.group)?;
        let by = match self.by {
            Some(by) => {
                tx.membership_as(self.group, by, Role::Owner)?;
                tx.user(by)?
            }
            None => crate::account::User {
                id: UserId(0),
                name: String::new(),
            },
        };
        let notice = Notice::GroupDismissed {
            group: self.group,
            by,
        };
        tx.notify_group(self.group, row.channel, notice, self.origin)?;
        tx.end_group(self.group)
    }
}
