//! Looking at groups, members and applications.

use common::{GroupId, UserId};
use rusqlite::{Connection, Row};

use super::ending;
use super::friend::{state, user};
use super::group::{joining, role};
use super::readers::Query;
use super::sql::{Outcome, Sql};
use super::text;
use crate::group::{
    Application, FindGroup, GroupPage, GroupView, ListAllGroups, ListApplications, ListGroups,
    ListMemberIds, ListMembers, Member, MemberPage, Role, SearchGroups, WhichApplications,
    WhichGroups, WhichMembers,
};
use crate::storage::refusal::Refusal;

/// The columns that `view` reads, for the user who is the first parameter.
const COLUMNS: &str = "g.id, g.name, g.picture, g.introduction, g.announcement, g.extra, g.owner, \
     g.creator, g.members, g.joining, g.muted, g.dismissed, g.channel, g.created_ms, \
     (SELECT role FROM members WHERE grp = g.id AND user = ?1)";

fn view(row: &Row<'_>) -> rusqlite::Result<GroupView> {
    Ok(GroupView {
        id: GroupId(row.get(0)?),
        name: row.get(1)?,
        picture: row.get(2)?,
        introduction: row.get(3)?,
        announcement: row.get(4)?,
        extra: row.get(5)?,
        owner: UserId(row.get(6)?),
        creator: UserId(row.get(7)?),
        members: row.get(8)?,
        joining: joining(row.get(9)?),
        muted: row.get(10)?,
        dismissed: row.get(11)?,
        channel: row.get(12)?,
        created_ms: row.get(13)?,
        role: row.get::<_, Option<u8>>(14)?.map(role),
    })
}

fn find(db: &Connection, user: UserId, group: GroupId) -> Outcome<GroupView> {
    let sql = format!("SELECT {COLUMNS} FROM groups g WHERE g.id = ?2");
    let found = db.first(&sql, (user.0, group.0), view)?;
    match found {
        Some(view) if !(view.dismissed && view.members == 0) => Ok(view),
        _ => Err(Refusal::GroupUnknown.into()),
    }
}

impl Query for FindGroup {
    fn query(self, db: &Connection) -> Outcome<GroupView> {
        find(db, self.user, self.group)
    }
}

impl Query for ListGroups {
    fn query(self, db: &Connection) -> Outcome<GroupPage> {
        let params = (self.user.0, self.after.0, self.limit + 1);
        let (mut groups, total) = match self.which {
            WhichGroups::Joined => {
                // Conversations of groups ascend as their groups do.
                let sql = format!(
                    "SELECT {COLUMNS} FROM participants p
                     JOIN groups g ON g.conversation = p.conversation
                     WHERE p.user = ?1 AND p.left_seq IS NULL AND g.dismissed = 0 AND
                        p.conversation > coalesce((SELECT conversation FROM groups
                            WHERE id <= ?2 ORDER BY id DESC LIMIT 1), 0)
                     ORDER BY p.conversation LIMIT ?3"
                );
                let total = ending::groups_of(db, self.user)?;
                (db.rows(&sql, params, view)?, total)
            }
            WhichGroups::All => {
                let sql = format!(
                    "SELECT {COLUMNS} FROM groups g WHERE g.id > ?2 AND g.dismissed = 0
                     ORDER BY g.id LIMIT ?3"
                );
                (db.rows(&sql, params, view)?, db.meta("groups")?)
            }
        };
        let more = groups.len() > self.limit;
        groups.truncate(self.limit);
        Ok(GroupPage {
            groups,
            total,
            more,
        })
    }
}

impl Query for SearchGroups {
    fn query(self, db: &Connection) -> Outcome<Vec<GroupView>> {
        let Some(query) = text::query(&self.query) else {
            return Ok(Vec::new());
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM groups g WHERE g.id IN
                (SELECT rowid FROM group_index WHERE group_index MATCH ?2 ORDER BY rowid LIMIT ?3)"
        );
        Ok(db.rows(&sql, (self.user.0, query, self.limit), view)?)
    }
}

impl Query for ListAllGroups {
    fn query(self, db: &Connection) -> Outcome<GroupPage> {
        let (after, limit) = (self.after.0, self.limit + 1);
        // Nobody is the user 0.
        let of = |which: &str| {
            format!(
                "SELECT {COLUMNS} FROM groups g WHERE ?1 = 0 AND {which} ORDER BY g.id LIMIT ?3"
            )
        };
        let mut groups = match self.query.as_deref().map(text::query) {
            None => db.rows(&of("g.id > ?2"), (0, after, limit), view)?,
            // Nothing in it that could be looked for.
            Some(None) => Vec::new(),
            Some(Some(query)) => {
                let found = of(
                    "g.id IN (SELECT rowid FROM group_index WHERE group_index MATCH ?4
                    AND rowid > ?2 ORDER BY rowid LIMIT ?3)",
                );
                db.rows(&found, (0, after, limit, query), view)?
            }
        };
        let more = groups.len() > self.limit;
        groups.truncate(self.limit);
        Ok(GroupPage {
            groups,
            total: db.meta("groups")?,
            more,
        })
    }
}

impl Query for ListMemberIds {
    fn query(self, db: &Connection) -> Outcome<Vec<UserId>> {
        let ids = db.rows(
            "SELECT user FROM members WHERE grp = ? AND user > ? ORDER BY user LIMIT ?",
            (self.group.0, self.after.0, self.limit),
            |row| Ok(UserId(row.get(0)?)),
        )?;
        Ok(ids)
    }
}

/// The columns that `member` reads.
const MEMBER: &str = "u.id, u.nickname, u.picture, m.nickname, m.role, m.inviter, \
     m.muted_until_ms, m.joined_ms";

fn member(row: &Row<'_>) -> rusqlite::Result<Member> {
    Ok(Member {
        user: user(row, 0)?,
        picture: row.get(2)?,
        nickname: row.get(3)?,
        role: role(row.get(4)?),
        inviter: row.get::<_, Option<u64>>(5)?.map(UserId),
        muted_until_ms: row.get(6)?,
        joined_ms: row.get(7)?,
    })
}

impl Query for ListMembers {
    fn query(self, db: &Connection) -> Outcome<MemberPage> {
        let group = find(db, self.user, self.group)?;
        if group.role.is_none() {
            return Err(Refusal::NotMember.into());
        }
        let (id, after, limit) = (self.group.0, self.after.0, self.limit + 1);
        let of = |members: &str, condition: &str| {
            format!(
                "SELECT {MEMBER} FROM members m {members} JOIN users u ON u.id = m.user
                 WHERE m.grp = ?1 AND m.user > ?2 {condition} ORDER BY m.user LIMIT ?3"
            )
        };
        let params = (id, after, limit);
        let mut members = match self.which {
            WhichMembers::All => db.rows(&of("", ""), params, member)?,
            WhichMembers::WithRole => {
                // In the order of the table, all members would be looked at for the few.
                let few = of("INDEXED BY members_with_role", "AND m.role > 0");
                db.rows(&few, params, member)?
            }
            WhichMembers::These(users) => {
                let sql = format!(
                    "SELECT {MEMBER} FROM members m JOIN users u ON u.id = m.user
                     WHERE m.grp = ?1 AND m.user = ?2"
                );
                let mut found = Vec::new();
                for user in users {
                    found.extend(db.first(&sql, (id, user.0), member)?);
                }
                found
            }
        };
        let more = members.len() > self.limit;
        members.truncate(self.limit);
        Ok(MemberPage {
            members,
            total: group.members as u64,
            more,
        })
    }
}

impl Query for ListApplications {
    fn query(self, db: &Connection) -> Outcome<Vec<Application>> {
        let condition = match self.which {
            WhichApplications::ToGroup(group) => {
                let group = find(db, self.user, group)?;
                match group.role {
                    None => return Err(Refusal::NotMember.into()),
                    Some(Role::Member) => return Err(Refusal::RoleTooLow.into()),
                    Some(_) => {}
                }
                format!("a.grp = {}", group.id.0)
            }
            WhichApplications::ToAnswer => "a.state = 0 AND a.grp IN
                (SELECT g.id FROM participants p JOIN groups g ON g.conversation = p.conversation
                 JOIN members m ON m.grp = g.id AND m.user = ?1 AND m.role > 0
                 WHERE p.user = ?1 AND p.left_seq IS NULL AND g.dismissed = 0)"
                .to_owned(),
            WhichApplications::Made => "a.user = ?1".to_owned(),
        };
        let sql = format!(
            "SELECT a.grp, g.name, u.id, u.nickname, a.text, a.answer, a.inviter, a.handler,
                a.state, a.created_ms, a.handled_ms
             FROM applications a JOIN groups g ON g.id = a.grp JOIN users u ON u.id = a.user
             WHERE {condition} AND (a.grp, a.user) > (?2, ?3) AND ?1 = ?1
             ORDER BY a.grp, a.user LIMIT ?4"
        );
        let (group, user_after) = (self.after.0.0, self.after.1.0);
        let params = (self.user.0, group, user_after, self.limit);
        let applications = db.rows(&sql, params, |row| {
            Ok(Application {
                group: GroupId(row.get(0)?),
                group_name: row.get(1)?,
                user: user(row, 2)?,
                text: row.get(4)?,
                answer: row.get(5)?,
                inviter: row.get::<_, Option<u64>>(6)?.map(UserId),
                handler: row.get::<_, Option<u64>>(7)?.map(UserId),
                state: state(row.get(8)?),
                created_ms: row.get(9)?,
                handled_ms: row.get(10)?,
            })
        })?;
        Ok(applications)
    }
}
