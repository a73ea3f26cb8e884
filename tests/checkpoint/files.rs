//! Files of checkpoints.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use elision::train::Checkpoint;
use elision::{Error, Tensor};

use super::bytes::{bits, sample};

/// The file that a child process saves to until it is killed.
const SAVER: &str = "ELISION_TEST_SAVER";
/// What a child may take to begin a save.
const PATIENCE: Duration = Duration::from_secs(60);

/// An empty folder for one test.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("checkpoint-{test}"));
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("what an earlier run left can be removed");
    }
    fs::create_dir_all(&folder).expect("a folder can be made");
    folder
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder can be listed");
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let mut names: Vec<String> = entries
        .map(|entry| name(entry.expect("the entry can be read")))
        .collect();
    names.sort();
    names
}

/// A line past libtest's capture.
fn say(line: &str) {
    // A terminal that is gone is no reason to fail a test.
    std::io::stderr()
        .write_all(format!("{line}\n").as_bytes())
        .unwrap_or(());
}

fn kind(result: Result<(), Error>, path: &Path) -> ErrorKind {
    match result {
        Err(Error::Io { path: at, kind, .. }) if at == path => kind,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_comes_back_and_is_replaced() {
    let folder = folder("replace");
    let path = folder.join("a.safetensors");
    for checkpoint in [Checkpoint::default(), sample(), Checkpoint::default()] {
        checkpoint.save(&path).expect("the folder is there");
        let read = Checkpoint::load(&path).expect("the file is there");
        assert_eq!(bits(&read), bits(&checkpoint));
        assert_eq!(read.metadata, checkpoint.metadata);
        assert_eq!(names(&folder), ["a.safetensors"]);
    }
}

#[test]
fn what_a_killed_save_left_is_replaced() {
    let folder = folder("left");
    let path = folder.join("a");
    fs::write(folder.join("a.tmp"), [7; 1 << 16]).expect("a file can be written");
    sample().save(&path).expect("the folder is there");
    assert_eq!(names(&folder), ["a"]);
    let read = Checkpoint::load(&path).expect("the file is there");
    assert_eq!(bits(&read), bits(&sample()));
}

#[test]
fn a_failed_save_leaves_what_was_there() {
    let folder = folder("fail");
    let path = folder.join("a");
    sample().save(&path).expect("the folder is there");
    // A folder cannot be replaced by a file, neither the target nor the temporary one.
    let taken = folder.join("b");
    fs::create_dir_all(taken.join("inner")).expect("a folder can be made");
    kind(Checkpoint::default().save(&taken), &taken);
    fs::create_dir_all(folder.join("a.tmp/inner")).expect("a folder can be made");
    kind(Checkpoint::default().save(&path), &path);
    assert_eq!(names(&folder), ["a", "a.tmp", "b"]);
    let read = Checkpoint::load(&path).expect("the file is there");
    assert_eq!(bits(&read), bits(&sample()));
    let unwritable = Checkpoint {
        tensors: [("__metadata__".to_owned(), Tensor::default())].into(),
        ..Checkpoint::default()
    };
    let other = folder.join("c");
    assert!(unwritable.save(&other).is_err() && !other.exists());
}

#[test]
fn paths_that_lead_nowhere_are_errors() {
    let folder = folder("nowhere");
    let absent = folder.join("absent/a");
    assert_eq!(kind(sample().save(&absent), &absent), ErrorKind::NotFound);
    let read = Checkpoint::load(&absent).map(|_| ());
    assert_eq!(kind(read, &absent), ErrorKind::NotFound);
    for nameless in ["", "/", ".."] {
        let path = Path::new(nameless);
        assert_eq!(kind(sample().save(path), path), ErrorKind::InvalidInput);
    }
    assert!(names(&folder).is_empty());
    fs::write(folder.join("short"), b"1234").expect("a file can be written");
    assert!(matches!(
        Checkpoint::load(&folder.join("short")),
        Err(Error::Checkpoint(_))
    ));
}

/// Two checkpoints of four megabytes, and of different lengths.
fn pair() -> [Checkpoint; 2] {
    [1.0, 2.0].map(|x: f32| {
        let rows = 1000 + x as usize;
        let tensor = Tensor::full(&[rows, 1000], x).expect("there is memory");
        let metadata = [("value".to_owned(), x.to_string())];
        Checkpoint {
            tensors: [("x".to_owned(), tensor)].into(),
            metadata: metadata.into(),
        }
    })
}

/// This program again, saving to `path` until it is killed.
fn saver(path: &Path) -> Child {
    let program = std::env::current_exe().expect("this program has a path");
    Command::new(program)
        .args(["--exact", "files::a_killed_save_leaves_a_whole_file"])
        .env(SAVER, path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("this program can be run again")
}

/// Saves for far longer than the parent waits; an end there must be, in case the parent has failed.
fn save_until_killed(path: &Path) {
    let (pair, start) = (pair(), Instant::now());
    while start.elapsed() < 2 * PATIENCE {
        for checkpoint in &pair {
            checkpoint.save(path).expect("nothing hinders a save");
        }
    }
}

/// Waits for a file, if the child is soon to write it.
fn wait_for(path: &Path) {
    let start = Instant::now();
    while !path.exists() {
        assert!(start.elapsed() < PATIENCE, "no save began");
        std::hint::spin_loop();
    }
}

#[test]
fn a_killed_save_leaves_a_whole_file() {
    if let Some(path) = std::env::var_os(SAVER) {
        return save_until_killed(Path::new(&path));
    }
    const KILLS: u64 = 16;
    let folder = folder("kill");
    let (path, temporary) = (folder.join("a"), folder.join("a.tmp"));
    let pair = pair();
    pair[0].save(&path).expect("the folder is there");
    let mut cut = 0;
    for round in 0..KILLS {
        let mut child = saver(&path);
        // Any moment of the first saves, or one soon after a temporary file has appeared.
        wait_for(&temporary);
        sleep(Duration::from_micros(round * round * 211 % 40_000));
        if round % 2 == 1 {
            wait_for(&temporary);
        }
        child.kill().expect("the child can be killed");
        child.wait().expect("the child has ended");
        let read = Checkpoint::load(&path).expect("the file is whole");
        assert!(pair.contains(&read), "round {round}: a mixture");
        if temporary.exists() {
            cut += 1;
            // So that the next round sees a new one.
            fs::remove_file(&temporary).expect("the file can be removed");
        }
        assert_eq!(names(&folder), ["a"]);
    }
    say(&format!("{cut} of {KILLS} kills cut a save short"));
    pair[1].save(&path).expect("the folder is there");
    assert_eq!(names(&folder), ["a"]);
    fs::remove_dir_all(&folder).expect("the folder can be removed");
}

/// Reads a file in Python and writes what it has read to another.
const COPY: &str = "
import sys
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
with safe_open(sys.argv[1], 'np') as file:
    metadata = file.metadata()
save_file(load_file(sys.argv[1]), sys.argv[2], metadata)
";

#[test]
fn python_reads_and_writes_the_same() {
    let modules = Command::new("python3")
        .args(["-c", "import safetensors.numpy"])
        .stderr(Stdio::null())
        .status();
    if !modules.is_ok_and(|status| status.success()) {
        say("checkpoints in Python: 0 files compared, ABSENT: python3 with safetensors and numpy");
        return;
    }
    let folder = folder("python");
    let (ours, theirs) = (folder.join("ours"), folder.join("theirs"));
    sample().save(&ours).expect("the folder is there");
    let copied = Command::new("python3")
        .args(["-c", COPY])
        .args([&ours, &theirs])
        .status();
    assert!(copied.expect("Python was there").success());
    let read = Checkpoint::load(&theirs).expect("the file is there");
    assert_eq!(bits(&read), bits(&sample()));
    assert_eq!(read.metadata, sample().metadata);
    say("checkpoints in Python: 1 file compared");
}
