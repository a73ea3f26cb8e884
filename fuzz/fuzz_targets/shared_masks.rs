#![no_main]

#[path = "../../tests/support/fuzz/mod.rs"]
#[allow(dead_code, reason = "each target uses one body")]
mod fuzz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::shared_masks::run(data));
