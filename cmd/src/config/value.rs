//! Values as people write them: sizes and times with their unit, numbers that may be a word.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use bytesize::ByteSize;
use gate::{Origins, TrustedProxies};
use serde::de::{Deserializer, Error, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Serialize};

/// A text, or a list of them: what can be many of something is read from it. In a variable, commas
/// stand between them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Texts {
    /// One text, or several with commas between.
    One(String),
    /// A list.
    Many(Vec<String>),
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextsVisitor;
        impl<'de> Visitor<'de> for TextsVisitor {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Texts, E> {
                Ok(Texts::One(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Texts, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element()? {
                    texts.push(text);
                }
                Ok(Texts::Many(texts))
            }
        }
        deserializer.deserialize_any(TextsVisitor)
    }
}

impl Texts {
    /// Each text of the list.
    pub(super) fn split(&self) -> Vec<&str> {
        match self {
            Self::One(text) => text
                .split(',')
                .map(str::trim)
                .filter(|text| !text.is_empty())
                .collect(),
            Self::Many(texts) => texts.iter().map(String::as_str).collect(),
        }
    }
}

/// Whose pages may open WebSockets: `"same-host"`, `"any"`, or a list of origins beside the host's
/// own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Texts", into = "Texts")]
pub struct OriginRule(pub Origins);

impl TryFrom<Texts> for OriginRule {
    type Error = String;

    fn try_from(texts: Texts) -> Result<Self, String> {
        match &texts {
            Texts::One(word) if word == "any" => Ok(Self(Origins::any())),
            Texts::One(word) if word == "same-host" => Ok(Self(Origins::same_host())),
            texts => Origins::same_host_and(texts.split())
                .map(Self)
                .map_err(|error| format!("{error}; or \"same-host\" or \"any\"")),
        }
    }
}

impl From<OriginRule> for Texts {
    fn from(OriginRule(origins): OriginRule) -> Self {
        if origins.is_any() {
            return Self::One("any".to_owned());
        }
        let listed: Vec<_> = origins.iter().map(str::to_owned).collect();
        if listed.is_empty() {
            return Self::One("same-host".to_owned());
        }
        Self::Many(listed)
    }
}

/// Networks and addresses of proxies: `["10.0.0.0/8", "192.0.2.7"]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Texts", into = "Texts")]
pub struct Networks(pub TrustedProxies);

impl TryFrom<Texts> for Networks {
    type Error = String;

    fn try_from(texts: Texts) -> Result<Self, String> {
        TrustedProxies::parse(texts.split())
            .map(Self)
            .map_err(|error| error.to_string())
    }
}

impl From<Networks> for Texts {
    fn from(Networks(proxies): Networks) -> Self {
        Self::Many(proxies.iter().collect())
    }
}

/// A number or a text: what every value of this file is read from and written as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Scalar {
    /// A whole number.
    Number(u64),
    /// A text.
    Text(String),
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScalarVisitor;
        impl Visitor<'_> for ScalarVisitor {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number or a text")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Scalar, E> {
                Ok(Scalar::Number(number))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Scalar, E> {
                u64::try_from(number).map(Scalar::Number).map_err(|_| {
                    E::invalid_value(Unexpected::Signed(number), &"a number that is not negative")
                })
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(text.to_owned()))
            }
        }
        deserializer.deserialize_any(ScalarVisitor)
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "\"{text}\""),
        }
    }
}

/// A whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Scalar", into = "Scalar")]
pub struct Number(pub usize);

impl TryFrom<Scalar> for Number {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        let number = match &scalar {
            Scalar::Number(number) => usize::try_from(*number).ok(),
            Scalar::Text(text) => text.parse().ok(),
        };
        number
            .map(Self)
            .ok_or_else(|| format!("{scalar} is not a whole number"))
    }
}

impl From<Number> for Scalar {
    fn from(number: Number) -> Self {
        Self::Number(number.0 as u64)
    }
}

/// Bytes: `"64KiB"`, `"1.5MB"`, or a plain number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Scalar", into = "Scalar")]
pub struct Size(pub usize);

impl std::str::FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse::<ByteSize>()
            .ok()
            .and_then(|size| usize::try_from(size.as_u64()).ok())
            .map(Self)
            .ok_or_else(|| format!("\"{text}\" is not a size; write it like \"64KiB\" or \"1MB\""))
    }
}

impl TryFrom<Scalar> for Size {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        match scalar {
            Scalar::Text(text) => text.parse(),
            number @ Scalar::Number(_) => Number::try_from(number).map(|number| Self(number.0)),
        }
    }
}

impl fmt::Display for Size {
    /// The largest unit that needs no fraction, so that it reads back as what it was.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(usize, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        for (bytes, unit) in UNITS {
            if self.0 > 0 && self.0.is_multiple_of(bytes) {
                return write!(f, "{}{unit}", self.0 / bytes);
            }
        }
        write!(f, "{}B", self.0)
    }
}

impl From<Size> for Scalar {
    fn from(size: Size) -> Self {
        Self::Text(size.to_string())
    }
}

/// A time in whole seconds, which is what timers count in: `"15s"`, `"2m"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Scalar", into = "Scalar")]
pub struct Seconds(pub u32);

impl TryFrom<Scalar> for Seconds {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        let text = match scalar {
            Scalar::Number(0) => return Ok(Self(0)),
            Scalar::Number(number) => {
                return Err(format!(
                    "a time needs its unit; write \"{number}s\" for seconds"
                ));
            }
            Scalar::Text(text) => text,
        };
        let duration = humantime::parse_duration(&text)
            .map_err(|_| format!("\"{text}\" is not a time; write it like \"15s\" or \"2m\""))?;
        if duration.subsec_nanos() != 0 {
            return Err(format!("\"{text}\" is not in whole seconds"));
        }
        u32::try_from(duration.as_secs())
            .map(Self)
            .map_err(|_| format!("\"{text}\" is longer than 136 years"))
    }
}

/// How long something is kept: a time, or `"forever"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Scalar", into = "Scalar")]
pub enum Keep {
    /// For good.
    Forever,
    /// For so long.
    For(Seconds),
}

impl TryFrom<Scalar> for Keep {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        match scalar {
            Scalar::Text(word) if word == "forever" => Ok(Self::Forever),
            scalar => Seconds::try_from(scalar)
                .map(Self::For)
                .map_err(|error| format!("{error}; or \"forever\"")),
        }
    }
}

impl From<Keep> for Scalar {
    fn from(keep: Keep) -> Self {
        match keep {
            Keep::Forever => Self::Text("forever".to_owned()),
            Keep::For(seconds) => seconds.into(),
        }
    }
}

impl From<Seconds> for Scalar {
    fn from(seconds: Seconds) -> Self {
        let duration = Duration::from_secs(seconds.0.into());
        Self::Text(humantime::format_duration(duration).to_string())
    }
}

/// A cap that need not be there: a number, or `"unlimited"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Scalar", into = "Scalar")]
pub enum Cap {
    /// There is none.
    Unlimited,
    /// So many and no more.
    At(usize),
}

impl Cap {
    /// The cap as the gate takes it, where the largest number stands for none.
    #[must_use]
    pub fn most(self) -> usize {
        match self {
            Self::Unlimited => usize::MAX,
            Self::At(most) => most,
        }
    }

    /// The other way round.
    #[must_use]
    pub fn of(most: usize) -> Self {
        if most == usize::MAX {
            Self::Unlimited
        } else {
            Self::At(most)
        }
    }
}

impl TryFrom<Scalar> for Cap {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        if scalar == Scalar::Text("unlimited".to_owned()) {
            return Ok(Self::Unlimited);
        }
        Number::try_from(scalar)
            .map(|number| Self::At(number.0))
            .map_err(|error| format!("{error}, nor \"unlimited\""))
    }
}

impl From<Cap> for Scalar {
    fn from(cap: Cap) -> Self {
        match cap {
            Cap::Unlimited => Self::Text("unlimited".to_owned()),
            Cap::At(most) => Number(most).into(),
        }
    }
}

/// A value that may be left to the program or the kernel: `"auto"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Scalar", into = "Scalar")]
#[serde(bound(deserialize = "T: TryFrom<Scalar, Error = String>"))]
#[serde(bound(serialize = "T: Into<Scalar> + Clone"))]
pub enum Auto<T> {
    /// Left to others.
    Auto,
    /// This one.
    Is(T),
}

impl<T> Auto<T> {
    /// The value, if it is not left to others.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Auto => None,
            Self::Is(value) => Some(value),
        }
    }

    /// The other way round.
    pub fn of(value: Option<T>) -> Self {
        value.map_or(Self::Auto, Self::Is)
    }
}

impl<T: TryFrom<Scalar, Error = String>> TryFrom<Scalar> for Auto<T> {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        if scalar == Scalar::Text("auto".to_owned()) {
            return Ok(Self::Auto);
        }
        T::try_from(scalar)
            .map(Self::Is)
            .map_err(|error| format!("{error}, nor \"auto\""))
    }
}

impl<T: Into<Self>> From<Auto<T>> for Scalar {
    fn from(auto: Auto<T>) -> Self {
        match auto {
            Auto::Auto => Self::Text("auto".to_owned()),
            Auto::Is(value) => value.into(),
        }
    }
}

/// An IP address with a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Scalar", into = "Scalar")]
pub struct Address(pub SocketAddr);

impl TryFrom<Scalar> for Address {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        let parsed = match &scalar {
            Scalar::Text(text) => text.parse().ok(),
            Scalar::Number(_) => None,
        };
        parsed.map(Self).ok_or_else(|| {
            format!(
                "{scalar} is not an address; write IP and port, like \"127.0.0.1:8080\", \
                 \"0.0.0.0:8080\" (every IPv4 interface) or \"[::]:8080\""
            )
        })
    }
}

impl From<Address> for Scalar {
    fn from(address: Address) -> Self {
        Self::Text(address.0.to_string())
    }
}

/// What can be left out: `"off"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Scalar", into = "Scalar")]
#[serde(bound(deserialize = "T: TryFrom<Scalar, Error = String>"))]
#[serde(bound(serialize = "T: Into<Scalar> + Clone"))]
pub enum Switch<T> {
    /// Left out.
    Off,
    /// This one.
    On(T),
}

impl<T: TryFrom<Scalar, Error = String>> TryFrom<Scalar> for Switch<T> {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        if scalar == Scalar::Text("off".to_owned()) {
            return Ok(Self::Off);
        }
        T::try_from(scalar)
            .map(Self::On)
            .map_err(|error| format!("{error}, or \"off\""))
    }
}

impl<T: Into<Self>> From<Switch<T>> for Scalar {
    fn from(switch: Switch<T>) -> Self {
        match switch {
            Switch::Off => Self::Text("off".to_owned()),
            Switch::On(value) => value.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: TryFrom<Scalar, Error = String>>(text: &str) -> Result<T, String> {
        T::try_from(Scalar::Text(text.to_owned()))
    }

    #[test]
    fn sizes_are_read_with_their_unit_and_written_so_that_they_read_back() {
        assert_eq!(read("64KiB"), Ok(Size(65_536)));
        assert_eq!(read("64 kB"), Ok(Size(64_000)));
        assert_eq!(read("1.5MiB"), Ok(Size(3 << 19)));
        assert_eq!(Size::try_from(Scalar::Number(17)), Ok(Size(17)));
        for size in [0, 1, 1000, 1024, 1536, 1 << 20, 3 << 30].map(Size) {
            assert_eq!(read(&size.to_string()), Ok(size));
        }
        assert!(read::<Size>("64 bits").unwrap_err().contains("\"64KiB\""));
    }

    #[test]
    fn times_need_a_unit_and_whole_seconds() {
        assert_eq!(read("15s"), Ok(Seconds(15)));
        assert_eq!(read("1m 30s"), Ok(Seconds(90)));
        assert_eq!(Seconds::try_from(Scalar::Number(0)), Ok(Seconds(0)));
        let unit = Seconds::try_from(Scalar::Number(15)).unwrap_err();
        assert!(unit.contains("\"15s\""), "{unit}");
        assert!(
            read::<Seconds>("1500ms")
                .unwrap_err()
                .contains("whole seconds")
        );
        assert!(read::<Seconds>("soon").unwrap_err().contains("\"15s\""));
        for seconds in [0, 1, 15, 60, 3661, 86_400, u32::MAX].map(Seconds) {
            assert_eq!(Seconds::try_from(Scalar::from(seconds)), Ok(seconds));
        }
    }

    #[test]
    fn caps_and_automatic_values_have_their_word() {
        assert_eq!(read("unlimited"), Ok(Cap::Unlimited));
        assert_eq!(Cap::try_from(Scalar::Number(5)), Ok(Cap::At(5)));
        assert!(read::<Cap>("none").unwrap_err().contains("\"unlimited\""));
        assert_eq!(read("auto"), Ok(Auto::<Size>::Auto));
        assert_eq!(read("4KiB"), Ok(Auto::Is(Size(4096))));
        assert!(
            read::<Auto<Number>>("many")
                .unwrap_err()
                .contains("\"auto\"")
        );
    }

    #[test]
    fn addresses_say_what_they_want() {
        assert!(read::<Address>("[::1]:80").is_ok());
        assert!(
            read::<Address>("localhost:80")
                .unwrap_err()
                .contains("127.0.0.1:8080")
        );
        assert!(Address::try_from(Scalar::Number(8080)).is_err());
        assert_eq!(read("off"), Ok(Switch::<Address>::Off));
        assert!(
            read::<Switch<Address>>("no")
                .unwrap_err()
                .contains("\"off\"")
        );
    }
}
