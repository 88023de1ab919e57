//! UTF-8 that comes in pieces is refused if and only if the whole is, and at the first piece with
//! which it is hopeless.
//!
//! The first two bytes are the sizes of the pieces, in turn; the rest is the text.

use crate::pieces::cut;

/// See above.
pub fn check(input: &[u8]) {
    let Some((sizes, text)) = input.split_first_chunk::<2>() else {
        return;
    };
    let mut held = Vec::new();
    let mut known = 0;
    for piece in cut(text, sizes) {
        held.extend_from_slice(piece);
        // What the standard library says of the same bytes: an error with a length is there for
        // good, one without is the beginning of a character.
        let (valid, hopeless) = match std::str::from_utf8(&held) {
            Ok(text) => (text.len(), false),
            Err(error) => (error.valid_up_to(), error.error_len().is_some()),
        };
        match network::fuzz::utf8_prefix(&held[known..]) {
            Ok(prefix) => {
                assert!(!hopeless, "taken: {held:02x?}");
                known += prefix;
                assert_eq!(known, valid, "{held:02x?}");
            }
            Err(_) => {
                assert!(hopeless, "refused: {held:02x?}");
                return;
            }
        }
    }
}
