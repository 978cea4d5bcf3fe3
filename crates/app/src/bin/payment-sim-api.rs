//! `payment-sim-api` as a separate process.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    app::binaries::payment_sim_api()
}
