//! How good the estimated waits are: simulated sales by the rules of the line, in virtual time.
//!
//! Per sale: the median and the 90th percentile of the error, in seconds and as a share of the
//! real wait; the share of estimates that were too short (by more than 5 s and more than a
//! tenth); and how often an estimate rose though the line had not become slower.

use anyhow::{Result, ensure};
use bench::eta;
use bench::{cores, say};
use clap::Parser;
use serde_json::json;

#[derive(Debug, Parser)]
#[command(about = "Estimated waits against real waits, in simulated sales")]
struct Options {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Seed of the crowds.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only the sales of these names.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

#[allow(clippy::print_stdout, reason = "a command-line tool")]
fn main() -> Result<()> {
    let options = Options::parse();
    let is_wanted = |name: &str| options.only.is_empty() || options.only.iter().any(|only| only == name);
    let mut rows = Vec::new();
    for sale in eta::sales().iter().filter(|sale| is_wanted(sale.name)) {
        say(&format!("{} …", sale.name));
        rows.extend(eta::run(sale, options.seed));
    }
    ensure!(!rows.is_empty(), "--only names no sale; there is: {}", names().join(", "));
    if options.json {
        println!("{}", json!({"command": "bench eta", "cores": cores(), "runs": rows}));
    } else {
        println!("bench eta: estimated against real waits, in virtual time, seed {}", options.seed);
        println!();
        print!("{}", eta::table(&rows));
    }
    Ok(())
}

fn names() -> Vec<&'static str> {
    eta::sales().iter().map(|sale| sale.name).collect()
}
