#![no_main]

#[path = "common/strict.rs"]
mod strict;

libfuzzer_sys::fuzz_target!(|input: &[u8]| strict::check(input));
