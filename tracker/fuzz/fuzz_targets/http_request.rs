#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| peerfeed_tracker_fuzz::run("http_request", bytes));
