//! See `gatehouse_fuzz::forwarded`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| gatehouse_fuzz::forwarded::check(input));
