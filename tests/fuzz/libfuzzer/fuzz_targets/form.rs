//! See `gatehouse_fuzz::form`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| gatehouse_fuzz::form::check(input));
