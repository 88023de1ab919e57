//! Stores of other versions: older ones are upgraded as a whole, newer ones refused.

use std::path::Path;

use common::{GroupId, UserId};
use module::account::position::{Position, SetPosition};
use module::account::{FindAccount, Origin};
use module::attachment::UsedBytes;
use module::group::Joined;
use module::message::{Conversation, Conversations, SearchMessages, To};
use module::statistics::{Day, FindStatistics, day_of};
use module::storage::refusal::Refusal;
use module::storage::sqlite::{Location, OpenError, Rules, SqliteStore, StoreConfig};
use rusqlite::Connection;

use crate::bench::{BEGIN_MS, Bench};

/// What makes version 1, and then each version of the one before, as they were released.
const SCHEMAS: [&str; 4] = [
    include_str!("../../module/src/storage/sqlite/schema.sql"),
    include_str!("../../module/src/storage/sqlite/schema_2.sql"),
    include_str!("../../module/src/storage/sqlite/schema_3.sql"),
    include_str!("../../module/src/storage/sqlite/schema_4.sql"),
];

fn database(directory: &Path) -> Connection {
    Connection::open(directory.join("gatehouse.db")).unwrap()
}

/// A store of version 1 with two users, one a guest, and what one has said to the other.
fn version_1(directory: &Path) {
    let db = database(directory);
    db.execute_batch(SCHEMAS[0]).unwrap();
    db.execute_batch(&format!(
        "INSERT INTO users (name, name_key, origin, nickname, created_ms) VALUES
            ('Ada', 'ada', 1, 'Countess', {BEGIN_MS}), ('Bob', 'bob', 0, 'Bob', {BEGIN_MS});
         UPDATE meta SET value = 2 WHERE name = 'users';
         INSERT INTO conversations (id, kind, a, b, last_seq, last_ms) VALUES
            (1, 1, 1, 2, 2, {BEGIN_MS});
         INSERT INTO messages (id, conversation, seq, sender, kind, time_ms, body) VALUES
            (1, 1, 1, 1, 0, {BEGIN_MS}, 'one'), (2, 1, 2, 1, 0, {BEGIN_MS}, 'two');
         INSERT INTO participants (user, conversation, first_seq, read_seq) VALUES
            (1, 1, 1, 2), (2, 1, 1, 0);
         INSERT INTO inboxes VALUES (1, 2, 0), (2, 2, 0);
         INSERT INTO inbox VALUES (1, 1, 1), (1, 2, 2), (2, 1, 1), (2, 2, 2);
         PRAGMA user_version = 1;"
    ))
    .unwrap();
}

/// A store of version 4 in which Ada has dismissed a group that Bob is in, and Bob was called in
/// another after he had left it.
fn version_4(directory: &Path) {
    let db = database(directory);
    for schema in SCHEMAS {
        db.execute_batch(schema).unwrap();
    }
    db.execute_batch(&format!(
        "INSERT INTO users (name, name_key, origin, nickname, groups, created_ms) VALUES
            ('Ada', 'ada', 1, 'Ada', 2, {BEGIN_MS}), ('Bob', 'bob', 1, 'Bob', 1, {BEGIN_MS});
         UPDATE meta SET value = 2 WHERE name = 'users';
         UPDATE meta SET value = 1 WHERE name = 'groups';
         INSERT INTO conversations (id, kind, a, b, last_seq, last_ms) VALUES
            (1, 2, 1, 0, 0, 0), (2, 2, 2, 0, 2, {BEGIN_MS});
         INSERT INTO groups (name, owner, creator, members, conversation, joining, dismissed,
                created_ms) VALUES
            ('gone', 1, 1, 2, 1, 0, 1, {BEGIN_MS}), ('there', 1, 1, 1, 2, 0, 0, {BEGIN_MS});
         INSERT INTO members (grp, user, role, joined_ms) VALUES
            (1, 1, 2, {BEGIN_MS}), (1, 2, 0, {BEGIN_MS}), (2, 1, 2, {BEGIN_MS});
         INSERT INTO messages (id, conversation, seq, sender, kind, time_ms, body) VALUES
            (1, 2, 1, 1, 0, {BEGIN_MS}, 'one'), (2, 2, 2, 1, 0, {BEGIN_MS}, 'two');
         INSERT INTO participants (user, conversation, first_seq, left_seq, read_seq, mention_seq)
            VALUES (1, 1, 1, NULL, 0, 0), (2, 1, 1, NULL, 0, 0), (1, 2, 1, NULL, 2, 0),
                (2, 2, 1, 1, 0, 2);
         INSERT INTO inboxes VALUES (1, 0, 0), (2, 0, 0);
         PRAGMA user_version = 4;"
    ))
    .unwrap();
}

/// The version that this release makes.
fn latest() -> u64 {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()).unwrap());
    version(directory.path())
}

fn version(directory: &Path) -> u64 {
    let db = database(directory);
    db.query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap()
}

fn open(directory: &Path) -> Result<SqliteStore, OpenError> {
    let config = StoreConfig {
        location: Location::Directory(directory.to_owned()),
        ..StoreConfig::default()
    };
    SqliteStore::open(config, |_| {})
}

#[test]
fn a_store_of_version_1_is_upgraded_and_has_all_that_it_had() {
    let directory = tempfile::tempdir().unwrap();
    version_1(directory.path());
    let bench = Bench::in_directory(directory.path());
    assert_eq!(version(directory.path()), latest());
    let (ada, bob) = (UserId(1), UserId(2));
    let account = bench.look_up_now(FindAccount { user: ada }).unwrap();
    assert_eq!(account.nickname, "Countess");
    assert_eq!(
        (account.origin, account.verified),
        (Origin::Registered, false)
    );
    let conversation = Conversation::between(ada, bob);
    assert_eq!(bench.bodies(bob, conversation), ["one", "two"]);
    assert_eq!(bench.send(bob, To::User(ada), "three").unwrap().seq, 3);
    assert_eq!(bench.sync(ada, 0).last, 3);
    let position = Position::new(1.0, 2.0);
    bench
        .change_now(SetPosition {
            user: ada,
            position,
        })
        .unwrap();
    let found = bench
        .look_up_now(FindStatistics { days: 0..=99_999 })
        .unwrap();
    assert_eq!((found.users, found.guests), (2, 1));
    // Users are counted on their days; messages and activity from the upgrade on.
    let day = Day {
        day: day_of(BEGIN_MS),
        users: 1,
        guests: 1,
        messages: 1,
        active: 1,
    };
    assert_eq!(found.days, [day]);
    drop(bench);
    drop(open(directory.path()).unwrap());
}

#[test]
fn a_store_of_version_4_counts_dismissed_groups_no_more() {
    let directory = tempfile::tempdir().unwrap();
    version_4(directory.path());
    let bench = Bench::open(StoreConfig {
        location: Location::Directory(directory.path().to_owned()),
        rules: Rules {
            groups_per_user_max: 1,
            ..Rules::default()
        },
        ..StoreConfig::default()
    });
    let bob = UserId(2);
    let list = Conversations {
        user: bob,
        offset: 0,
        limit: 10,
    };
    let view = &bench.look_up_now(list).unwrap().conversations[0];
    assert_eq!((view.last_seq, view.mention_seq), (1, None));
    assert_eq!(bench.join(bob, GroupId(2)), Ok(Joined::Member));
    let third = bench.group(bench.user("Eve"), &[]);
    assert!(matches!(
        bench.join(bob, third),
        Err(Refusal::LimitReached(_))
    ));
}

#[test]
fn an_upgrade_that_fails_leaves_the_store_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    version_1(directory.path());
    // In the way of the last of what the upgrade makes.
    database(directory.path())
        .execute_batch("CREATE TABLE days (in_the_way)")
        .unwrap();
    assert!(matches!(
        open(directory.path()),
        Err(OpenError::Database(_))
    ));
    assert_eq!(version(directory.path()), 1);
    let tables: u64 = database(directory.path())
        .query_row(
            "SELECT count(*) FROM sqlite_schema WHERE name IN ('positions', 'verifications')",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(tables, 0, "nothing of it is left");
    database(directory.path())
        .execute_batch("DROP TABLE days")
        .unwrap();
    drop(open(directory.path()).unwrap());
    assert_eq!(version(directory.path()), latest());
}

#[test]
fn an_index_whose_words_were_divided_otherwise_is_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::in_directory(directory.path());
    let ada = bench.user("Ada");
    bench.send(ada, To::User(ada), "barley").unwrap();
    let found = |bench: &Bench| {
        let search = SearchMessages {
            user: ada,
            query: "barley".to_owned(),
            conversation: None,
            before: None,
            limit: 10,
        };
        !bench.look_up_now(search).unwrap().is_empty()
    };
    while !found(&bench) {
        std::thread::yield_now();
    }
    drop(bench);
    // As a release would leave it that knows of no rules, and finds other words.
    database(directory.path())
        .execute_batch(
            "DELETE FROM meta WHERE name = 'index_rules';
             INSERT INTO message_index (message_index) VALUES ('delete-all');
             INSERT INTO message_index (rowid, text) VALUES (1, 'oats')",
        )
        .unwrap();
    let bench = Bench::in_directory(directory.path());
    while !found(&bench) {
        std::thread::yield_now();
    }
}

#[test]
fn a_store_of_a_later_version_is_refused_and_not_touched() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()).unwrap());
    let db = database(directory.path());
    db.execute_batch("PRAGMA user_version = 99").unwrap();
    drop(db);
    let error = open(directory.path()).unwrap_err();
    assert!(matches!(error, OpenError::TooNew { found: 99, .. }));
    let known = latest();
    assert_eq!(
        error.to_string(),
        format!("the store has version 99, and this release knows up to {known}")
    );
    assert_eq!(version(directory.path()), 99);
}

#[test]
fn what_attachments_take_is_added_up_anew_where_it_was_counted_in_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::in_directory(directory.path());
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    drop(bench);
    let db = database(directory.path());
    for (owner, bytes) in [(ada, 1), (ada, 4_096), (bob, 4_097)] {
        db.execute(
            "INSERT INTO attachments (owner, hash, name, media_type, bytes, thumbnail, created_ms)
             VALUES (?1, ?2, '', 'text/plain', ?3, 0, 0)",
            (owner.0, [7; 32], bytes),
        )
        .unwrap();
    }
    db.execute_batch(
        "DELETE FROM meta WHERE name = 'attachments_charged';
         INSERT INTO attachment_use SELECT owner, sum(bytes) FROM attachments GROUP BY owner;",
    )
    .unwrap();
    drop(db);
    for _ in 0..2 {
        let bench = Bench::in_directory(directory.path());
        for user in [ada, bob] {
            let used = bench.look_up_now(UsedBytes { user }).unwrap();
            assert_eq!(used, 2 * 4_096, "{user:?}");
        }
    }
}
