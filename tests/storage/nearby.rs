//! Where users are, and who is near.

use std::time::Duration;

use common::UserId;
use module::account::SetDisabled;
use module::account::position::{FindNearby, NearbyPage, Position, SetPosition};
use module::friend::SetBlock;
use module::storage::refusal::Refusal;
use module::storage::sqlite::{Retention, StoreConfig};

use crate::bench::{BEGIN_MS, Bench};

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

fn tell(bench: &Bench, user: UserId, latitude: f64, longitude: f64) {
    let position = Some(Position::new(latitude, longitude).unwrap());
    bench.change_now(SetPosition { user, position }).unwrap();
}

fn around(user: UserId, radius_m: u32) -> FindNearby {
    FindNearby {
        user,
        radius_m,
        since_ms: BEGIN_MS,
        after: None,
        limit: 100,
    }
}

fn ids(page: &NearbyPage) -> Vec<UserId> {
    page.users.iter().map(|nearby| nearby.user.id).collect()
}

fn near(bench: &Bench, user: UserId, radius_m: u32) -> Vec<UserId> {
    ids(&bench.look_up_now(around(user, radius_m)).unwrap())
}

#[test]
fn those_within_the_radius_are_listed_the_nearest_first() {
    let bench = Bench::new();
    let [ada, bob, eve, far] = ["Ada", "Bob", "Eve", "Far"].map(|name| bench.user(name));
    assert_eq!(
        bench.look_up_now(around(ada, 1_000)),
        Err(Refusal::PositionUnknown)
    );
    tell(&bench, ada, 52.52, 13.405);
    // A thousandth of a degree of latitude is 111.2 metres.
    tell(&bench, bob, 52.525, 13.405);
    tell(&bench, eve, 52.521, 13.405);
    tell(&bench, far, 52.62, 13.405);
    let page = bench.look_up_now(around(ada, 1_000)).unwrap();
    assert_eq!(ids(&page), [eve, bob]);
    let distances: Vec<u32> = page.users.iter().map(|user| user.distance_m).collect();
    assert_eq!(distances, [111, 556]);
    assert_eq!(
        (page.users[0].user.name.as_str(), page.more),
        ("Eve", false)
    );
    assert_eq!(near(&bench, ada, 555), [eve]);
    assert_eq!(near(&bench, ada, 12_000), [eve, bob, far]);

    tell(&bench, far, 52.5201, 13.405);
    assert_eq!(near(&bench, ada, 1_000), [far, eve, bob], "it has moved");
    let position = None;
    bench
        .change_now(SetPosition {
            user: far,
            position,
        })
        .unwrap();
    assert_eq!(near(&bench, ada, 1_000), [eve, bob], "it is gone");
    let unknown = SetPosition {
        user: UserId(99),
        position: Position::new(0.0, 0.0),
    };
    assert_eq!(bench.change_now(unknown), Err(Refusal::UserUnknown));
}

#[test]
fn the_date_line_and_the_poles_are_no_borders() {
    let bench = Bench::new();
    let [west, east, here, there] = ["W", "E", "H", "T"].map(|name| bench.user(name));
    tell(&bench, west, -16.5, -179.999);
    tell(&bench, east, -16.5, 179.999);
    // Around the pole, half way round the world of longitudes.
    tell(&bench, here, 89.999, 10.0);
    tell(&bench, there, 89.999, -170.0);
    assert_eq!(near(&bench, west, 1_000), [east]);
    assert_eq!(near(&bench, east, 1_000), [west]);
    assert_eq!(near(&bench, here, 1_000), [there]);
    assert_eq!(near(&bench, here, 200), []);
    tell(&bench, west, -90.0, 0.0);
    tell(&bench, east, -90.0, 180.0);
    assert_eq!(near(&bench, west, 1), [east], "the pole is one place");
}

#[test]
fn whoever_is_blocked_or_locked_out_is_not_near() {
    let bench = Bench::new();
    let [ada, bob, eve, mallory] = ["Ada", "Bob", "Eve", "Mallory"].map(|name| bench.user(name));
    for user in [ada, bob, eve, mallory] {
        tell(&bench, user, 48.0, 11.0 + user.0 as f64 / 10_000.0);
    }
    assert_eq!(near(&bench, ada, 1_000), [bob, eve, mallory]);
    let block = |user, other, blocked| SetBlock {
        user,
        other,
        blocked,
        origin: None,
    };
    bench.change_now(block(ada, bob, true)).unwrap();
    assert_eq!(near(&bench, ada, 1_000), [eve, mallory]);
    assert_eq!(
        near(&bench, bob, 1_000),
        [eve, mallory],
        "nor the other way"
    );
    let disable = |disabled| SetDisabled {
        user: eve,
        disabled,
    };
    bench.change_now(disable(true)).unwrap();
    assert_eq!(near(&bench, ada, 1_000), [mallory]);
    bench.change_now(disable(false)).unwrap();
    bench.change_now(block(ada, bob, false)).unwrap();
    assert_eq!(near(&bench, ada, 1_000), [bob, eve, mallory]);
}

#[test]
fn what_was_told_a_week_ago_is_neither_shown_nor_kept() {
    let bench = Bench::open(StoreConfig {
        retention: Retention {
            interval: Duration::from_millis(1),
            ..Retention::default()
        },
        ..StoreConfig::default()
    });
    let [ada, bob] = ["Ada", "Bob"].map(|name| bench.user(name));
    tell(&bench, bob, 1.0, 1.0);
    bench.advance(Duration::from_secs(3600));
    tell(&bench, ada, 1.0, 1.0);
    assert_eq!(near(&bench, ada, 10), [bob]);
    let later = FindNearby {
        since_ms: BEGIN_MS + 1,
        ..around(ada, 10)
    };
    assert_eq!(ids(&bench.look_up_now(later).unwrap()), []);
    bench.advance(WEEK);
    // Each write gives the sweep a new look at the time.
    while near(&bench, ada, 10) == [bob] {
        tell(&bench, ada, 1.0, 1.0);
    }
    let gone = around(bob, 10);
    assert_eq!(bench.look_up_now(gone), Err(Refusal::PositionUnknown));
}

#[test]
fn pages_go_through_a_crowd_in_order_and_hold_everyone_once() {
    let bench = Bench::new();
    let users: Vec<UserId> = (0..300).map(|n| bench.user(&format!("user {n}"))).collect();
    for (at, &user) in users.iter().enumerate() {
        // On rings, so that many are equally far.
        let (ring, angle) = ((at % 7) as f64, at as f64);
        let (north, east) = (angle.sin() * ring * 0.01, angle.cos() * ring * 0.01);
        tell(&bench, user, north, east);
    }
    let mut seen: Vec<(u32, UserId)> = Vec::new();
    loop {
        let find = FindNearby {
            after: seen.last().copied(),
            limit: 17,
            ..around(users[0], 100_000)
        };
        let page = bench.look_up_now(find).unwrap();
        seen.extend(
            page.users
                .iter()
                .map(|user| (user.distance_m, user.user.id)),
        );
        if !page.more {
            break;
        }
        assert_eq!(page.users.len(), 17);
    }
    assert!(seen.is_sorted());
    let mut found: Vec<UserId> = seen.into_iter().map(|(_, user)| user).collect();
    found.sort_unstable();
    assert_eq!(found, users[1..]);
}
