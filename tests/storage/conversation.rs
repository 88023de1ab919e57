//! Lists of conversations, what is read, and catching up.

use std::time::Duration;

use common::UserId;
use module::group::Leave;
use module::inbox::{Notice, Sync};
use module::message::{
    BODY_BYTES_MAX, Clear, Conversation, ConversationPage, Conversations, Delete, MarkRead,
    PAGE_BYTES, Send, SetConversation, To,
};
use module::storage::refusal::Refusal;
use module::storage::sqlite::{Retention, StoreConfig};

use crate::bench::{Bench, text};

fn list(bench: &Bench, user: UserId) -> ConversationPage {
    let list = Conversations {
        user,
        offset: 0,
        limit: 100,
    };
    bench.look_up_now(list).unwrap()
}

fn read(bench: &Bench, user: UserId, conversation: Conversation, seq: u64) -> u64 {
    let read = MarkRead {
        user,
        conversation,
        seq,
        origin: None,
    };
    bench.change_now(read).unwrap()
}

#[test]
fn unread_is_what_came_after_the_last_read_or_own_message() {
    let bench = Bench::new();
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    let conversation = Conversation::between(ada, bob);
    for _ in 0..3 {
        bench.send(ada, To::User(bob), "hi").unwrap();
    }
    let unread = |user| list(&bench, user).conversations[0].unread;
    assert_eq!((unread(ada), unread(bob)), (0, 3));
    assert_eq!(read(&bench, bob, conversation, 2), 2);
    assert_eq!(
        read(&bench, bob, conversation, 1),
        2,
        "reading does not go back"
    );
    assert_eq!(unread(bob), 1);
    bench.send(bob, To::User(ada), "ho").unwrap();
    assert_eq!((unread(ada), unread(bob)), (1, 0));
    assert_eq!(read(&bench, ada, conversation, 1_000), 4);
    assert_eq!(
        bench.history(ada, conversation).unwrap().peer_read_seq,
        Some(4)
    );
    let told = Notice::Read {
        conversation,
        seq: 2,
        user: bob,
    };
    assert_eq!(bench.notices(ada)[0], told, "the sender sees it");
    assert_eq!(
        bench.notices(bob)[0],
        told,
        "and the reader's other devices"
    );
}

#[test]
fn the_list_has_pinned_ones_first_and_then_the_latest() {
    let bench = Bench::new();
    let ada = bench.user("Ada");
    let others: Vec<UserId> = (0..4).map(|n| bench.user(&format!("user {n}"))).collect();
    for other in &others {
        bench.send(*other, To::User(ada), "hi").unwrap();
        bench.advance(Duration::from_secs(1));
    }
    let set = |other, pinned, draft: Option<&str>| {
        let set = SetConversation {
            user: ada,
            conversation: Conversation::between(ada, other),
            pinned,
            muted: None,
            draft: draft.map(str::to_owned),
            extra: None,
            origin: None,
        };
        bench.change_now(set).unwrap();
    };
    set(others[0], Some(true), None);
    set(others[1], None, Some("dear user 1"));
    let page = list(&bench, ada);
    let titles: Vec<&str> = page
        .conversations
        .iter()
        .map(|c| c.title.as_str())
        .collect();
    assert_eq!(titles, ["user 0", "user 1", "user 3", "user 2"]);
    assert_eq!((page.total, page.unread), (4, 4));
    assert_eq!(page.conversations[1].draft, "dear user 1");
    let last = page.conversations[0].last.as_ref().unwrap();
    assert_eq!(last.body, "hi");
    let stranger = SetConversation {
        user: others[0],
        conversation: Conversation::between(ada, others[1]),
        pinned: Some(true),
        muted: None,
        draft: None,
        extra: None,
        origin: None,
    };
    assert_eq!(
        bench.change_now(stranger),
        Err(Refusal::ConversationUnknown)
    );
}

#[test]
fn a_page_of_the_list_ends_where_it_is_a_mebibyte() {
    let bench = Bench::new();
    let ada = bench.user("Ada");
    let fit = PAGE_BYTES / BODY_BYTES_MAX;
    let body = "x".repeat(BODY_BYTES_MAX);
    for n in 0..fit + 10 {
        let other = bench.user(&format!("user {n}"));
        bench.send(other, To::User(ada), &body).unwrap();
    }
    let page = |offset| {
        let list = Conversations {
            user: ada,
            offset,
            limit: 500,
        };
        bench.look_up_now(list).unwrap()
    };
    let (first, mut seen) = (page(0), Vec::new());
    assert!((fit - 1..=fit).contains(&first.conversations.len()));
    while (seen.len() as u64) < first.total {
        let next = page(seen.len());
        assert!(!next.conversations.is_empty(), "after {}", seen.len());
        assert_eq!(next.unread, fit as u64 + 10, "of all of them");
        seen.extend(next.conversations.iter().map(|view| view.title.clone()));
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), fit + 10, "each once");
}

#[test]
fn the_last_message_of_the_list_is_the_last_that_one_has_kept() {
    let bench = Bench::new();
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    let conversation = Conversation::between(ada, bob);
    for body in ["cleared", "first", "second", "third"] {
        bench.send(ada, To::User(bob), body).unwrap();
        if body == "cleared" {
            let clear = Clear {
                user: bob,
                conversation,
                unlist: false,
                origin: None,
            };
            bench.change_now(clear).unwrap();
        }
    }
    let shown = |user| {
        let mut page = list(&bench, user);
        let view = page.conversations.remove(0);
        (view.last.map(|last| last.body), view.last_seq)
    };
    let said = |body: &str| (Some(body.to_owned()), 4);
    for (deleted, left) in [
        (vec![4], said("second")),
        (vec![2], said("second")),
        (vec![3], (None, 4)),
    ] {
        let delete = Delete {
            user: bob,
            conversation,
            seqs: deleted,
            origin: None,
        };
        bench.change_now(delete).unwrap();
        assert_eq!(shown(bob), left);
    }
    assert_eq!(shown(ada), said("third"), "Ada keeps hers");
}

#[test]
fn a_cleared_conversation_comes_back_with_the_next_message() {
    let bench = Bench::new();
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    let conversation = Conversation::between(ada, bob);
    bench.send(ada, To::User(bob), "old").unwrap();
    let clear = Clear {
        user: bob,
        conversation,
        unlist: true,
        origin: None,
    };
    bench.change_now(clear).unwrap();
    assert_eq!(list(&bench, bob).total, 0);
    assert_eq!(bench.bodies(bob, conversation), [""; 0]);
    assert_eq!(list(&bench, ada).total, 1, "Ada keeps hers");
    bench.send(ada, To::User(bob), "new").unwrap();
    let page = list(&bench, bob);
    assert_eq!((page.total, page.conversations[0].unread), (1, 1));
    assert_eq!(bench.bodies(bob, conversation), ["new"]);
}

#[test]
fn who_is_called_finds_it_until_it_is_read() {
    let bench = Bench::new();
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    let group = bench.group(ada, &[bob]);
    let call = Send {
        mentions: vec![bob],
        ..text(ada, To::Group(group), "Bob, please")
    };
    bench.change_now(call).unwrap();
    let called = || list(&bench, bob).conversations[0].mention_seq;
    assert_eq!(called(), Some(1));
    read(&bench, bob, Conversation::Group(group), 1);
    assert_eq!(called(), None);
}

#[test]
fn what_is_said_after_one_has_left_changes_nothing_of_ones_list() {
    let bench = Bench::new();
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    let group = bench.group(ada, &[bob]);
    bench.send(ada, To::Group(group), "welcome").unwrap();
    let leave = Leave {
        user: bob,
        group,
        hand_over: false,
        origin: None,
    };
    bench.change_now(leave).unwrap();
    let call = Send {
        mentions: vec![bob],
        ..text(ada, To::Group(group), "Bob, please")
    };
    bench.change_now(call).unwrap();
    let view = &list(&bench, bob).conversations[0];
    assert_eq!((view.last_seq, view.mention_seq), (1, None));
    let clear = Clear {
        user: bob,
        conversation: Conversation::Group(group),
        unlist: true,
        origin: None,
    };
    bench.change_now(clear).unwrap();
    bench.send(ada, To::Group(group), "a pity").unwrap();
    assert_eq!(list(&bench, bob).total, 0, "it is off the list for good");
    bench.join(bob, group).unwrap();
    assert_eq!(list(&bench, bob).total, 1, "until he joins anew");
}

#[test]
fn pages_of_the_inbox_lead_to_its_end_and_what_was_never_there_resets() {
    let bench = Bench::new();
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    for number in 1..=25 {
        bench.send(ada, To::User(bob), &number.to_string()).unwrap();
    }
    let page = |after, limit| {
        let sync = Sync {
            user: bob,
            after,
            limit,
        };
        bench.look_up_now(sync).unwrap()
    };
    let (mut seen, mut after) = (0, 0);
    while after < page(after, 10).last {
        let page = page(after, 10);
        seen += page.entries.len();
        after = page.entries.last().unwrap().seq;
    }
    assert_eq!((seen, after), (25, 25));
    assert!(page(25, 10).entries.is_empty() && !page(25, 10).reset);
    assert!(page(26, 10).reset, "a number from another store");
}

#[test]
fn who_was_away_too_long_is_told_to_start_anew() {
    let day = Duration::from_secs(24 * 3600);
    let bench = Bench::open(StoreConfig {
        retention: Retention {
            inbox: 14 * day,
            messages: None,
            attachments: Duration::from_secs(24 * 3600),
            interval: Duration::from_millis(1),
        },
        ..StoreConfig::default()
    });
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    let conversation = Conversation::between(ada, bob);
    for body in ["one", "two"] {
        bench.send(ada, To::User(bob), body).unwrap();
    }
    bench.advance(13 * day);
    bench.send(ada, To::User(bob), "three").unwrap();
    assert_eq!(
        bench.sync(bob, 1).entries.len(),
        2,
        "13 days are not too long"
    );
    bench.advance(2 * day);
    // Each message gives the sweep a new look at the time.
    while !bench.sync(bob, 1).reset {
        bench.send(ada, To::User(ada), "a note").unwrap();
    }
    let page = bench.sync(bob, 2);
    assert_eq!((page.entries.len(), page.reset), (1, false), "it had both");
    assert!(
        bench.sync(bob, 0).reset,
        "also for a device that was there before the first"
    );
    assert_eq!(bench.bodies(bob, conversation), ["one", "two", "three"]);
}
