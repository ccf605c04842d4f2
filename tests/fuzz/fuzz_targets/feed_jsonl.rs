//! Any bytes as an export in JSON Lines.
#![no_main]

#[path = "../feeds.rs"]
#[allow(dead_code)]
mod feeds;
#[path = "../memory.rs"]
mod memory;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| memory::within(bytes, feeds::jsonl));
