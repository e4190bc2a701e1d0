#![no_main]

#[path = "common/etag.rs"]
mod etag;

libfuzzer_sys::fuzz_target!(|input: &[u8]| etag::check(input));
