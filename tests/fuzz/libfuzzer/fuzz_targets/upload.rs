//! See `gatehouse_fuzz::upload`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| gatehouse_fuzz::upload::check(input));
