//! The fuzz targets' bodies on committed inputs, and on a few thousand that a hash makes up.

#[path = "support/fuzz/mod.rs"]
mod fuzz;

use std::path::Path;

/// Runs `body` on every file of the target's folder, and says which one failed.
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
        body(&input);
        count += 1;
    }
    assert!(count > 0, "{} is empty", folder.display());
    made_up(body);
}

/// Inputs of up to 63 bytes from a multiplicative generator, the same in every run.
fn made_up(body: fn(&[u8])) {
    let mut state = 1u64;
    let mut next = move || {
        state = state.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(1);
        (state >> 56) as u8
    };
    for _ in 0..500 {
        let len = next() % 64;
        let input: Vec<u8> = (0..len).map(|_| next()).collect();
        println!("{input:?}");
        body(&input);
    }
}

#[test]
fn mask_slice() {
    replay("mask_slice", fuzz::mask_slice::run);
}

#[test]
fn tensor_views() {
    replay("tensor_views", fuzz::tensor_views::run);
}

#[test]
fn gemm_shapes() {
    replay("gemm_shapes", fuzz::gemm_shapes::run);
}

#[test]
fn structured() {
    replay("structured", fuzz::structured::run);
}

#[test]
fn shared_masks() {
    replay("shared_masks", fuzz::shared_masks::run);
}

#[test]
fn checkpoint_reader() {
    replay("checkpoint_reader", fuzz::checkpoint::run);
}
