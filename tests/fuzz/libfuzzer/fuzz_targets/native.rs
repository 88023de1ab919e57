//! See `gatehouse_fuzz::native`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| gatehouse_fuzz::native::check(input));
