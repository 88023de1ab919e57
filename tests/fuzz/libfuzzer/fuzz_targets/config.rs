//! See `gatehouse_fuzz::config`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| gatehouse_fuzz::config::check(input));
