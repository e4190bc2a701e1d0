#![no_main]

#[path = "common/destination.rs"]
mod destination;

libfuzzer_sys::fuzz_target!(|input: &[u8]| destination::check(input));
