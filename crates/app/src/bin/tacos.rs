//! `tacos`: the whole platform, its demo and its tools in one program.

/// A hold makes some hundred small allocations on one thread and frees them on others;
/// docs/measurements.md has the gain of this allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    app::cli::main()
}
