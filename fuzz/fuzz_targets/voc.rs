#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ptsbench_fuzz::voc(bytes));
