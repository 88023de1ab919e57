//! Positions, and who is near: an R*Tree gives those in a box, and of them the nearest are kept.

use std::collections::BinaryHeap;

use common::UserId;
use rusqlite::Connection;

use super::readers::Query;
use super::sql::{Outcome, Sql};
use super::tx::{Execute, Tx};
use crate::account::User;
use crate::account::position::{
    EARTH_RADIUS_M, FindNearby, Nearby, NearbyPage, Position, SetPosition,
};
use crate::storage::refusal::Refusal;

/// Metres in which the nearest are looked for first: where there are many, that is enough.
const REACH_M: f64 = 250.0;

impl Execute for SetPosition {
    fn execute(self, tx: &mut Tx<'_>) -> Outcome<()> {
        tx.user(self.user)?;
        forget(tx.db, self.user)?;
        if let Some(position) = self.position {
            let (latitude, longitude) = (position.latitude(), position.longitude());
            tx.db.run(
                "INSERT INTO positions VALUES (?, ?, ?, ?)",
                (self.user.0, latitude, longitude, tx.now_ms),
            )?;
            tx.db.run(
                "INSERT INTO position_index VALUES (?1, ?2, ?2, ?3, ?3)",
                (self.user.0, latitude, longitude),
            )?;
        }
        Ok(())
    }
}

/// Takes the position of a user away.
pub(super) fn forget(db: &Connection, user: UserId) -> rusqlite::Result<()> {
    if db.run("DELETE FROM positions WHERE user = ?", [user.0])? > 0 {
        db.run("DELETE FROM position_index WHERE user = ?", [user.0])?;
    }
    Ok(())
}

impl Query for FindNearby {
    fn query(self, db: &Connection) -> Outcome<NearbyPage> {
        let own = db.first(
            "SELECT latitude, longitude FROM positions WHERE user = ? AND time_ms >= ?",
            (self.user.0, self.since_ms),
            |row| Ok(Position::new(row.get(0)?, row.get(1)?)),
        )?;
        let own = own.flatten().ok_or(Refusal::PositionUnknown)?;
        let radius = f64::from(self.radius_m);
        // Who are asked for lie behind `after`, so it is of no use to look less far.
        let after = self.after.map_or(0.0, |(distance, _)| f64::from(distance));
        let mut reach = REACH_M.max(after * 2.0);
        let mut nearest = loop {
            let reach_now = reach.min(radius);
            let nearest = self.nearest(db, own, reach_now)?;
            if nearest.len() > self.limit || reach_now >= radius {
                break nearest.into_sorted_vec();
            }
            reach *= 4.0;
        };
        let more = nearest.len() > self.limit;
        nearest.truncate(self.limit);
        let mut users = Vec::with_capacity(nearest.len());
        for (distance_m, id, time_ms) in nearest {
            users.extend(db.first(
                "SELECT nickname, picture FROM users WHERE id = ?",
                [id.0],
                |row| {
                    Ok(Nearby {
                        user: User {
                            id,
                            name: row.get(0)?,
                        },
                        picture: row.get(1)?,
                        distance_m,
                        time_ms,
                    })
                },
            )?);
        }
        Ok(NearbyPage { users, more })
    }
}

/// Distance, user, time: in the order in which they are listed.
type Found = (u32, UserId, u64);

impl FindNearby {
    /// The nearest within `reach` metres, one more than asked for.
    fn nearest(&self, db: &Connection, own: Position, reach: f64) -> Outcome<BinaryHeap<Found>> {
        let mut nearest = BinaryHeap::with_capacity(self.limit + 2);
        for area in areas(own, reach) {
            let mut statement = db.prepare_cached(
                "SELECT p.user, p.latitude, p.longitude, p.time_ms
                 FROM position_index i CROSS JOIN positions p ON p.user = i.user
                 WHERE i.south <= ?2 AND i.north >= ?1 AND i.west <= ?4 AND i.east >= ?3",
            )?;
            let mut rows = statement.query((area.south, area.north, area.west, area.east))?;
            while let Some(row) = rows.next()? {
                let (id, time_ms): (u64, u64) = (row.get(0)?, row.get(3)?);
                let Some(place) = Position::new(row.get(1)?, row.get(2)?) else {
                    continue;
                };
                let distance = own.distance_m(place);
                let found: Found = (distance.round() as u32, UserId(id), time_ms);
                let is_listed = distance <= reach
                    && time_ms >= self.since_ms
                    && self.after.is_none_or(|after| (found.0, found.1) > after);
                let is_near = nearest.len() <= self.limit
                    || nearest.peek().is_some_and(|farthest| found < *farthest);
                if is_listed && is_near && self.may_see(db, found.1)? {
                    nearest.push(found);
                    if nearest.len() > self.limit + 1 {
                        nearest.pop();
                    }
                }
            }
        }
        Ok(nearest)
    }

    /// Not oneself, nobody who is locked out, and neither has blocked the other.
    fn may_see(&self, db: &Connection, other: UserId) -> Outcome<bool> {
        Ok(other != self.user
            && db.has(
                "SELECT 1 FROM users WHERE id = ?1 AND disabled = 0
                    AND NOT EXISTS (SELECT 1 FROM blocks WHERE user = ?1 AND blocked = ?2)
                    AND NOT EXISTS (SELECT 1 FROM blocks WHERE user = ?2 AND blocked = ?1)",
                (other.0, self.user.0),
            )?)
    }
}

/// A range of latitudes and longitudes, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Area {
    south: f64,
    north: f64,
    west: f64,
    east: f64,
}

/// The areas that hold every place within `reach` metres: two where the antimeridian is between,
/// the whole cap where a pole is within.
fn areas(center: Position, reach: f64) -> Vec<Area> {
    // A millimetre more, for what rounding takes away.
    let angle = (reach + 0.001) / EARTH_RADIUS_M;
    let (latitude, longitude) = (center.latitude(), center.longitude());
    let south = latitude - angle.to_degrees();
    let north = latitude + angle.to_degrees();
    // The circle is widest where a meridian touches it, which is not at the center's latitude:
    // sin(width) = sin(angle) / cos(latitude), as in J. P. Matuschek, "Finding Points Within a
    // Distance of a Latitude/Longitude Using Bounding Coordinates".
    let ratio = angle.sin() / latitude.to_radians().cos();
    if south <= -90.0 || north >= 90.0 || ratio >= 1.0 {
        return vec![Area {
            south: south.max(-90.0),
            north: north.min(90.0),
            west: -180.0,
            east: 180.0,
        }];
    }
    let width = ratio.asin().to_degrees();
    let (west, east) = (longitude - width, longitude + width);
    let area = |west: f64, east: f64| Area {
        south,
        north,
        west,
        east,
    };
    if west < -180.0 {
        vec![area(west + 360.0, 180.0), area(-180.0, east)]
    } else if east > 180.0 {
        vec![area(west, 180.0), area(-180.0, east - 360.0)]
    } else {
        vec![area(west, east)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(areas: &[Area], place: Position) -> bool {
        areas.iter().any(|area| {
            (area.south..=area.north).contains(&place.latitude())
                && (area.west..=area.east).contains(&place.longitude())
        })
    }

    /// The place so far away in this direction.
    fn towards(center: Position, bearing: f64, metres: f64) -> Position {
        let angle = metres / EARTH_RADIUS_M;
        let (latitude, longitude) = (
            center.latitude().to_radians(),
            center.longitude().to_radians(),
        );
        let sine = latitude.sin() * angle.cos() + latitude.cos() * angle.sin() * bearing.cos();
        let to = sine.clamp(-1.0, 1.0).asin();
        let turn = (bearing.sin() * angle.sin() * latitude.cos())
            .atan2(angle.cos() - latitude.sin() * to.sin());
        let longitude = (longitude + turn).to_degrees();
        let longitude = (longitude + 540.0).rem_euclid(360.0) - 180.0;
        Position::new(to.to_degrees(), longitude).unwrap()
    }

    #[test]
    fn what_is_within_reach_is_in_the_areas_wherever_the_center_is() {
        let latitudes = [-90.0, -89.95, -60.0, 0.0, 0.001, 45.0, 89.2, 90.0];
        let longitudes = [-180.0, -179.999, 0.0, 13.4, 179.95, 180.0];
        for latitude in latitudes {
            for longitude in longitudes {
                let center = Position::new(latitude, longitude).unwrap();
                for reach in [1.0, 250.0, 10_000.0, 100_000.0] {
                    let areas = areas(center, reach);
                    for step in 0..360 {
                        let bearing = f64::from(step).to_radians();
                        let place = towards(center, bearing, reach * 0.999_999);
                        assert!(holds(&areas, place), "{center:?} {reach} {step} {place:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn an_area_is_not_much_more_than_is_within_reach() {
        let berlin = Position::new(52.52, 13.4).unwrap();
        let areas = areas(berlin, 1_000.0);
        assert_eq!(areas.len(), 1);
        for bearing in [0.0_f64, 90.0, 180.0, 270.0] {
            let place = towards(berlin, bearing.to_radians(), 1_010.0);
            assert!(!holds(&areas, place), "{bearing}");
        }
    }
}
