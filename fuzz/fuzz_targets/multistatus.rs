#![no_main]

#[path = "common/multistatus.rs"]
mod multistatus;

libfuzzer_sys::fuzz_target!(|input: &[u8]| multistatus::check(input));
