//! See `gatehouse_fuzz::utf8`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| gatehouse_fuzz::utf8::check(input));
