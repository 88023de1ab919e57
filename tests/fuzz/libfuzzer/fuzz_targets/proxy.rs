//! See `gatehouse_fuzz::proxy`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| gatehouse_fuzz::proxy::check(input));
