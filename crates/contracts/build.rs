//! Compiles the `.proto` files without a system `protoc`: protox parses them into a descriptor set,
//! tonic generates clients and servers from it, and its bytes are kept for server reflection.

use prost::Message;
use std::error::Error;
use std::path::PathBuf;

const FILES: [&str; 7] = [
    "common/v1/types.proto",
    "common/v1/errors.proto",
    "reservation/v1/inventory.proto",
    "reservation/v1/reservation.proto",
    "reservation/v1/worker.proto",
    "payment/v1/payment.proto",
    "gateway/v1/queue.proto",
];

#[allow(clippy::disallowed_methods, reason = "a build script learns its folder from the environment")]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("OUT_DIR is set by cargo")?);
    let descriptors = protox::compile(FILES, ["proto"])?;
    std::fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    // Ordered maps, so that the same message always has the same bytes and the same order in logs.
    tonic_prost_build::configure()
        .build_client(true)
        .build_server(true)
        .build_transport(true)
        .btree_map(".")
        .codec_path("crate::codec::SmallMessages")
        .emit_rerun_if_changed(false)
        .compile_fds(descriptors)?;
    Ok(())
}
