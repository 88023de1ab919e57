//! See `gatehouse_fuzz::ws_client`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| gatehouse_fuzz::ws_client::check(input));
