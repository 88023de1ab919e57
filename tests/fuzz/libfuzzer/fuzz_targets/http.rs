//! See `gatehouse_fuzz::http`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| gatehouse_fuzz::http::check(input));
