//! Members: joining, inviting, leaving, removing, muting.

use common::{GroupId, SessionId, UserId};

use super::ending;
use super::group::GroupRow;
use super::sql::{Outcome, Sql};
use super::tx::{Execute, Tx, find_user};
use crate::account::User;
use crate::group::{
    AnswerApplication, Invite, Invited, Join, Joined, Joining, Kick, Leave, MuteMember, Role,
    SetMember, SetRole,
};
use crate::inbox::{Audience, Happening, Notice};
use crate::storage::refusal::Refusal;

impl Tx<'_> {
    /// Whether a user may be in one more group.
    pub(super) fn has_room(&self, user: UserId) -> Outcome<bool> {
        Ok(ending::groups_of(self.db, user)? < self.rules.groups_per_user_max)
    }

    /// Makes a user a member, and tells nobody. What was said before is not for them to see, also
    /// where they were a member then.
    pub(super) fn admit(
        &self,
        group: GroupId,
        user: UserId,
        role: Role,
        inviter: Option<UserId>,
    ) -> Outcome<()> {
        if !self.has_room(user)? {
            return Err(Refusal::LimitReached("the user is in too many groups").into());
        }
        self.db.run(
            "UPDATE users SET groups = groups + 1 WHERE id = ?",
            [user.0],
        )?;
        let counted = self.db.run(
            "UPDATE groups SET members = members + 1 WHERE id = ? AND members < ?",
            (group.0, self.rules.members_max),
        )?;
        if counted == 0 {
            return Err(Refusal::LimitReached("the group has too many members").into());
        }
        self.db.run(
            "INSERT INTO members (grp, user, role, inviter, joined_ms) VALUES (?, ?, ?, ?, ?)",
            (
                group.0,
                user.0,
                role as u8,
                inviter.map(|inviter| inviter.0),
                self.now_ms,
            ),
        )?;
        self.db.run(
            "INSERT INTO participants (user, conversation, first_seq, read_seq)
             SELECT ?1, c.id, c.last_seq + 1, c.last_seq
             FROM groups g JOIN conversations c ON c.id = g.conversation WHERE g.id = ?2
             ON CONFLICT DO UPDATE SET first_seq = excluded.first_seq, left_seq = NULL,
                read_seq = excluded.read_seq, unlisted_seq = -1",
            (user.0, group.0),
        )?;
        // An application that waits has come to its end.
        self.db.run(
            "UPDATE applications SET state = 1, handled_ms = ? WHERE grp = ? AND user = ?
                AND state = 0",
            (self.now_ms, group.0, user.0),
        )?;
        Ok(())
    }

    /// Makes a user a member, and tells all members, old and new.
    fn join(
        &mut self,
        group: GroupId,
        user: User,
        by: Option<User>,
        origin: Option<SessionId>,
    ) -> Outcome<()> {
        let inviter = by.as_ref().map(|by| by.id);
        self.admit(group, user.id, Role::Member, inviter)?;
        self.open_channel_if_large(group)?;
        let channel = self.any_group(group)?.channel;
        let id = user.id;
        let concerned = [Some(id), by.as_ref().map(|by| by.id)];
        let notice = Notice::GroupJoined { group, user, by };
        if channel {
            let happening = Happening::ChannelMember {
                group,
                user: id,
                hears: true,
            };
            self.emit(happening, Audience::Nobody, None);
            // Everybody else hears of it in the channel's own time.
            let concerned: Vec<UserId> = concerned.into_iter().flatten().collect();
            self.notify(&concerned, notice.clone(), origin)?;
            return self.tell_turnover(group, id, true, notice, origin);
        }
        self.notify_group(group, false, notice, origin)
    }

    /// Ends a membership, and tells all members and the one who was.
    fn part(
        &mut self,
        group: GroupId,
        row: &GroupRow,
        user: UserId,
        by: Option<User>,
        origin: Option<SessionId>,
    ) -> Outcome<()> {
        let concerned = [Some(user), by.as_ref().map(|by| by.id)];
        let notice = Notice::GroupLeft {
            group,
            user: self.user(user)?,
            by,
        };
        if row.channel {
            self.tell_turnover(group, user, false, notice.clone(), origin)?;
            let concerned: Vec<UserId> = concerned.into_iter().flatten().collect();
            self.notify(&concerned, notice, origin)?;
            let happening = Happening::ChannelMember {
                group,
                user,
                hears: false,
            };
            self.emit(happening, Audience::Nobody, None);
        } else {
            self.notify_group(group, false, notice, origin)?;
        }
        self.db.run(
            "DELETE FROM members WHERE grp = ? AND user = ?",
            (group.0, user.0),
        )?;
        self.db.run(
            "UPDATE groups SET members = members - 1 WHERE id = ?",
            [group.0],
        )?;
        if !row.dismissed || ending::is_counted(self.db, group.0, user)? {
            self.db.run(
                "UPDATE users SET groups = groups - 1 WHERE id = ?",
                [user.0],
            )?;
        }
        self.db.run(
            "UPDATE participants SET left_seq =
                (SELECT last_seq FROM conversations WHERE id = ?2)
             WHERE user = ?1 AND conversation = ?2",
            (user.0, row.conversation),
        )?;
        Ok(())
    }

    /// Keeps an application, and tells those who may answer it and the applicant.
    fn apply(
        &mut self,
        group: GroupId,
        user: User,
        text: &str,
        inviter: Option<UserId>,
        origin: Option<SessionId>,
    ) -> Outcome<()> {
        self.db.run(
            "INSERT INTO applications (grp, user, text, inviter, created_ms)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET text = ?3, inviter = ?4, created_ms = ?5, state = 0,
                answer = '', handler = NULL, handled_ms = 0",
            (
                group.0,
                user.id.0,
                text,
                inviter.map(|inviter| inviter.0),
                self.now_ms,
            ),
        )?;
        let mut told = self.with_role(group)?;
        told.push(user.id);
        let notice = Notice::Applied {
            group,
            user,
            text: text.to_owned(),
        };
        self.notify(&told, notice, origin)
    }

    /// The owner and the administrators.
    fn with_role(&self, group: GroupId) -> Outcome<Vec<UserId>> {
        Ok(self.db.rows(
            "SELECT user FROM members WHERE grp = ? AND role > 0",
            [group.0],
            |row| Ok(UserId(row.get(0)?)),
        )?)
    }

    /// Tells all members that one of them has another role, nickname or right to speak. The one
    /// concerned finds it in their inbox, in a channel as well.
    fn tell_member(
        &mut self,
        group: GroupId,
        row: &GroupRow,
        user: UserId,
        by: UserId,
        origin: Option<SessionId>,
    ) -> Outcome<()> {
        let notice = Notice::MemberChanged {
            group,
            user: self.user(user)?,
            by: self.user(by)?,
        };
        if row.channel {
            self.notify(&[user], notice.clone(), origin)?;
        }
        self.notify_group(group, row.channel, notice, origin)
    }
}

impl Execute for Join {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<Joined> {
        let row = tx.group(self.group)?;
        let user = tx.user(self.user)?;
        if tx.find_membership(self.group, self.user)?.is_some() {
            return Ok(Joined::Already);
        }
        match row.joining {
            Joining::Open => {
                tx.join(self.group, user, None, self.origin)?;
                Ok(Joined::Member)
            }
            Joining::Application | Joining::Approval => {
                tx.apply(self.group, user, &self.text, None, self.origin)?;
                Ok(Joined::Applied)
            }
            Joining::Invitation => Err(Refusal::InvitationOnly.into()),
        }
    }
}

impl Execute for Invite {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<Invited> {
        let row = tx.group(self.group)?;
        let own = tx.membership(self.group, self.by)?.role;
        let by = tx.user(self.by)?;
        let directly = match row.joining {
            Joining::Open | Joining::Application => true,
            Joining::Approval | Joining::Invitation => own >= Role::Administrator,
        };
        let mut invited = Invited::default();
        for id in self.users {
            if tx.find_membership(self.group, id)?.is_some() || tx.blocks(id, self.by)? {
                continue;
            }
            let Some(user) = find_user(tx.db, id)? else {
                continue;
            };
            if directly && !tx.has_room(id)? {
                continue;
            }
            if directly {
                tx.join(self.group, user, Some(by.clone()), self.origin)?;
                invited.joined.push(id);
            } else {
                tx.apply(self.group, user, &self.text, Some(self.by), self.origin)?;
                invited.applied.push(id);
            }
        }
        Ok(invited)
    }
}

impl Execute for AnswerApplication {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<()> {
        tx.group(self.group)?;
        tx.membership_as(self.group, self.by, Role::Administrator)?;
        let closed = tx.db.run(
            "UPDATE applications SET state = ?, answer = ?, handler = ?, handled_ms = ?
             WHERE grp = ? AND user = ? AND state = 0",
            (
                if self.accept { 1 } else { 2 },
                &self.text,
                self.by.0,
                tx.now_ms,
                self.group.0,
                self.user.0,
            ),
        )?;
        if closed == 0 {
            return Err(Refusal::RequestUnknown.into());
        }
        let (user, by) = (tx.user(self.user)?, tx.user(self.by)?);
        let mut told = tx.with_role(self.group)?;
        told.push(self.user);
        let notice = Notice::ApplicationAnswered {
            group: self.group,
            user: user.clone(),
            by: by.clone(),
            accepted: self.accept,
            text: self.text,
        };
        tx.notify(&told, notice, self.origin)?;
        if self.accept {
            tx.join(self.group, user, Some(by), self.origin)?;
        }
        Ok(())
    }
}

impl Execute for Leave {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<()> {
        let row = tx.any_group(self.group)?;
        if row.dismissed && row.members == 0 {
            return Err(Refusal::GroupUnknown.into());
        }
        let own = tx.membership(self.group, self.user)?.role;
        let mut heir = None;
        if own == Role::Owner && row.members > 1 && !row.dismissed {
            if !self.hand_over {
                return Err(Refusal::OwnerCannotLeave.into());
            }
            // The index of those with a role is used where it is said that they have one.
            heir = tx.db.first(
                "SELECT coalesce(
                    (SELECT user FROM members WHERE grp = ?1 AND role > 0 AND role = 1
                        ORDER BY user LIMIT 1),
                    (SELECT user FROM members WHERE grp = ?1 AND user <> ?2
                        ORDER BY user LIMIT 1))",
                (self.group.0, self.user.0),
                |row| Ok(UserId(row.get(0)?)),
            )?;
            if let Some(heir) = heir {
                tx.set_role(self.group, heir, Role::Owner)?;
                tx.db.run(
                    "UPDATE groups SET owner = ? WHERE id = ?",
                    (heir.0, self.group.0),
                )?;
            }
        }
        tx.part(self.group, &row, self.user, None, self.origin)?;
        if let Some(heir) = heir {
            tx.tell_owner(self.group, heir, self.user, self.origin)?;
        }
        if row.members == 1 && !row.dismissed {
            tx.end_group(self.group)?;
        }
        Ok(())
    }
}

impl Execute for Kick {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<()> {
        let row = tx.group(self.group)?;
        let by = tx.user(self.by)?;
        for user in self.users {
            tx.above(self.group, self.by, user)?;
            tx.part(self.group, &row, user, Some(by.clone()), self.origin)?;
        }
        Ok(())
    }
}

impl Execute for SetRole {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<()> {
        if self.role == Role::Owner {
            return Err(Refusal::Invalid("a group is handed over by a transfer").into());
        }
        let row = tx.group(self.group)?;
        tx.membership_as(self.group, self.by, Role::Owner)?;
        tx.above(self.group, self.by, self.user)?;
        tx.set_role(self.group, self.user, self.role)?;
        tx.tell_member(self.group, &row, self.user, self.by, self.origin)
    }
}

impl Execute for SetMember {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<()> {
        let row = tx.group(self.group)?;
        if self.by == self.user {
            tx.membership(self.group, self.by)?;
        } else {
            tx.above(self.group, self.by, self.user)?;
        }
        tx.db.run(
            "UPDATE members SET nickname = ? WHERE grp = ? AND user = ?",
            (&self.nickname, self.group.0, self.user.0),
        )?;
        tx.tell_member(self.group, &row, self.user, self.by, self.origin)
    }
}

impl Execute for MuteMember {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<()> {
        let row = tx.group(self.group)?;
        tx.above(self.group, self.by, self.user)?;
        let until_ms = match self.seconds {
            0 => 0,
            seconds => tx.now_ms + u64::from(seconds) * 1_000,
        };
        tx.db.run(
            "UPDATE members SET muted_until_ms = ? WHERE grp = ? AND user = ?",
            (until_ms, self.group.0, self.user.0),
        )?;
        tx.tell_member(self.group, &row, self.user, self.by, self.origin)
    }
}
