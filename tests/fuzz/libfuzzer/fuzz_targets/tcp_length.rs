//! See `gatehouse_fuzz::tcp_length`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| gatehouse_fuzz::tcp_length::check(input));
