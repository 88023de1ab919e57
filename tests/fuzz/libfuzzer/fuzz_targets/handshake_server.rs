//! See `gatehouse_fuzz::handshake_server`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| gatehouse_fuzz::handshake_server::check(input));
