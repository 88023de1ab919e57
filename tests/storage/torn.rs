//! Files that are torn: cut or written over at points drawn from a seed. A store opens with what is
//! right, or refuses; it never serves what nobody has said.

use std::fs;
use std::path::Path;

use common::UserId;
use module::message::{Conversation, Direction, History, To};
use module::storage::sqlite::{Location, SqliteStore, StoreConfig};
use module::storage::store::Store;
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};

use crate::bench::Bench;

const PAGE: usize = 4_096;
const MESSAGES: u64 = 300;
/// Copies that each test tears.
const COPIES: u64 = 40;

/// The files of a store that was not closed.
#[derive(Clone)]
struct Files {
    database: Vec<u8>,
    log: Vec<u8>,
}

impl Files {
    fn read(directory: &Path) -> Self {
        let read = |name: &str| fs::read(directory.join(name)).unwrap();
        Self {
            database: read("gatehouse.db"),
            log: read("gatehouse.db-wal"),
        }
    }

    fn write(&self, directory: &Path) {
        fs::write(directory.join("gatehouse.db"), &self.database).unwrap();
        fs::write(directory.join("gatehouse.db-wal"), &self.log).unwrap();
    }

    /// The pages of the database that are in the log.
    fn pages_in_log(&self) -> Vec<usize> {
        let frames = self.log[32..].chunks_exact(24 + PAGE);
        let number = |frame: &[u8]| u32::from_be_bytes(frame[..4].try_into().unwrap()) as usize;
        frames.map(number).filter(|page| *page > 0).collect()
    }
}

fn body(seq: u64) -> String {
    format!("message {seq} {}", "x".repeat(seq as usize * 37 % 700))
}

/// A store in which one has written to another: part of it in the database, part in the log.
fn written() -> Files {
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::in_directory(directory.path());
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    for seq in 1..=MESSAGES / 2 {
        bench.send(ada, To::User(bob), &body(seq)).unwrap();
    }
    // What is closed is carried over.
    drop(bench);
    let bench = Bench::in_directory(directory.path());
    for seq in MESSAGES / 2 + 1..=MESSAGES {
        bench.send(ada, To::User(bob), &body(seq)).unwrap();
    }
    Files::read(directory.path())
}

/// How many messages the files hold, each right and none left out; none if they are refused.
fn served(files: &Files, what: &str) -> Option<u64> {
    let directory = tempfile::tempdir().unwrap();
    files.write(directory.path());
    let config = StoreConfig {
        location: Location::Directory(directory.path().to_owned()),
        ..StoreConfig::default()
    };
    let store: Box<dyn Store> = Box::new(SqliteStore::open(config, |_| {}).ok()?);
    let (ada, bob) = (UserId(1), UserId(2));
    let history = History {
        user: bob,
        conversation: Conversation::between(ada, bob),
        direction: Direction::After(0),
        limit: 1_000,
    };
    let page = store.look_up_now(history).ok()?;
    for (at, message) in page.messages.iter().enumerate() {
        let seq = at as u64 + 1;
        assert_eq!(message.seq, seq, "{what}");
        assert_eq!(message.body, body(seq), "{what}");
    }
    let count = page.messages.len() as u64;
    assert_eq!(count, page.last_seq, "{what}");
    Some(count)
}

#[test]
fn a_log_that_is_cut_or_written_over_ends_there() {
    let files = written();
    assert_eq!(served(&files, "whole"), Some(MESSAGES));
    for seed in 0..COPIES {
        let mut random = StdRng::seed_from_u64(seed);
        let mut torn = files.clone();
        let at = random.random_range(0..torn.log.len());
        let what = format!("seed {seed}: log of {} torn at {at}", torn.log.len());
        if random.random() {
            torn.log.truncate(at);
        } else {
            let end = torn.log.len().min(at + random.random_range(1..2 * PAGE));
            random.fill_bytes(&mut torn.log[at..end]);
        }
        let count = served(&torn, &what).unwrap_or_else(|| panic!("{what}: it opens"));
        assert!(
            (MESSAGES / 2..=MESSAGES).contains(&count),
            "{what}: {count}"
        );
    }
}

#[test]
fn pages_that_were_torn_while_the_log_was_carried_over_are_whole_again() {
    let files = written();
    let pages = files.pages_in_log();
    assert!(pages.len() > 50);
    for seed in 0..COPIES {
        let mut random = StdRng::seed_from_u64(seed);
        let mut torn = files.clone();
        for _ in 0..random.random_range(1..8) {
            let begin = (pages[random.random_range(0..pages.len())] - 1) * PAGE;
            // The first 100 bytes say what the file is; a page that is not there yet cannot tear.
            if begin == 0 || begin >= torn.database.len() {
                continue;
            }
            let from = begin + random.random_range(0..PAGE);
            random.fill_bytes(&mut torn.database[from..begin + PAGE]);
        }
        let what = format!("seed {seed}");
        assert_eq!(served(&torn, &what), Some(MESSAGES), "{what}");
    }
}

#[test]
fn a_database_that_is_cut_or_has_lost_pages_serves_nothing_that_is_wrong() {
    let mut files = written();
    // As if the log had been carried over: nothing makes up for what is lost.
    let directory = tempfile::tempdir().unwrap();
    files.write(directory.path());
    drop(Bench::in_directory(directory.path()));
    files.database = fs::read(directory.path().join("gatehouse.db")).unwrap();
    files.log.clear();
    assert_eq!(served(&files, "whole"), Some(MESSAGES));
    let mut refused = 0;
    for seed in 0..COPIES {
        let mut random = StdRng::seed_from_u64(seed);
        let mut torn = files.clone();
        let what;
        if random.random() {
            let at = random.random_range(1..torn.database.len());
            what = format!("seed {seed}: database cut at {at}");
            torn.database.truncate(at);
        } else {
            let page = random.random_range(0..torn.database.len() / PAGE);
            what = format!("seed {seed}: page {page} is gone");
            let lost = &mut torn.database[page * PAGE..][..PAGE];
            if random.random() {
                random.fill_bytes(lost);
            } else {
                lost.fill(0);
            }
        }
        match served(&torn, &what) {
            Some(count) => assert_eq!(count, MESSAGES, "{what}"),
            None => refused += 1,
        }
    }
    assert!(refused > COPIES / 2, "{refused} of {COPIES} were refused");
}
