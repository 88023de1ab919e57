//! What fuzzing has found so far, and what people have thought of, once more: every unit of every
//! target (`tests/fuzz`).

use gatehouse_fuzz::{TARGETS, units};

/// Runs the units of one target; the one that fails is printed.
#[track_caller]
fn replay(name: &str) {
    let (_, check) = TARGETS
        .into_iter()
        .find(|(known, _)| *known == name)
        .expect("a target");
    let found = units::of(name).expect("files of units");
    assert!(!found.is_empty(), "{name} has no seeds");
    for unit in found {
        let shown = unit.escape_ascii().to_string();
        let outcome = std::panic::catch_unwind(|| check(&unit));
        assert!(outcome.is_ok(), "{name} fails on: {shown}");
    }
}

macro_rules! replay {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name));
        })*

        #[test]
        fn no_target_is_left_out() {
            let replayed = [$(stringify!($name)),*];
            assert!(TARGETS.iter().map(|(name, _)| *name).eq(replayed));
        }
    };
}

replay! {
    close config connection differential files form forwarded handshake_client handshake_server
    http native proxy tcp_length tcp_line upload utf8 ws_client ws_server
}
