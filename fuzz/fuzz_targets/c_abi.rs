#![no_main]

#[path = "../../integrations/c/tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|data: &[u8]| support::c_abi::run(data));
