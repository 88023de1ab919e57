//! Where users are, and who is near.

use std::time::Duration;

use common::UserId;

use super::User;

/// Most metres around oneself in which others can be looked for.
pub const RADIUS_M_MAX: u32 = 100_000;
/// For how long a position is of use: who has not told theirs for longer is not shown.
pub const POSITION_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);
/// The mean radius of the Earth (IUGG, 2a/3 + b/3 of GRS 80).
pub(crate) const EARTH_RADIUS_M: f64 = 6_371_008.8;

/// A place on the Earth, in degrees: latitude -90 to 90, longitude -180 to 180.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    latitude: f64,
    longitude: f64,
}

impl Position {
    /// The position, if there is such a place.
    #[must_use]
    pub fn new(latitude: f64, longitude: f64) -> Option<Self> {
        let is_place = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
        is_place.then_some(Self {
            latitude,
            longitude,
        })
    }

    /// Degrees north of the equator.
    #[must_use]
    pub const fn latitude(self) -> f64 {
        self.latitude
    }

    /// Degrees east of Greenwich.
    #[must_use]
    pub const fn longitude(self) -> f64 {
        self.longitude
    }

    /// Metres along the great circle: the haversine formula (R. W. Sinnott, "Virtues of the
    /// Haversine", Sky and Telescope 68, 1984), which stays exact for places close to each other.
    /// The Earth is taken for a sphere, which errs by half a percent at most.
    #[must_use]
    pub fn distance_m(self, other: Self) -> f64 {
        let half = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
        let across = self.latitude.to_radians().cos() * other.latitude.to_radians().cos();
        let square =
            half(self.latitude, other.latitude) + across * half(self.longitude, other.longitude);
        // Rounding may bring the antipodes above 1.
        2.0 * EARTH_RADIUS_M * square.sqrt().min(1.0).asin()
    }
}

/// Tells where a user is, or that nobody is to know any more. Refused: `UserUnknown`.
#[derive(Clone, Debug)]
pub struct SetPosition {
    /// Who.
    pub user: UserId,
    /// Where; none takes what was told away.
    pub position: Option<Position>,
}

/// Users around the position that a user has told, the nearest first. Refused: `PositionUnknown`.
#[derive(Clone, Debug)]
pub struct FindNearby {
    /// Who asks.
    pub user: UserId,
    /// How far around them, in metres; at most [`RADIUS_M_MAX`].
    pub radius_m: u32,
    /// Positions that were told before are left out; milliseconds since 1970.
    pub since_ms: u64,
    /// Go on behind this one: distance and id of the last of the page before.
    pub after: Option<(u32, UserId)>,
    /// Most to give.
    pub limit: usize,
}

/// A user who is near.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nearby {
    /// Who.
    pub user: User,
    /// The address of their picture, or empty.
    pub picture: String,
    /// How far, in whole metres.
    pub distance_m: u32,
    /// When they told where they are, in milliseconds since 1970.
    pub time_ms: u64,
}

/// Part of a list of users who are near.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearbyPage {
    /// The users.
    pub users: Vec<Nearby>,
    /// Whether the list goes on.
    pub more: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(latitude: f64, longitude: f64) -> Position {
        Position::new(latitude, longitude).unwrap()
    }

    #[test]
    fn only_places_are_positions() {
        for (latitude, longitude) in [
            (f64::NAN, 0.0),
            (0.0, f64::INFINITY),
            (90.000_1, 0.0),
            (0.0, -180.1),
        ] {
            assert_eq!(Position::new(latitude, longitude), None);
        }
        assert!(Position::new(-90.0, 180.0).is_some());
    }

    #[test]
    fn distances_are_those_of_a_sphere() {
        let degree = EARTH_RADIUS_M.to_radians();
        let near = |found: f64, expected: f64| (found - expected).abs() < 0.01;
        assert!(near(at(0.0, 0.0).distance_m(at(1.0, 0.0)), degree));
        assert!(near(at(0.0, 179.5).distance_m(at(0.0, -179.5)), degree));
        assert!(near(at(60.0, 0.0).distance_m(at(60.0, 0.0)), 0.0));
        // Over the pole it is nearer than around it.
        assert!(near(at(89.5, 0.0).distance_m(at(89.5, 180.0)), degree));
        let half_way_round = at(0.0, 0.0).distance_m(at(0.0, 180.0));
        assert!(near(half_way_round, 180.0 * degree));
        // Berlin to Paris, 878 km by any atlas.
        let found = at(52.520_0, 13.405_0).distance_m(at(48.856_6, 2.352_2));
        assert!((found - 878_000.0).abs() < 2_000.0, "{found}");
    }
}
