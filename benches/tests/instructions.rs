//! The gate of `cargo xtask bench --gate`, for those who test an optimised build:
//! `cargo test --profile bench -p buttress-bench`.

use std::process::Command;

#[test]
fn no_case_takes_more_instructions_than_are_written_down() {
    if cfg!(debug_assertions) {
        eprintln!("not run: counts of a build without optimisations say nothing");
        return;
    }
    let output = Command::new(env!("CARGO_BIN_EXE_buttress-bench")).arg("--gate").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    print!("{said}");
    assert!(output.status.success(), "{said}");
}
