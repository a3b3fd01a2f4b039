//! The Rust side of the .proto file, without protoc.

use std::error::Error;

const PROTO: &str = "proto/greeter.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={PROTO}");
    let files = protox::compile([PROTO], ["proto"])?;
    tonic_prost_build::configure().compile_fds(files)?;
    Ok(())
}
