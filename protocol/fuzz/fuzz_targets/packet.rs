#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| peerfeed_protocol_fuzz::run("packet", bytes));
