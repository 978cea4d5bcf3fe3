//! `tacos`: the whole platform, its demo and its tools in one program.

fn main() -> std::process::ExitCode {
    app::cli::main()
}
