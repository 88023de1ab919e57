//! The store on a medium that fails: nothing is acknowledged that is not kept, nothing is lost that
//! was, and service resumes by itself.

use std::fs;
use std::sync::mpsc::channel;

use module::message::{Conversation, To};
use module::storage::refusal::Refusal;
use module::storage::sqlite::{Location, OpenError, SqliteStore, StoreConfig};

use crate::bench::{Bench, text};

fn config(directory: &std::path::Path) -> StoreConfig {
    StoreConfig {
        location: Location::Directory(directory.to_owned()),
        ..StoreConfig::default()
    }
}

#[test]
fn what_was_acknowledged_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::in_directory(directory.path());
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    bench.send(ada, To::User(bob), "keep this").unwrap();
    drop(bench);
    let bench = Bench::in_directory(directory.path());
    let conversation = Conversation::between(ada, bob);
    assert_eq!(bench.bodies(bob, conversation), ["keep this"]);
    assert_eq!(bench.send(bob, To::User(ada), "and this").unwrap().seq, 2);
}

#[test]
fn a_full_disk_refuses_what_it_cannot_keep_and_nothing_else_is_lost() {
    let bench = Bench::open(StoreConfig {
        pages_max: Some(140),
        ..StoreConfig::default()
    });
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    let body = "x".repeat(4_000);
    let mut kept = 0;
    let refusal = loop {
        match bench.send(ada, To::User(bob), &body) {
            Ok(receipt) => {
                kept += 1;
                assert_eq!(receipt.seq, kept);
            }
            Err(refusal) => break refusal,
        }
        assert!(kept < 1_000, "the disk is never full");
    };
    assert_eq!(refusal, Refusal::Unavailable);
    assert!(kept > 0);
    assert_eq!(
        bench.send(ada, To::User(bob), &body),
        Err(Refusal::Unavailable)
    );
    let page = bench.sync(bob, 0);
    assert_eq!((page.entries.len() as u64, page.last), (kept, kept));
}

#[test]
fn a_refusal_undoes_nothing_of_its_neighbours() {
    let bench = Bench::new();
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    let (sender, outcomes) = channel();
    for number in 0..300 {
        let to = if number % 3 == 0 {
            To::User(common::UserId(99))
        } else {
            To::User(bob)
        };
        let sender = sender.clone();
        bench.change(text(ada, to, "hi"), move |outcome| {
            sender.send((number, outcome)).unwrap();
        });
    }
    let mut seq = 0;
    for expected in 0..300 {
        let (number, outcome) = outcomes.recv().unwrap();
        assert_eq!(number, expected, "answered in order");
        if number % 3 == 0 {
            assert_eq!(outcome, Err(Refusal::UserUnknown));
        } else {
            seq += 1;
            assert_eq!(outcome.unwrap().seq, seq);
        }
    }
}

#[test]
fn a_full_queue_says_busy_at_once() {
    let bench = Bench::open(StoreConfig {
        writes_waiting_max: 1,
        ..StoreConfig::default()
    });
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    let (sender, outcomes) = channel();
    for _ in 0..2_000 {
        let sender = sender.clone();
        bench.change(text(ada, To::User(bob), "hi"), move |outcome| {
            sender.send(outcome).unwrap();
        });
    }
    drop(sender);
    let outcomes: Vec<_> = outcomes.iter().collect();
    assert_eq!(outcomes.len(), 2_000, "each is answered");
    let done = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert!(outcomes.contains(&Err(Refusal::Busy)));
    assert_eq!(bench.sync(bob, 0).last, done as u64);
}

#[test]
fn a_directory_that_cannot_be_used_is_refused_with_a_reason() {
    let directory = tempfile::tempdir().unwrap();
    let open = || SqliteStore::open(config(directory.path()), |_| {});
    let first = open().unwrap();
    assert!(matches!(open(), Err(OpenError::InUse(_))));
    drop(first);
    drop(open().unwrap());

    let file = directory.path().join("gatehouse.db");
    let whole = fs::read(&file).unwrap();
    for cut in [100, 1_000, 4_096, whole.len() / 2 + 17] {
        fs::write(&file, &whole[..cut]).unwrap();
        let outcome = open();
        assert!(outcome.is_err(), "a file cut at {cut} is not served");
    }
    fs::write(&file, &whole).unwrap();
    drop(open().unwrap());

    let blocked = directory.path().join("file");
    fs::write(&blocked, "in the way").unwrap();
    let outcome = SqliteStore::open(config(&blocked.join("data")), |_| {});
    assert!(matches!(outcome, Err(OpenError::Directory(..))));
}
