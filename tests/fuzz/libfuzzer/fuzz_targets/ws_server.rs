//! See `gatehouse_fuzz::ws_server`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| gatehouse_fuzz::ws_server::check(input));
