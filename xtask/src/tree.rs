//! The project as the checks see it: its files as text, and its packages from cargo.
//!
//! The checks read nothing else, so their tests can pass a tree that breaks a rule on purpose.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// The input of every check.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tree {
    /// Text files by their path from the root, with `/`.
    pub(crate) files: BTreeMap<String, String>,
    /// The workspace's packages by name.
    pub(crate) packages: BTreeMap<String, Package>,
    /// The names of the chores of `cargo xtask`.
    pub(crate) chores: Vec<String>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Package {
    /// Its folder from the root.
    pub(crate) folder: String,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) binaries: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    Dev,
    Build,
}

impl Tree {
    /// Reads the workspace: the files that git tracks or would track, and `cargo metadata`.
    pub(crate) fn load(root: &Path, chores: &[String]) -> Result<Self> {
        Ok(Self { files: files(root)?, packages: packages(root)?, chores: chores.to_vec() })
    }

    /// Rust sources, with their paths.
    pub(crate) fn sources(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter(|(path, _)| path.ends_with(".rs")).map(|(path, text)| (&**path, &**text))
    }

    /// Whether a file or a folder of this path is part of the project.
    pub(crate) fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let folder = format!("{path}/");
        self.files.contains_key(path) || self.files.keys().any(|file| file.starts_with(&folder))
    }
}

/// The package that a file belongs to, by its folder: `crates/worker/src/lib.rs` → `worker`.
pub(crate) fn package_of(path: &str) -> &str {
    match path.strip_prefix("crates/").and_then(|rest| rest.split_once('/')) {
        Some((package, _)) => package,
        None => path.split('/').next().unwrap_or_default(),
    }
}

fn files(root: &Path) -> Result<BTreeMap<String, String>> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .context("git lists the files; is it installed?")?;
    ensure!(listed.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listed.stderr));
    let mut files = BTreeMap::new();
    for path in String::from_utf8(listed.stdout)?.split_terminator('\0') {
        // Git still lists a deleted file until the commit. Files that are not text are skipped.
        match std::fs::read(root.join(path)).map(String::from_utf8) {
            Ok(Ok(text)) => files.insert(path.to_owned(), text),
            Ok(Err(_)) => None,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("cannot read {path}")),
        };
    }
    Ok(files)
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<MetadataPackage>,
}

#[derive(Deserialize)]
struct MetadataPackage {
    name: String,
    manifest_path: String,
    dependencies: Vec<MetadataDependency>,
    targets: Vec<MetadataTarget>,
}

#[derive(Deserialize)]
struct MetadataDependency {
    name: String,
    kind: Option<String>,
}

#[derive(Deserialize)]
struct MetadataTarget {
    name: String,
    kind: Vec<String>,
}

fn packages(root: &Path) -> Result<BTreeMap<String, Package>> {
    let output = crate::run::cargo(root, &["metadata", "--format-version", "1", "--no-deps"])
        .output()
        .context("cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
    Ok(metadata
        .packages
        .into_iter()
        .map(|package| (package.name.clone(), package.into_package(root)))
        .collect())
}

impl MetadataPackage {
    fn into_package(self, root: &Path) -> Package {
        let manifest = Path::new(&self.manifest_path);
        let folder = manifest.strip_prefix(root).unwrap_or(manifest).parent().unwrap_or(Path::new(""));
        let kind = |kind: &Option<String>| match kind.as_deref() {
            Some("dev") => Kind::Dev,
            Some("build") => Kind::Build,
            _ => Kind::Normal,
        };
        Package {
            folder: folder.to_string_lossy().into_owned(),
            dependencies: self
                .dependencies
                .into_iter()
                .map(|dependency| Dependency { kind: kind(&dependency.kind), name: dependency.name })
                .collect(),
            binaries: self
                .targets
                .into_iter()
                .filter(|target| target.kind.iter().any(|kind| kind == "bin"))
                .map(|target| target.name)
                .collect(),
        }
    }
}
