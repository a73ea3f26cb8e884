//! The bodies of the readers' fuzz targets on committed inputs.

#[path = "support/fuzz/mod.rs"]
mod fuzz;

use std::path::Path;

/// Runs `body` on every file of the target's folder, and on every beginning of each.
fn replay(target: &str, body: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/regressions")
        .join(target);
    let files = std::fs::read_dir(&folder).expect("every target has a folder of inputs");
    let mut count = 0;
    for file in files {
        let path = file.expect("the folder can be read").path();
        let input = std::fs::read(&path).expect("the file can be read");
        // Shown only if the test fails.
        println!("{}", path.display());
        (0..=input.len()).for_each(|end| body(&input[..end]));
        count += 1;
    }
    assert!(count > 0, "{} is empty", folder.display());
}

#[test]
fn idx_reader() {
    replay("idx_reader", fuzz::idx_reader::run);
}

#[test]
fn csv_reader() {
    replay("csv_reader", fuzz::csv_reader::run);
}

#[test]
fn npy_reader() {
    replay("npy_reader", fuzz::npy_reader::run);
}

#[test]
fn config_reader() {
    replay("config_reader", fuzz::config_reader::run);
}
