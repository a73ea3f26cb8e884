//! Dropout of memory that a program owns: any strides, in place, in parts, and backward without a mask.
//!
//! Run with `cargo run --release --example plain_slices`.

use elision::{Dropout, Key, Mask, View, ViewMut, ops};

fn main() -> elision::Result<()> {
    // A seed for the run; fold in whatever names this use of randomness, here layer 3 of step 100.
    let key = Key::new(42).fold_in(3).fold_in(100);
    let dropout = Dropout::new(key, 0.25)?;

    // Columns 2..6 of a matrix with 8 columns: strides are in elements.
    let matrix: Vec<f32> = (0..5 * 8).map(|i| i as f32).collect();
    let columns = View::new(&matrix[2..], &[5, 4], &[8, 1])?;
    let (y, mask) = ops::dropout(columns, &dropout)?;
    println!("{mask:?}");
    println!(
        "first row {:?}, scaled by {}",
        &y.as_slice()[..4],
        dropout.scale()
    );

    // In place, without keeping a mask: the backward pass draws the bits again from the key.
    let mut activations = vec![1.0_f32; 20];
    ops::dropout_in_place(
        ViewMut::contiguous(&mut activations, &[20])?,
        &dropout,
        None,
    )?;
    let gradient = View::contiguous(&[1.0; 20], &[20])?.to_tensor()?;
    let back = ops::dropout_backward(&gradient, &dropout, None)?;
    assert_eq!(back.as_slice(), activations);

    // Two processes, each with half of a tensor, draw the bits of the whole.
    let whole = Mask::draw(&dropout, 1000)?;
    let right = Mask::draw(&dropout.with_offset(500), 500)?;
    assert_eq!(whole.slice(500..1000)?, right);
    println!("{} of {} kept", whole.count_kept(), whole.len());
    Ok(())
}
