//! The fuzz target's body on committed inputs, and on some thousands that a hash makes up.

mod support;

use std::path::Path;

use support::c_abi::run;

#[test]
fn committed_inputs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/regressions/c_abi");
    let files = std::fs::read_dir(&folder).expect("there is a folder of inputs");
    let mut count = 0;
    for file in files {
        let path = file.expect("the folder can be read").path();
        // Shown only if the test fails.
        println!("{}", path.display());
        run(&std::fs::read(&path).expect("the file can be read"));
        count += 1;
    }
    assert!(count > 0, "{} is empty", folder.display());
}

/// Inputs of up to 63 bytes from a multiplicative generator, the same in every run.
#[test]
fn inputs_that_a_hash_makes_up() {
    let mut state = 1_u64;
    let mut next = move || {
        state = state.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(1);
        (state >> 56) as u8
    };
    for _ in 0..5000 {
        let len = next() % 64;
        let input: Vec<u8> = (0..len).map(|_| next()).collect();
        println!("{input:?}");
        run(&input);
    }
}
