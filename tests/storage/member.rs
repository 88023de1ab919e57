//! Members: applications, invitations, roles, removal, muting.

use std::time::Duration;

use common::{GroupId, UserId};
use module::friend::RequestState;
use module::group::{
    AnswerApplication, CreateGroup, Invite, Invited, Joined, Joining, Kick, ListApplications,
    ListMembers, MuteMember, Role, SetRole, WhichApplications, WhichMembers,
};
use module::inbox::Notice;
use module::message::{Conversation, Recall, SearchMessages, To};
use module::storage::refusal::Refusal;
use module::storage::sqlite::Rules;

use crate::bench::Bench;

fn group_with(bench: &Bench, owner: UserId, joining: Joining) -> GroupId {
    let create = CreateGroup {
        owner,
        name: "Rust".to_owned(),
        members: Vec::new(),
        joining,
        origin: None,
    };
    bench.change_now(create).unwrap().id
}

fn answer(
    bench: &Bench,
    by: UserId,
    group: GroupId,
    user: UserId,
    accept: bool,
) -> Result<(), Refusal> {
    bench.change_now(AnswerApplication {
        by,
        group,
        user,
        accept,
        text: String::new(),
        origin: None,
    })
}

fn invite(bench: &Bench, by: UserId, group: GroupId, user: UserId) -> Invited {
    let invite = Invite {
        by,
        group,
        users: vec![user, UserId(99)],
        text: String::new(),
        origin: None,
    };
    bench.change_now(invite).unwrap()
}

fn promote(bench: &Bench, by: UserId, group: GroupId, user: UserId) -> Result<(), Refusal> {
    bench.change_now(SetRole {
        by,
        group,
        user,
        role: Role::Administrator,
        origin: None,
    })
}

#[test]
fn an_application_waits_until_somebody_with_a_role_answers() {
    let bench = Bench::new();
    let (ada, bob, eve) = (bench.user("Ada"), bench.user("Bob"), bench.user("Eve"));
    let group = group_with(&bench, ada, Joining::Application);
    assert_eq!(bench.join(bob, group), Ok(Joined::Applied));
    assert_eq!(
        bench.send(bob, To::Group(group), "?"),
        Err(Refusal::NotMember)
    );
    let open = |user, which| {
        bench.look_up_now(ListApplications {
            user,
            which,
            after: (GroupId(0), UserId(0)),
            limit: 10,
        })
    };
    assert_eq!(
        open(ada, WhichApplications::ToAnswer).unwrap()[0].user.id,
        bob
    );
    assert_eq!(open(eve, WhichApplications::ToAnswer).unwrap(), []);
    let to_group = WhichApplications::ToGroup(group);
    assert_eq!(open(eve, to_group), Err(Refusal::NotMember));
    assert_eq!(
        answer(&bench, eve, group, bob, true),
        Err(Refusal::NotMember)
    );
    answer(&bench, ada, group, bob, false).unwrap();
    assert_eq!(
        answer(&bench, ada, group, bob, true),
        Err(Refusal::RequestUnknown)
    );
    let made = open(bob, WhichApplications::Made).unwrap();
    assert_eq!(made[0].state, RequestState::Refused);
    bench.join(bob, group).unwrap();
    answer(&bench, ada, group, bob, true).unwrap();
    bench.send(bob, To::Group(group), "thanks").unwrap();
    assert_eq!(
        answer(&bench, bob, group, eve, true),
        Err(Refusal::RoleTooLow)
    );
    assert_eq!(open(bob, to_group), Err(Refusal::RoleTooLow));
}

#[test]
fn who_may_bring_others_depends_on_the_group() {
    let bench = Bench::new();
    let (ada, bob, eve) = (bench.user("Ada"), bench.user("Bob"), bench.user("Eve"));
    let joined = |invited: Invited| invited.joined.len() == 1 && invited.applied.is_empty();

    let open = group_with(&bench, ada, Joining::Application);
    assert!(joined(invite(&bench, ada, open, bob)));
    assert!(
        joined(invite(&bench, bob, open, eve)),
        "a member's word is enough"
    );

    let strict = group_with(&bench, ada, Joining::Approval);
    assert!(joined(invite(&bench, ada, strict, bob)));
    assert_eq!(invite(&bench, bob, strict, eve).applied, [eve]);
    answer(&bench, ada, strict, eve, true).unwrap();

    let closed = group_with(&bench, ada, Joining::Invitation);
    assert_eq!(bench.join(bob, closed), Err(Refusal::InvitationOnly));
    assert!(joined(invite(&bench, ada, closed, bob)));
}

#[test]
fn one_removes_mutes_and_recalls_only_below_oneself() {
    let bench = Bench::new();
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    let (eve, dan) = (bench.user("Eve"), bench.user("Dan"));
    let group = bench.group(ada, &[bob, eve, dan]);
    assert_eq!(promote(&bench, bob, group, bob), Err(Refusal::RoleTooLow));
    promote(&bench, ada, group, bob).unwrap();
    promote(&bench, ada, group, eve).unwrap();
    assert_eq!(promote(&bench, bob, group, dan), Err(Refusal::RoleTooLow));

    let mute = |by, user| {
        bench.change_now(MuteMember {
            by,
            group,
            user,
            seconds: 60,
            origin: None,
        })
    };
    assert_eq!(mute(bob, eve), Err(Refusal::RoleTooLow), "equals");
    assert_eq!(mute(dan, bob), Err(Refusal::RoleTooLow));
    bench.send(dan, To::Group(group), "spam").unwrap();
    mute(bob, dan).unwrap();
    assert_eq!(
        bench.send(dan, To::Group(group), "more"),
        Err(Refusal::Muted)
    );
    bench.advance(Duration::from_secs(60));
    bench.send(dan, To::Group(group), "more").unwrap();

    let recall = |user, seq| {
        bench.change_now(Recall {
            user: Some(user),
            conversation: Conversation::Group(group),
            seq,
            origin: None,
        })
    };
    bench
        .send(ada, To::Group(group), "the owner's word")
        .unwrap();
    bench.advance(Duration::from_secs(3_600));
    recall(bob, 1).unwrap();
    assert_eq!(recall(bob, 3), Err(Refusal::NotSender));
    assert_eq!(recall(dan, 2), Err(Refusal::RecallTooLate));

    let kick = |by, users: &[UserId]| {
        bench.change_now(Kick {
            by,
            group,
            users: users.to_vec(),
            origin: None,
        })
    };
    assert_eq!(kick(bob, &[dan, ada]), Err(Refusal::RoleTooLow));
    bench.send(dan, To::Group(group), "still here").unwrap();
    kick(bob, &[dan]).unwrap();
    assert_eq!(
        bench.send(dan, To::Group(group), "?"),
        Err(Refusal::NotMember)
    );
    let last = bench.notices(dan).pop().unwrap();
    assert!(matches!(last, Notice::GroupLeft { by: Some(by), .. } if by.id == bob));
    kick(ada, &[bob, eve]).unwrap();
}

#[test]
fn who_is_in_too_many_groups_holds_nobody_up() {
    let bench = Bench::with_rules(Rules {
        groups_per_user_max: 2,
        ..Rules::default()
    });
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    let (eve, dan) = (bench.user("Eve"), bench.user("Dan"));
    for _ in 0..2 {
        bench.group(eve, &[bob]);
    }
    assert!(matches!(
        bench.join(bob, bench.group(ada, &[])),
        Err(Refusal::LimitReached(_))
    ));
    let group = bench.group(ada, &[bob, dan]);
    let members = ListMembers {
        user: ada,
        group,
        which: WhichMembers::All,
        after: UserId(0),
        limit: 10,
    };
    let page = bench.look_up_now(members).unwrap();
    let ids: Vec<_> = page.members.iter().map(|member| member.user.id).collect();
    assert_eq!(ids, [ada, dan]);
    let cy = bench.user("Cy");
    let all = Invite {
        by: ada,
        group,
        users: vec![bob, cy],
        text: String::new(),
        origin: None,
    };
    assert_eq!(bench.change_now(all).unwrap().joined, [cy]);
}

#[test]
fn who_joins_again_begins_anew() {
    let bench = Bench::new();
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    let group = bench.group(ada, &[bob]);
    let conversation = Conversation::Group(group);
    bench
        .send(ada, To::Group(group), "while he was in")
        .unwrap();
    let kick = Kick {
        by: ada,
        group,
        users: vec![bob],
        origin: None,
    };
    bench.change_now(kick).unwrap();
    bench
        .send(ada, To::Group(group), "while he was away")
        .unwrap();
    assert_eq!(bench.bodies(bob, conversation), ["while he was in"]);
    bench.join(bob, group).unwrap();
    assert_eq!(bench.bodies(bob, conversation), [""; 0]);
    bench
        .send(ada, To::Group(group), "while he is back")
        .unwrap();
    assert_eq!(bench.bodies(bob, conversation), ["while he is back"]);
    let search = SearchMessages {
        user: bob,
        query: "while".to_owned(),
        conversation: None,
        before: None,
        limit: 10,
    };
    // The index follows in the order of the messages.
    let found = loop {
        let found = bench.look_up_now(search.clone()).unwrap();
        if !found.is_empty() {
            break found;
        }
        std::thread::yield_now();
    };
    let seqs: Vec<u64> = found.iter().map(|message| message.seq).collect();
    assert_eq!(seqs, [3]);
}
