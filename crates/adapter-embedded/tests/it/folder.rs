//! Folders that cannot be opened, each with an error that says what to do.

use adapter_embedded::engine::FORMAT;
use adapter_embedded::{Engine, EngineOptions, OpenError, QueueOptions};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use testkit::ManualClock;

fn open(folder: &Path) -> Result<Engine, OpenError> {
    Engine::open(folder, EngineOptions::default(), Arc::new(ManualClock::default()))
}

fn refused(folder: &Path) -> OpenError {
    match open(folder) {
        Ok(_) => panic!("the folder should be refused"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_folder_in_use_is_refused_until_its_last_handle_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path()).unwrap();
    let store = engine.store("rows").unwrap();
    let queue = engine.queue("events", QueueOptions::fifo()).unwrap();
    let error = refused(folder.path());
    assert!(matches!(error, OpenError::InUse { .. }), "{error:?}");
    assert!(error.to_string().contains(&folder.path().display().to_string()), "{error}");
    assert!(error.to_string().contains("in use"), "{error}");
    drop(engine);
    assert!(matches!(refused(folder.path()), OpenError::InUse { .. }));
    drop(store);
    assert!(matches!(refused(folder.path()), OpenError::InUse { .. }));
    drop(queue);
    open(folder.path()).unwrap();
}

#[tokio::test]
async fn a_folder_of_a_newer_format_is_refused_and_left_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    let newer = format!("traffic-tacos-data {} ready\n", FORMAT + 1);
    let file = folder.path().join("tacos.format");
    fs::write(&file, &newer).unwrap();
    let error = refused(folder.path());
    assert!(
        matches!(error, OpenError::NewerFormat { found, supported, .. } if found == FORMAT + 1 && supported == FORMAT),
        "{error:?}"
    );
    assert!(error.to_string().contains(&format!("format {}", FORMAT + 1)), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), newer);
}

#[tokio::test]
async fn a_format_file_that_makes_no_sense_is_refused() {
    for text in [
        "",
        "hello",
        "traffic-tacos-data",
        "traffic-tacos-data x ready",
        "traffic-tacos-data 1 maybe",
        "\u{FEFF}1",
    ] {
        let folder = tempfile::tempdir().unwrap();
        drop(open(folder.path()).unwrap());
        fs::write(folder.path().join("tacos.format"), text).unwrap();
        let error = refused(folder.path());
        assert!(matches!(error, OpenError::Corrupt { .. }), "{text:?}: {error:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    fs::write(folder.path().join("tacos.format"), [0xFF, 0xFE, 0x00]).unwrap();
    assert!(matches!(refused(folder.path()), OpenError::Corrupt { .. }));
}

#[tokio::test]
async fn a_folder_whose_parts_are_missing_is_refused_and_not_recreated() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    let (format, kept) = (folder.path().join("tacos.format"), folder.path().join("kept"));
    fs::rename(&format, &kept).unwrap();
    assert!(matches!(refused(folder.path()), OpenError::Corrupt { .. }));
    fs::rename(&kept, &format).unwrap();
    for part in ["stores", "queues"] {
        let (part, elsewhere) = (folder.path().join(part), folder.path().join("elsewhere"));
        assert!(part.is_dir());
        fs::rename(&part, &elsewhere).unwrap();
        assert!(matches!(refused(folder.path()), OpenError::Corrupt { .. }));
        assert!(!part.exists());
        fs::rename(&elsewhere, &part).unwrap();
    }
    open(folder.path()).unwrap();
}

#[tokio::test]
async fn an_interrupted_creation_is_started_again() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tacos.format"), format!("traffic-tacos-data {FORMAT} creating\n")).unwrap();
    // What a process killed early leaves: a journal without the tree's own marker.
    fs::create_dir_all(folder.path().join("stores/keyspaces")).unwrap();
    fs::write(folder.path().join("stores/0.jnl"), vec![0; 4_096]).unwrap();
    let engine = open(folder.path()).unwrap();
    engine.store("rows").unwrap();
    drop(engine);
    open(folder.path()).unwrap();
}

#[tokio::test]
async fn a_path_that_is_a_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "x").unwrap();
    let error = refused(&path);
    assert!(matches!(error, OpenError::Io { .. }), "{error:?}");
    assert!(error.to_string().contains("file"), "{error}");
}

#[tokio::test]
async fn a_queue_keeps_its_kind_and_a_dead_letter_queue_is_of_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path()).unwrap();
    drop(engine.queue("events", QueueOptions::fifo()).unwrap());
    drop(engine);
    let engine = open(folder.path()).unwrap();
    let other = engine.queue("events", QueueOptions::standard());
    assert!(matches!(other, Err(OpenError::Mismatch { .. })));
    let dead = engine.queue("dead", QueueOptions::standard()).unwrap();
    let mixed = engine.queue("mixed", QueueOptions::fifo().with_redrive(dead, 3));
    assert!(matches!(mixed, Err(OpenError::Mismatch { .. })));
    assert!(matches!(engine.store(""), Err(OpenError::Mismatch { .. })));
    engine.queue("events", QueueOptions::fifo()).unwrap();
}
