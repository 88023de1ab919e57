//! Any bytes at a WebSocket server, whole and in pieces.

#![no_main]

mod ws;

use libfuzzer_sys::fuzz_target;
use network::codec::ws::Role;

fuzz_target!(|data: &[u8]| ws::check(Role::Server, data));
