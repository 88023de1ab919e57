//! Copies of a store: taken while it is written to, checked, put back.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use common::UserId;
use module::account::{FindSession, LoginPolicy, OpenSession};
use module::group::Dismiss;
use module::message::{Conversation, Direction, History, To};
use module::presence::Platform;
use module::storage::refusal::Refusal;
use module::storage::sqlite::backup::{self, BackupError, Manifest, Report};
use module::storage::sqlite::{Location, OpenError, SqliteStore, StoreConfig};
use module::storage::store::Store;
use rusqlite::Connection;

use crate::bench::{Bench, text};

fn back_up(from: &Path, to: &Path) -> Result<Manifest, BackupError> {
    backup::back_up(from, to, &mut |_| {})
}

fn verify(directory: &Path) -> Report {
    backup::verify(directory, &mut |_| {}).unwrap()
}

fn restore(from: &Path, to: &Path) -> Result<Manifest, BackupError> {
    backup::restore(from, to, &mut |_| {})
}

/// The version of a store's schema.
fn version(directory: &Path) -> u64 {
    let db = Connection::open(directory.join("gatehouse.db")).unwrap();
    db.query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap()
}

#[track_caller]
fn assert_whole(directory: &Path) {
    assert_eq!(verify(directory).findings, [""; 0]);
}

/// Two users, some messages, a group, an attachment and the secret of the tokens.
fn filled(directory: &Path) -> (UserId, UserId) {
    let bench = Bench::in_directory(directory);
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    bench.group(ada, &[bob]);
    let gone = bench.group(bob, &[ada]);
    let dismiss = Dismiss {
        by: Some(bob),
        group: gone,
        origin: None,
    };
    bench.change_now(dismiss).unwrap();
    for number in 0..50 {
        bench
            .send(ada, To::User(bob), &format!("message {number}"))
            .unwrap();
    }
    let folder = directory.join("attachments/2c");
    fs::create_dir_all(&folder).unwrap();
    // The SHA-256 of what is in it, as any tool for it says.
    let name = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    fs::write(folder.join(name), "hello").unwrap();
    fs::write(folder.join(format!("{name}.small")), "small").unwrap();
    fs::write(folder.join(".half"), "he").unwrap();
    fs::write(directory.join("token-secret"), "secret").unwrap();
    (ada, bob)
}

#[test]
fn a_backup_that_is_taken_under_load_is_one_state_of_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let store_at = directory.path().join("store");
    let config = StoreConfig {
        location: Location::Directory(store_at.clone()),
        ..StoreConfig::default()
    };
    let (ada, bob) = filled(&store_at);
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(config, |_| {}).unwrap());
    let (stop, acknowledged) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let writer = {
        let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
        let acknowledged = Arc::clone(&acknowledged);
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let receipt = store.change_now(text(ada, To::User(bob), "more")).unwrap();
                acknowledged.store(receipt.seq, Ordering::Relaxed);
            }
        })
    };
    for round in 0..5 {
        let before = acknowledged.load(Ordering::Relaxed);
        while acknowledged.load(Ordering::Relaxed) < before + 20 {
            thread::yield_now();
        }
        let to = directory.path().join(format!("backup {round}"));
        let before = acknowledged.load(Ordering::Relaxed);
        let manifest = back_up(&store_at, &to).unwrap();
        assert_whole(&to);
        assert!(
            manifest.counts.messages >= before,
            "what was acknowledged is in it"
        );
        assert_eq!(manifest.counts.users, 2);
        assert_eq!(manifest.schema as u64, version(&store_at));
        assert_whole(&store_at);
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
}

#[test]
fn a_restored_store_goes_on_under_another_name_and_without_sessions() {
    let directory = tempfile::tempdir().unwrap();
    let [store, copy, again] = ["store", "copy", "again"].map(|name| directory.path().join(name));
    let (ada, bob) = filled(&store);
    let token = [7; 16];
    let (instance, manifest) = {
        let bench = Bench::in_directory(&store);
        let open = OpenSession {
            user: ada,
            token,
            platform: Platform::Web,
            expires_ms: u64::from(u32::MAX) * 1_000_000,
            policy: LoginPolicy::Single,
            password: None,
            replaces: None,
        };
        bench.change_now(open).unwrap();
        let manifest = back_up(&store, &copy).unwrap();
        bench.send(ada, To::User(bob), "after the backup").unwrap();
        (bench.instance().to_owned(), manifest)
    };
    assert_eq!(manifest.instance, instance);
    assert_eq!(
        (manifest.attachments.files, manifest.attachments.bytes),
        (2, 10)
    );
    assert_eq!(restore(&copy, &again).unwrap(), manifest);
    assert_whole(&again);
    for name in ["attachments/2c", "token-secret"] {
        assert!(again.join(name).exists(), "{name}");
    }
    assert!(
        !again.join("attachments/2c/.half").exists(),
        "an upload that has not ended"
    );

    let bench = Bench::in_directory(&again);
    assert_ne!(bench.instance(), instance, "clients load everything anew");
    let session = FindSession { user: ada, token };
    assert_eq!(bench.look_up_now(session), Err(Refusal::TokenInvalid));
    let history = History {
        user: bob,
        conversation: Conversation::between(ada, bob),
        direction: Direction::After(0),
        limit: 100,
    };
    let page = bench.look_up_now(history).unwrap();
    let bodies: Vec<_> = page.messages.iter().map(|message| &message.body).collect();
    assert_eq!(bodies.len(), 50);
    assert_eq!(bodies[49], "message 49");
    assert_eq!(bench.send(ada, To::User(bob), "goes on").unwrap().seq, 51);
}

#[test]
fn nothing_is_written_over_and_nothing_half_is_taken_for_whole() {
    let directory = tempfile::tempdir().unwrap();
    let [store, copy, other] = ["store", "copy", "other"].map(|name| directory.path().join(name));
    assert!(matches!(
        back_up(&store, &copy),
        Err(BackupError::NoStore(_))
    ));
    filled(&store);
    back_up(&store, &copy).unwrap();
    assert!(matches!(
        back_up(&store, &copy),
        Err(BackupError::NotEmpty(_))
    ));
    assert!(matches!(
        restore(&copy, &store),
        Err(BackupError::NotEmpty(_))
    ));
    assert!(matches!(
        restore(&store, &other),
        Err(BackupError::NoBackup(_))
    ));
    let served = Bench::in_directory(&store);
    let outcome = restore(&copy, &store);
    assert!(matches!(
        outcome,
        Err(BackupError::Open(OpenError::InUse(_)))
    ));
    drop(served);

    let database = copy.join("gatehouse.db");
    let whole = fs::read(&database).unwrap();
    let mut damaged = whole.clone();
    // A letter in the text of a message: the database itself would not notice.
    let at = whole
        .windows(10)
        .position(|bytes| bytes == b"message 33")
        .unwrap();
    damaged[at] = b'M';
    fs::write(&database, &damaged).unwrap();
    let findings = verify(&copy).findings;
    assert_eq!(findings, ["gatehouse.db is not the file that was written"]);
    assert!(matches!(
        restore(&copy, &other),
        Err(BackupError::Damaged(_))
    ));
    fs::write(&database, &whole).unwrap();
    restore(&copy, &other).unwrap();
    assert_whole(&other);
}

#[test]
fn what_is_missing_of_the_files_beside_the_database_is_told_and_not_restored() {
    let directory = tempfile::tempdir().unwrap();
    let [store, copy, other] = ["store", "copy", "other"].map(|name| directory.path().join(name));
    filled(&store);
    back_up(&store, &copy).unwrap();
    let mut files: Vec<_> = fs::read_dir(copy.join("attachments/2c"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.push(copy.join("token-secret"));
    assert_eq!(
        files.len(),
        3,
        "a file, its thumbnail, the secret of the tokens"
    );
    for file in files {
        let whole = fs::read(&file).unwrap();
        // Another letter, of the same length; and nothing at all.
        for damaged in [Some([b"x", &whole[1..]].concat()), None] {
            match damaged {
                Some(bytes) => fs::write(&file, bytes).unwrap(),
                None => fs::remove_file(&file).unwrap(),
            }
            assert_eq!(verify(&copy).findings.len(), 1, "{}", file.display());
            let outcome = restore(&copy, &other);
            assert!(
                matches!(outcome, Err(BackupError::Damaged(_))),
                "{outcome:?}"
            );
        }
        fs::write(&file, whole).unwrap();
    }
    restore(&copy, &other).unwrap();
}

#[test]
fn what_users_have_said_is_for_the_owner_of_the_files_alone() {
    let directory = tempfile::tempdir().unwrap();
    let [store, copy, again] = ["store", "copy", "again"].map(|name| directory.path().join(name));
    filled(&store);
    // As an operator may have made it, for all to see.
    fs::create_dir(&copy).unwrap();
    back_up(&store, &copy).unwrap();
    restore(&copy, &again).unwrap();
    let _served = Bench::in_directory(&again);
    for folder in [&store, &copy, &again] {
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(folder), 0o700, "{}", folder.display());
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy();
            if name.starts_with("gatehouse.db") && folder != &copy {
                assert_eq!(mode(&path), 0o600, "{}", path.display());
            }
        }
    }
}

#[test]
fn what_clients_rely_on_is_checked() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("store");
    filled(&store);
    assert_whole(&store);
    let break_with = |sql: &str| {
        let db = Connection::open(store.join("gatehouse.db")).unwrap();
        assert_eq!(db.execute(sql, []).unwrap(), 1, "{sql}");
    };
    break_with("DELETE FROM inbox WHERE user = 2 AND seq = 7");
    break_with("UPDATE groups SET members = 5 WHERE id = 1");
    break_with("UPDATE messages SET conversation = 99 WHERE body = 'message 49'");
    break_with("INSERT INTO changes (message, conversation, number) VALUES (1, 1, 1)");
    let findings = verify(&store).findings;
    let expected = [
        ("conversation ", "numbered without gaps, up to its last"),
        ("message ", "a message stands in a conversation"),
        ("inbox of user 2: ", "numbered without gaps, up to its last"),
        ("group 1: ", "a group has as many members as it says"),
        ("conversation 1: ", "numbered without gaps, up to its last"),
    ];
    assert_eq!(findings.len(), expected.len(), "{findings:?}");
    for (finding, (what, rule)) in findings.iter().zip(expected) {
        assert!(
            finding.starts_with(what) && finding.ends_with(rule),
            "{finding}"
        );
    }
}
