//! Any bytes at a WebSocket client, whole and in pieces.

use network::codec::ws::Role;

/// See `ws.rs` for the form of the input.
pub fn check(input: &[u8]) {
    crate::ws::check(Role::Client, input);
}
