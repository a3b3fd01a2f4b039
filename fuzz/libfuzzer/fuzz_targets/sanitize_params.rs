#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| buttress_fuzz::targets::sanitize_params(data));
