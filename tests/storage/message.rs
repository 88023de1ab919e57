//! Messages: their places, their receipts, and taking them back.

use std::time::Duration;

use common::{GroupId, UserId};
use module::account::EnterGuest;
use module::friend::SetBlock;
use module::inbox::{Audience, Content, Happening, Notice};
use module::message::{
    BODY_BYTES_MAX, Conversation, Delete, Direction, History, Kind, Message, PAGE_BYTES, Recall,
    SearchMessages, Send, SendSystem, SystemRecipients, To,
};
use module::storage::refusal::Refusal;
use module::storage::sqlite::Rules;

use crate::bench::{Bench, text};

#[test]
fn seqs_and_inbox_numbers_are_dense_and_the_same_for_all() {
    let bench = Bench::new();
    let (ada, bob, eve) = (bench.user("Ada"), bench.user("Bob"), bench.user("Eve"));
    for round in 1..=3 {
        let first = bench.send(ada, To::User(bob), "hi").unwrap();
        let second = bench.send(bob, To::User(ada), "ho").unwrap();
        assert_eq!((first.seq, second.seq), (2 * round - 1, 2 * round));
        assert_eq!(first.conversation, Conversation::between(ada, bob));
        assert_eq!(bench.send(eve, To::User(bob), "psst").unwrap().seq, round);
        assert_eq!(bench.send(eve, To::All, "hear").unwrap().seq, round);
    }
    for (user, entries) in [(ada, 6), (bob, 9), (eve, 3)] {
        let page = bench.sync(user, 0);
        let seqs: Vec<u64> = page.entries.iter().map(|entry| entry.seq).collect();
        assert_eq!(seqs, (1..=entries).collect::<Vec<_>>());
        assert_eq!((page.last, page.reset), (entries, false));
        assert_eq!(page.channels.len(), 1, "what was said to all");
        assert_eq!(page.channels[0].last_seq, 3);
    }
}

#[test]
fn a_client_id_that_was_used_gives_the_first_receipt_and_tells_nobody() {
    let bench = Bench::new();
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    let send = |sender, to, body: &str| {
        bench.change_now(Send {
            client_id: Some("one".to_owned()),
            ..text(sender, to, body)
        })
    };
    let first = send(ada, To::User(bob), "hi").unwrap();
    let again = send(ada, To::User(bob), "something else").unwrap();
    assert_eq!((again.seq, again.message), (first.seq, first.message));
    assert_eq!(send(ada, To::All, "hi"), Err(Refusal::ClientIdTaken));
    send(bob, To::User(ada), "Bob's own").unwrap();
    assert_eq!(
        bench.bodies(ada, Conversation::between(ada, bob)),
        ["hi", "Bob's own"]
    );
    assert_eq!(bench.sync(bob, 0).last, 2);
}

#[test]
fn events_come_in_the_order_of_the_commits_with_each_receivers_number() {
    let bench = Bench::new();
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    for body in ["one", "two"] {
        bench.send(ada, To::User(bob), body).unwrap();
    }
    for (number, body) in [(1, "one"), (2, "two")] {
        let event = bench.event();
        let Happening::Message(message) = event.happening else {
            panic!("{:?} is no message", event.happening);
        };
        assert_eq!((message.seq, message.body.as_str()), (number, body));
        assert_eq!(message.from.unwrap().name, "Ada");
        let Audience::Inboxes(mut inboxes) = event.audience else {
            panic!("{:?} is in no inbox", event.audience);
        };
        inboxes.sort();
        assert_eq!(inboxes, [(ada, number), (bob, number)]);
    }
}

#[test]
fn history_goes_both_ways_in_pages_without_holes() {
    let bench = Bench::new();
    let (ada, bob, eve) = (bench.user("Ada"), bench.user("Bob"), bench.user("Eve"));
    let conversation = Conversation::between(ada, bob);
    for number in 1..=25 {
        bench.send(ada, To::User(bob), &number.to_string()).unwrap();
    }
    let page = |direction| {
        bench
            .look_up_now(History {
                user: bob,
                conversation,
                direction,
                limit: 10,
            })
            .unwrap()
    };
    let (mut back, mut before) = (Vec::new(), None);
    loop {
        let page = page(Direction::Before(before));
        before = page.messages.first().map(|message| message.seq);
        back.splice(0..0, page.messages.iter().map(|message| message.seq));
        if !page.more {
            break;
        }
    }
    let (mut forth, mut after) = (Vec::new(), 0);
    loop {
        let page = page(Direction::After(after));
        forth.extend(page.messages.iter().map(|message| message.seq));
        after = *forth.last().unwrap();
        if !page.more {
            break;
        }
    }
    let all: Vec<u64> = (1..=25).collect();
    assert_eq!((back, forth), (all.clone(), all));
    assert_eq!(
        bench.history(eve, conversation),
        Err(Refusal::ConversationUnknown)
    );
    let unsaid = Conversation::between(bob, eve);
    assert!(bench.history(eve, unsaid).unwrap().messages.is_empty());
}

#[test]
fn a_page_ends_where_it_comes_to_a_mebibyte_and_nothing_is_left_out() {
    let bench = Bench::new();
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    let conversation = Conversation::between(ada, bob);
    let body = format!("long {}", "\u{1}".repeat(BODY_BYTES_MAX - 5));
    let fit = (PAGE_BYTES / BODY_BYTES_MAX) as u64;
    let last = 2 * fit + 1;
    for _ in 0..last {
        bench.send(ada, To::User(bob), &body).unwrap();
    }
    let seqs_of = |messages: &[Message]| messages.iter().map(|m| m.seq).collect::<Vec<_>>();
    let history = |direction| {
        let page = bench
            .look_up_now(History {
                user: bob,
                conversation,
                direction,
                limit: 500,
            })
            .unwrap();
        (seqs_of(&page.messages), page.more)
    };
    for (direction, seqs, more) in [
        (Direction::After(0), 1..=fit, true),
        (Direction::After(fit), fit + 1..=2 * fit, true),
        (Direction::After(fit + 1), fit + 2..=last, false),
        (Direction::Before(None), fit + 2..=last, true),
        (Direction::Before(Some(fit + 1)), 1..=fit, false),
    ] {
        assert_eq!(history(direction), (seqs.collect(), more), "{direction:?}");
    }
    let mut after = 0;
    for number in [fit, 2 * fit, last] {
        let page = bench.sync(bob, after);
        after = page.entries.last().unwrap().seq;
        assert_eq!((after, page.last), (number, last));
    }
    let search = || {
        let search = SearchMessages {
            user: bob,
            query: "long".to_owned(),
            conversation: None,
            before: None,
            limit: 500,
        };
        bench.look_up_now(search).unwrap()
    };
    // The index follows when there is time.
    while search().first().is_none_or(|latest| latest.seq < last) {
        std::thread::yield_now();
    }
    let found = search();
    assert_eq!(seqs_of(&found), (fit + 2..=last).rev().collect::<Vec<_>>());
}

#[test]
fn nobody_writes_to_who_is_unknown_or_has_blocked_them() {
    let bench = Bench::new();
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    let unknown = [To::User(UserId(99)), To::User(UserId(u64::MAX))];
    assert_eq!(bench.send(ada, unknown[0], "?"), Err(Refusal::UserUnknown));
    let beyond = bench.send(ada, unknown[1], "?").unwrap_err();
    assert_eq!(beyond.code(), common::ErrorCode::InvalidValue);
    assert_eq!(
        bench.send(ada, To::Group(GroupId(9)), "?"),
        Err(Refusal::GroupUnknown)
    );
    let block = |blocked| {
        let block = SetBlock {
            user: bob,
            other: ada,
            blocked,
            origin: None,
        };
        bench.change_now(block).unwrap();
    };
    block(true);
    assert_eq!(bench.send(ada, To::User(bob), "?"), Err(Refusal::Blocked));
    bench.send(bob, To::User(ada), "only this way").unwrap();
    block(false);
    bench.send(ada, To::User(bob), "!").unwrap();
    let strict = Bench::with_rules(Rules {
        friends_only: true,
        ..Rules::default()
    });
    let (ada, bob) = (strict.user("Ada"), strict.user("Bob"));
    assert_eq!(
        strict.send(ada, To::User(bob), "?"),
        Err(Refusal::NotFriends)
    );
    strict.send(ada, To::User(ada), "a note").unwrap();
}

#[test]
fn a_sender_takes_back_within_the_window_and_the_body_is_gone_everywhere() {
    let bench = Bench::new();
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    let conversation = Conversation::between(ada, bob);
    for body in ["secret", "late"] {
        bench.send(ada, To::User(bob), body).unwrap();
    }
    let recall = |user, seq| {
        bench.change_now(Recall {
            user,
            conversation,
            seq,
            origin: None,
        })
    };
    assert_eq!(recall(Some(bob), 1), Err(Refusal::NotSender));
    assert_eq!(recall(Some(ada), 3), Err(Refusal::MessageUnknown));
    bench.advance(Duration::from_secs(120));
    recall(Some(ada), 1).unwrap();
    assert_eq!(recall(Some(ada), 1), Err(Refusal::AlreadyRecalled));
    bench.advance(Duration::from_millis(1));
    assert_eq!(recall(Some(ada), 2), Err(Refusal::RecallTooLate));
    assert_eq!(bench.bodies(bob, conversation), ["", "late"]);
    let inbox = bench.sync(bob, 0).entries;
    assert!(matches!(&inbox[0].content, Content::Message(first)
        if first.recalled && first.body.is_empty()));
    assert!(
        matches!(&inbox[2].content, Content::Notice(Notice::Recalled { seq: 1, by, .. })
        if by.id == ada)
    );
    recall(None, 2).unwrap();
    assert_eq!(
        bench.bodies(bob, conversation),
        ["", ""],
        "staff may at any time"
    );
}

#[test]
fn what_one_deletes_the_other_keeps() {
    let bench = Bench::new();
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    let conversation = Conversation::between(ada, bob);
    for body in ["one", "two", "three"] {
        bench.send(ada, To::User(bob), body).unwrap();
    }
    let delete = Delete {
        user: bob,
        conversation,
        seqs: vec![2, 9],
        origin: None,
    };
    bench.change_now(delete).unwrap();
    assert_eq!(bench.bodies(bob, conversation), ["one", "three"]);
    assert_eq!(bench.bodies(ada, conversation), ["one", "two", "three"]);
    let told = Notice::Deleted {
        conversation,
        seqs: vec![2],
    };
    assert_eq!(bench.notices(bob), [told], "the other devices follow");
}

#[test]
fn search_finds_what_the_user_may_see_latest_first() {
    let bench = Bench::new();
    let (ada, bob, eve) = (bench.user("Ada"), bench.user("Bob"), bench.user("Eve"));
    bench.send(ada, To::User(bob), "the red fox").unwrap();
    bench.send(ada, To::User(bob), "a Réd flag").unwrap();
    bench.send(eve, To::User(ada), "no colour").unwrap();
    bench.send(ada, To::User(bob), "red and recalled").unwrap();
    bench
        .send(bob, To::User(ada), "红色的狐狸, cafe\u{301}")
        .unwrap();
    let conversation = Conversation::between(ada, bob);
    bench
        .change_now(Recall {
            user: Some(ada),
            conversation,
            seq: 3,
            origin: None,
        })
        .unwrap();
    let search = |user, query: &str| -> Vec<String> {
        let found = bench.look_up_now(SearchMessages {
            user,
            query: query.to_owned(),
            conversation: None,
            before: None,
            limit: 10,
        });
        found
            .unwrap()
            .into_iter()
            .map(|message| message.body)
            .collect()
    };
    // The index follows when there is time.
    while search(ada, "colour").is_empty() || search(ada, "红").is_empty() {
        std::thread::yield_now();
    }
    assert_eq!(search(bob, "red"), ["a Réd flag", "the red fox"]);
    assert_eq!(search(eve, "red"), [""; 0]);
    assert_eq!(search(bob, "red fo"), ["the red fox"]);
    assert_eq!(search(ada, "狐狸 Café").len(), 1);
    assert_eq!(search(ada, "狸狐"), [""; 0], "in this order");
    assert_eq!(search(eve, "狐狸"), [""; 0]);
}

#[test]
fn nobody_plants_what_others_find_among_their_own() {
    let bench = Bench::new();
    let (ada, mallory) = (bench.user("Ada"), bench.user("Mallory"));
    // The first conversation of the store: what is said there bears the mark "c1x" in the index.
    bench.send(ada, To::User(ada), "an invoice").unwrap();
    // Characters that Rust has for letters, or signs upon them, and the index for gaps.
    for gap in ["Ⓐ", "कि", "a\u{332}"] {
        let planted = format!("{gap}c1xinvoice");
        bench.send(mallory, To::User(mallory), &planted).unwrap();
    }
    for body in ["Ⓐbarley", "corn"] {
        bench.send(mallory, To::User(mallory), body).unwrap();
    }
    let search = |user, conversation, query: &str| -> Vec<String> {
        let found = bench.look_up_now(SearchMessages {
            user,
            query: query.to_owned(),
            conversation,
            before: None,
            limit: 10,
        });
        let bodies = found.unwrap().into_iter().map(|message| message.body);
        bodies.collect()
    };
    // The last that is indexed.
    while search(mallory, None, "corn").is_empty() {
        std::thread::yield_now();
    }
    let notes = Some(Conversation::between(ada, ada));
    for conversation in [None, notes] {
        assert_eq!(search(ada, conversation, "invoice"), ["an invoice"]);
    }
    assert_eq!(search(mallory, None, "barley"), ["Ⓐbarley"]);
}

#[test]
fn the_operator_speaks_to_some_and_to_all() {
    let bench = Bench::new();
    let ada = bench.user("Ada");
    let guest = EnterGuest {
        name: "Bob".to_owned(),
    };
    let bob = bench.change_now(guest).unwrap().user.id;
    let say = |to| {
        let send = SendSystem {
            to,
            kind: Kind::Announcement,
            body: "maintenance".to_owned(),
            extra: None,
        };
        bench.change_now(send).unwrap()
    };
    assert_eq!(say(SystemRecipients::Users(vec![ada, UserId(99)])), 1);
    assert_eq!(say(SystemRecipients::All), 2);
    let own = bench.history(ada, Conversation::System(ada)).unwrap();
    assert_eq!(own.messages[0].from, None);
    assert_eq!(
        bench.history(bob, Conversation::System(ada)),
        Err(Refusal::ConversationUnknown)
    );
    assert_eq!(bench.bodies(bob, Conversation::All), ["maintenance"]);
}
