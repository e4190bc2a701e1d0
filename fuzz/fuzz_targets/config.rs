//! Any bytes as a configuration: read, checked, and every problem shown.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| passeur::config::read_anything(bytes));
