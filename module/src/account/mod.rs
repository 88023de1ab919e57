//! Who a user is.

use common::UserId;

/// Longest name of a user, in characters.
pub const NAME_CHARS_MAX: usize = 32;

/// A user as others see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The number, given at the first login.
    pub id: UserId,
    /// The name, as it was first written.
    pub name: String,
}

/// A name without blanks at its ends, if it is one: 1 to `chars_max` characters, none of them a
/// control character.
#[must_use]
pub fn checked_name(name: &str, chars_max: usize) -> Option<&str> {
    let name = name.trim();
    let fits = (1..=chars_max).contains(&name.chars().count());
    (fits && !name.chars().any(is_invisible)).then_some(name)
}

/// Characters that make one name look like another, or turn the text around it.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_counted_in_characters_and_visible() {
        assert_eq!(checked_name("  Ada ", 32), Some("Ada"));
        assert_eq!(
            checked_name(&"é".repeat(32), 32),
            Some("é".repeat(32).as_str())
        );
        for bad in ["", "   ", &"é".repeat(33), "a\nb", "a\u{202e}b", "\u{200b}"] {
            assert_eq!(checked_name(bad, 32), None, "{bad:?}");
        }
    }
}
