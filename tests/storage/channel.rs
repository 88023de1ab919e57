//! Channels: what is told of them to those who were away.

use common::{GroupId, UserId};
use module::group::{Leave, MuteMember, Role, SetRole, Transfer};
use module::inbox::Notice;
use module::storage::sqlite::Rules;

use crate::bench::Bench;

/// A store in which a group of more than two is a channel.
fn bench() -> Bench {
    Bench::with_rules(Rules {
        fanout_limit: 2,
        ..Rules::default()
    })
}

#[test]
fn what_concerns_one_member_of_a_channel_is_in_their_inbox() {
    let bench = bench();
    let (ada, bob, eve) = (bench.user("Ada"), bench.user("Bob"), bench.user("Eve"));
    let group = bench.group(ada, &[bob, eve]);
    let known = bench.notices(bob).len();
    let appoint = SetRole {
        by: ada,
        group,
        user: bob,
        role: Role::Administrator,
        origin: None,
    };
    bench.change_now(appoint).unwrap();
    let mute = MuteMember {
        by: ada,
        group,
        user: bob,
        seconds: 60,
        origin: None,
    };
    bench.change_now(mute).unwrap();
    let transfer = Transfer {
        by: ada,
        group,
        to: bob,
        origin: None,
    };
    bench.change_now(transfer).unwrap();
    let changed = |notice: &Notice| match notice {
        Notice::MemberChanged { user, by, .. } => (Some(user.id), by.id),
        Notice::GroupChanged { by, .. } => (None, by.id),
        other => panic!("{other:?}"),
    };
    let told: Vec<_> = bench.notices(bob)[known..].iter().map(changed).collect();
    assert_eq!(told, [(Some(bob), ada), (Some(bob), ada), (None, ada)]);

    let known = bench.notices(ada).len();
    leave(&bench, bob, group);
    let told: Vec<_> = bench.notices(ada)[known..].iter().map(changed).collect();
    assert_eq!(told, [(None, bob)], "it is hers again");
    assert_eq!(bench.notices(eve).len(), 1, "she has joined it, no more");
}

/// Has an owner leave, who hands the group over.
fn leave(bench: &Bench, user: UserId, group: GroupId) {
    let leave = Leave {
        user,
        group,
        hand_over: true,
        origin: None,
    };
    bench.change_now(leave).unwrap();
}
