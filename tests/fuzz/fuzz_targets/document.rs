//! Any bytes as one manifest.
#![no_main]

#[path = "../claims.rs"]
#[allow(dead_code)]
mod claims;
#[path = "../memory.rs"]
mod memory;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| memory::within(bytes, claims::document));
