//! See `gatehouse_fuzz::files`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| gatehouse_fuzz::files::check(input));
