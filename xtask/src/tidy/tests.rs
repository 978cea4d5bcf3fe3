//! Breaks each rule on purpose, on a small tree that keeps all of them.

use super::*;
use crate::tree::{Dependency, Kind, Package};

const MANIFEST: &str = "[package]\nname = \"x\"\n\n[lints]\nworkspace = true\n";

/// A tree in which every rule holds.
fn whole() -> Tree {
    let mut tree = Tree { chores: vec!["ci".into(), "tidy".into(), "bench".into()], ..Tree::default() };
    let packages: &[(&str, &[&str])] = &[
        ("domain", &[]),
        ("ports", &["domain", "tokio"]),
        ("testkit", &["domain", "ports"]),
        ("contracts", &["domain", "ports", "serde"]),
        ("runtime", &["domain", "ports", "contracts"]),
        ("adapter-embedded", &["domain", "ports", "fjall"]),
        ("worker", &["domain", "ports", "contracts", "runtime"]),
        ("app", &["worker", "adapter-embedded", "runtime", "anyhow"]),
        ("bench", &["app", "anyhow"]),
    ];
    for (name, dependencies) in packages {
        let folder = format!("crates/{name}");
        tree.files.insert(format!("{folder}/Cargo.toml"), MANIFEST.into());
        tree.files.insert(format!("{folder}/src/lib.rs"), "//! What it is.\n\npub fn work() {}\n".into());
        let dependencies = dependencies.iter().map(|name| dependency(name, Kind::Normal)).collect();
        let binaries = match *name {
            "app" => vec!["tacos".into()],
            "bench" => vec!["hold".into()],
            _ => Vec::new(),
        };
        tree.packages.insert((*name).to_owned(), Package { folder, dependencies, binaries });
    }
    let readme = "# Tacos\n\nSee [the map](ARCHITECTURE.md#the-map) and `crates/worker/src/lib.rs`.\n\n    cargo run --release -p app --bin tacos -- demo\n    cargo xtask bench hold --json\n";
    put(&mut tree, "README.md", readme);
    put(&mut tree, "ARCHITECTURE.md", "# Architecture\n\n## The map\n\n[back](README.md)\n");
    let ids = [('T', 14), ('S', 9), ('M', 5)]
        .into_iter()
        .flat_map(|(l, n)| (1..=n).map(move |n| format!("T-{l}{n}")));
    let rows: String = ids.map(|id| format!("| {id} | what | `worker::tests::it_holds` |\n")).collect();
    put(&mut tree, "docs/traps.md", &format!("# Traps\n\n| trap | what | tests |\n|---|---|---|\n{rows}"));
    put(&mut tree, "crates/worker/tests/it.rs", "//! Tests.\n\n#[test]\nfn it_holds() {}\n");
    put(&mut tree, "Cargo.lock", "source = \"registry+https://github.com/rust-lang/crates.io-index\"\n");
    tree
}

fn dependency(name: &str, kind: Kind) -> Dependency {
    Dependency { name: name.to_owned(), kind }
}

fn put(tree: &mut Tree, path: &str, text: &str) {
    tree.files.insert(path.to_owned(), text.to_owned());
}

/// Everything that all checks find.
fn found(tree: &Tree) -> Vec<String> {
    CHECKS.iter().flat_map(|(_, check)| check(tree)).map(|finding| finding.to_string()).collect()
}

/// Breaks the tree and checks that exactly this is reported, and nothing else.
#[track_caller]
fn reports(break_it: impl FnOnce(&mut Tree), expected: &[&str]) {
    let mut tree = whole();
    break_it(&mut tree);
    let found = found(&tree);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.contains(expected), "{found:?} does not say {expected:?}");
    }
}

/// Adds a line to the worker's source.
#[track_caller]
fn reports_line(line: &str, expected: &[&str]) {
    reports(|tree| put(tree, "crates/worker/src/run.rs", &format!("//! Runs.\n\n{line}\n")), expected);
}

fn depend(tree: &mut Tree, package: &str, on: &str, kind: Kind) {
    tree.packages.get_mut(package).unwrap().dependencies.push(dependency(on, kind));
}

#[test]
fn a_tree_that_keeps_every_rule_has_no_findings() {
    reports(|_| {}, &[]);
}

#[test]
fn the_domain_depends_on_nothing() {
    reports(|t| depend(t, "domain", "serde", Kind::Normal), &["domain must not depend on serde"]);
    reports(|t| depend(t, "domain", "ports", Kind::Dev), &["domain must not depend on ports"]);
    reports(|t| depend(t, "domain", "proptest", Kind::Dev), &[]);
}

#[test]
fn a_service_depends_on_no_adapter_and_no_service() {
    let tree = |t: &mut Tree| {
        let worker = t.packages["worker"].clone();
        put(t, "crates/payment/Cargo.toml", MANIFEST);
        t.packages.insert("payment".into(), Package { folder: "crates/payment".into(), ..worker });
    };
    reports(tree, &[]);
    reports(
        |t| {
            tree(t);
            depend(t, "worker", "payment", Kind::Normal);
            depend(t, "payment", "worker", Kind::Dev);
        },
        &["payment must not depend on worker", "worker must not depend on payment"],
    );
    reports(
        |t| depend(t, "worker", "adapter-embedded", Kind::Normal),
        &["must not depend on adapter-embedded"],
    );
    reports(|t| depend(t, "worker", "adapter-embedded", Kind::Dev), &[]);
    reports(|t| depend(t, "worker", "testkit", Kind::Normal), &["worker must not depend on testkit"]);
    reports(|t| depend(t, "worker", "testkit", Kind::Dev), &[]);
    reports(|t| depend(t, "testkit", "runtime", Kind::Normal), &["testkit must not depend on runtime"]);
    reports(|t| depend(t, "adapter-embedded", "worker", Kind::Normal), &["must not depend on worker"]);
    reports(|t| depend(t, "runtime", "worker", Kind::Normal), &["runtime must not depend on worker"]);
}

#[test]
fn the_census_sees_the_services_that_store_rows_and_no_adapter() {
    let census = |on: &'static str| {
        move |t: &mut Tree| {
            put(t, "crates/census/Cargo.toml", MANIFEST);
            let dependencies = vec![dependency(on, Kind::Normal)];
            let package = Package { folder: "crates/census".into(), dependencies, binaries: Vec::new() };
            t.packages.insert("census".into(), package);
        }
    };
    reports(census("ports"), &[]);
    reports(
        |t| {
            let worker = t.packages["worker"].clone();
            put(t, "crates/inventory/Cargo.toml", MANIFEST);
            t.packages.insert("inventory".into(), Package { folder: "crates/inventory".into(), ..worker });
            census("inventory")(t);
        },
        &[],
    );
    reports(census("worker"), &["census must not depend on worker"]);
    reports(census("adapter-embedded"), &["census must not depend on adapter-embedded"]);
    let seen_by_a_service = |t: &mut Tree| {
        census("ports")(t);
        depend(t, "worker", "census", Kind::Normal);
    };
    reports(seen_by_a_service, &["worker must not depend on census"]);
}

#[test]
fn a_crate_without_a_place_may_depend_on_none_of_ours() {
    let add = |t: &mut Tree| {
        put(t, "crates/extra/Cargo.toml", MANIFEST);
        let dependencies = vec![dependency("domain", Kind::Normal)];
        let package = Package { folder: "crates/extra".into(), dependencies, binaries: Vec::new() };
        t.packages.insert("extra".into(), package);
    };
    reports(add, &["extra must not depend on domain"]);
}

#[test]
fn only_its_adapter_names_an_engine() {
    reports(|t| depend(t, "app", "aws-sdk-sqs", Kind::Normal), &["only adapter-aws may"]);
    reports(|t| depend(t, "worker", "redis", Kind::Normal), &["only adapter-redis may"]);
    reports(|t| depend(t, "worker", "fjall", Kind::Dev), &["only adapter-embedded may"]);
    reports_line("use aws_sdk_sqs::Client;", &["names `aws_sdk_`"]);
    reports_line("// like redis::Client, but durable", &[]);
}

#[test]
fn a_library_types_its_errors() {
    reports(|t| depend(t, "worker", "anyhow", Kind::Normal), &["worker types its errors"]);
    reports(|t| depend(t, "worker", "anyhow", Kind::Dev), &[]);
    reports_line("use anyhow::Result;", &["run.rs:3: anyhow"]);
    reports_line("#[cfg(test)]\nmod tests {\n    use anyhow::Result;\n}", &[]);
}

#[test]
fn a_package_without_the_lints_is_reported() {
    reports(
        |t| put(t, "crates/ports/Cargo.toml", "[package]\n"),
        &["crates/ports/Cargo.toml: lacks `[lints]`"],
    );
}

#[test]
fn only_runtime_reads_the_environment() {
    reports_line("let x = std::env::var(\"X\");", &["run.rs:3: `env::var`"]);
    reports_line("let x = env!(\"CARGO_PKG_VERSION\");", &[]);
    reports(
        |t| put(t, "crates/app/src/a.rs", "//! A.\nfn a() { std::env::var_os(\"X\"); }\n"),
        &["a.rs:2: `env::var_os`"],
    );
    reports(|t| put(t, "crates/runtime/src/a.rs", "//! A.\nfn a() { std::env::vars_os(); }\n"), &[]);
    reports(|t| put(t, "crates/worker/tests/a.rs", "//! A.\nfn a() { std::env::var(\"X\"); }\n"), &[]);
}

#[test]
fn services_name_no_ambient_time_task_or_randomness() {
    for line in [
        "let now = std::time::Instant::now();",
        "let now = SystemTime::now();",
        "tokio::time::sleep(d).await;",
        "use tokio::time::timeout;",
        "tokio::spawn(f);",
        "#[allow(clippy::disallowed_methods)] tokio::spawn(f);",
        "tokio::task::spawn_blocking(f);",
        "let mut set = JoinSet::new();",
        "std::thread::spawn(f);",
        "let n: u64 = rand::random();",
        "let id = Uuid::now_v7();",
        "let s = RandomState::new();",
    ] {
        let mut tree = whole();
        put(&mut tree, "crates/worker/src/run.rs", &format!("//! Runs.\n\n{line}\n"));
        let found = found(&tree);
        assert!(!found.is_empty() && found.iter().all(|f| f.contains("run.rs:3:")), "{line}: {found:?}");
    }
    reports_line("// tokio::spawn is not for us\nlet s = \"tokio::spawn\";", &[]);
    reports_line("#[cfg(test)]\nmod tests {\n    fn t() { tokio::spawn(f); }\n}", &[]);
    reports(|t| put(t, "crates/app/src/a.rs", "//! A.\nfn a() { tokio::spawn(f); }\n"), &[]);
    reports(|t| put(t, "crates/ports-contract/src/q.rs", "//! A.\nfn a() { tokio::spawn(f); }\n"), &[]);
}

#[test]
fn fakes_live_in_sim_and_in_tests() {
    reports_line("pub(crate) struct FakeQueue;", &["`FakeQueue`"]);
    reports_line("pub trait StoreMock {}", &["`StoreMock`"]);
    reports_line("#[cfg(test)]\nstruct FakeQueue;", &[]);
    reports(|t| put(t, "crates/sim/src/a.rs", "//! A.\nstruct FakeClock;\n"), &[]);
}

#[test]
fn names_with_an_empty_ending_are_reported() {
    reports_line("pub struct LaneManager {", &["`LaneManager`"]);
    reports_line("struct QueueImpl<T>(T);", &["`QueueImpl`"]);
    reports_line("enum Informed { A }", &[]);
    reports(
        |t| put(t, "crates/worker/src/a/mod.rs", "//! A.\n"),
        &["crates/worker/src/a/mod.rs: must be `foo.rs`"],
    );
}

#[test]
fn files_are_short_and_begin_with_a_module_comment() {
    let long = format!("//! Long.\n{}", "fn a() {}\n".repeat(500));
    reports(|t| put(t, "crates/worker/src/a.rs", &long), &["a.rs: has 501 lines"]);
    reports(|t| put(t, "crates/worker/src/a.rs", "use x;\n//! Late.\n"), &["a.rs:1: does not begin"]);
    reports(|t| put(t, "crates/worker/src/a/tests.rs", "use super::*;\n"), &[]);
}

#[test]
fn nothing_is_left_undone_or_switched_off() {
    reports_line(concat!("// TO", "DO: later"), &["run.rs:3: says"]);
    reports_line(concat!("to", "do!()"), &["run.rs:3: has"]);
    reports_line(concat!("unimpl", "emented!()"), &["run.rs:3: has"]);
    reports_line(concat!("#[ign", "ore = \"slow\"]"), &["run.rs:3: has"]);
    reports_line("let mastodon = 1; // and its todos", &[]);
    let readme = |t: &mut Tree| t.files.get_mut("README.md").unwrap().push_str(concat!("\nFIX", "ME\n"));
    reports(readme, &["README.md:8: says"]);
}

#[test]
fn nothing_of_one_machine_is_in_the_tree() {
    reports_line(concat!("let x = \"/wo", "rk/data\";"), &["run.rs:3: names"]);
    reports_line(concat!("// in /ro", "ot"), &["run.rs:3: names"]);
    reports_line(concat!("// (/ho", "me/me/x)"), &["run.rs:3: names"]);
    reports_line("let x = \"https://example.com/home/x\"; let y = \"/workshop\"; let z = a/root;", &[]);
    let lock = "source = \"registry+https://mirror.example.com/index\"\n";
    reports(|t| put(t, "Cargo.lock", lock), &["Cargo.lock:1: is not from crates.io"]);
    let config = "[alias]\nx = \"y\"\n[source.crates-io]\nreplace-with = \"m\"\n";
    reports(|t| put(t, ".cargo/config.toml", config), &["config.toml:3", "config.toml:4"]);
}

#[test]
fn documents_name_only_existing_files() {
    let say = |text: &'static str| move |t: &mut Tree| put(t, "docs/more.md", text);
    reports(say("[gone](gone.md)"), &["docs/more.md:1: `gone.md` is not there"]);
    reports(say("[up](../README.md) [out](../../x.md)"), &["`../../x.md`"]);
    reports(say("[map](../ARCHITECTURE.md#the-map)"), &[]);
    reports(say("[map](../ARCHITECTURE.md#the-moon)"), &["`../ARCHITECTURE.md#the-moon`"]);
    reports(say("# Here\n[x](#here) [y](#there) [z](https://example.com/a.md)"), &["`#there`"]);
    reports(say("see `crates/worker/src/gone.rs` and `crates/*/src`"), &["`crates/worker/src/gone.rs`"]);
    reports(say("the folder `crates/worker/`, `GET /health`, `a/b`"), &[]);
    reports(
        |t| drop(t.files.remove("ARCHITECTURE.md")),
        &["ARCHITECTURE.md: is missing", "`ARCHITECTURE.md#the-map`"],
    );
}

#[test]
fn comments_fit_their_columns() {
    let long = "x ".repeat(50);
    reports_line(&format!("// {long}"), &["run.rs:3: has 103 columns"]);
    reports_line(&format!("    /// {long}"), &["run.rs:3: has 108 columns"]);
    reports_line(&format!("let x = \"{long}\";"), &[]);
    reports_line(&format!("// see https://example.com/{long}"), &[]);
    reports_line(&format!("//! | {long} |"), &[]);
    reports_line(&format!("// {}", "ö".repeat(97)), &[]);
    reports(|t| put(t, "web/a.js", &format!("/*\n * {long}\n */\n")), &["web/a.js:2: has 103 columns"]);
    reports(|t| put(t, "a.lua", &format!("-- {long}\n")), &["a.lua:1: has 103 columns"]);
    reports(|t| put(t, "a.proto", &format!("// {long}\n")), &["a.proto:1: has 103 columns"]);
    reports(|t| put(t, "docs/a.md", &long), &[]);
}

#[test]
fn examples_in_comments_are_not_rust() {
    reports_line("/// ```text\n/// a ─▶ b\n/// ```\nfn f() {}", &[]);
    reports_line("/// ```\n/// f();\n/// ```\nfn f() {}", &["run.rs:3: is an example"]);
    reports_line("/// ```rust,no_run\n/// f();\n/// ```\nfn f() {}", &["run.rs:3: is an example"]);
}

#[test]
fn sources_cite_only_existing_documents() {
    reports_line("// see docs/traps.md#traps and docs/traps.md.", &[]);
    reports_line("// see docs/traps.md#holes", &["run.rs:3: `docs/traps.md#holes` does not exist"]);
    reports_line("// see docs/gone.md", &["`docs/gone.md` does not exist"]);
    reports_line("// as in design part 4", &["cites \"design part\""]);
    reports_line("// as in contracts section 5", &["cites \"contracts section\""]);
    reports_line("// the log (contracts 7)", &["cites \"contracts 7\""]);
    for name in ["contracts", "contracts.md", "design", "design.md", "traps", "traps.md", "rules", "Rules"] {
        reports_line(&format!("//! as in {name} 12, and more"), &[&format!("cites \"{name} 12\"")]);
    }
    for name in ["rules.md", "cases.md", "house.md", "style.md", "shared/"] {
        reports_line(&format!("// the case of {name}"), &[&format!("cites \"{name}\"")]);
    }
    reports_line("// the contracts of 5 ports obey 3 rules, redesign 2 and traps T-W2", &[]);
    reports_line("let contracts = 7;", &[]);
    reports_line("// see https://example.com/docs/x.md", &[]);
}

#[test]
fn the_contracts_list_every_metric() {
    let code = "pub fn f(m: &Metrics) { m.register(\n    \"events_total\", \"Events\", x) }";
    reports_line(code, &["run.rs:3: docs/contracts.md lacks the metric `events_total`"]);
    reports(
        |t| {
            put(t, "crates/worker/src/run.rs", &format!("//! Runs.\n\n{code}\n"));
            put(t, "docs/contracts.md", "| worker | `events_total{type}` |");
        },
        &[],
    );
}

#[test]
fn the_list_of_settings_has_what_the_sources_read() {
    const CODE: &str =
        "fn f(env: &mut Env) { env.flag(\"POLL_ALL\"); env.flag(&format!(\"LIMIT_{whose}\")) }";
    reports_line(CODE, &["run.rs:3: docs/configuration.md lacks the variable `POLL_ALL`"]);
    let listed = |rows: &'static str| {
        move |t: &mut Tree| {
            put(t, "crates/worker/src/run.rs", &format!("//! Runs.\n\n{CODE}\n"));
            put(t, "docs/configuration.md", &format!("| variable | default |\n|---|---|\n{rows}"));
        }
    };
    reports(listed("| POLL_ALL, LIMIT_PERSON, AWS_PROFILE | no |\n\n| OF_ANOTHER_TABLE |\n"), &[]);
    reports(listed("| POLL_ALL, POLL_ONE | no |\n"), &["configuration.md:3: no source reads `POLL_ONE`"]);
    reports_line("const CODE: &str = \"NOT_FOUND\";", &[]);
}

#[test]
fn commands_in_documents_are_real() {
    let say = |text: &'static str| move |t: &mut Tree| put(t, "docs/more.md", text);
    reports(say("    cargo xtask fly"), &["`cargo xtask fly`: xtask has no `fly`"]);
    reports(say("`cargo xtask bench swim`"), &["benchmark `swim` does not exist"]);
    reports(say("`cargo xtask bench --dist swim --json`"), &["benchmark `swim` does not exist"]);
    reports(say("`cargo xtask bench NAME` and `cargo xtask bench hold --json`"), &[]);
    reports(say("`cargo test -p nobody`"), &["package `nobody` does not exist"]);
    reports(say("    $ X=1 cargo run --bin nothing -- demo"), &["binary `nothing` does not exist"]);
    reports(say("    cargo frobnicate"), &["no command `frobnicate`"]);
    reports(say("cargo is what builds it; `cargo xtask ci` runs all"), &[]);
}

#[test]
fn every_trap_is_answered_by_tests_that_exist() {
    reports(|t| drop(t.files.remove("docs/traps.md")), &["docs/traps.md: is missing"]);
    let change = |from: &'static str, to: &'static str| {
        move |t: &mut Tree| {
            let text = t.files["docs/traps.md"].replacen(from, to, 1);
            put(t, "docs/traps.md", &text);
        }
    };
    let row = "| T-T7 | what | `worker::tests::it_holds` |\n";
    reports(change(row, ""), &["T-T7 has no row"]);
    reports(
        change(row, "| T-T7 | what | `worker::tests::it_fell_over` |\n"),
        &["T-T7: there is no test `it_fell_over`"],
    );
    reports(change(row, "| T-T7 | what | |\n"), &["T-T7 names no test"]);
    reports(change(row, "| T-T7 | what | with a later issue |\n"), &[]);
    // An id without its prefix is an invariant.
    reports(change(row, "| T7 | what | `worker::tests::it_holds` |\n"), &["T-T7 has no row"]);
    reports(
        change(row, "| **T-T7** | what | `it_holds`, `crates/x.rs`, `sim` |\n"),
        &["`crates/x.rs` is not there"],
    );
    // A test that only a comment names does not count.
    reports(change(row, "| T-T7 | what | `spoken_of` |\n"), &["`spoken_of`"]);
}
