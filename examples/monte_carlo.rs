//! Uncertainty by Monte-Carlo dropout (Gal and Ghahramani 2016): many passes with dropout left on, each with
//! a key of its own, and the spread of their outputs.
//!
//! Run with `cargo run --release --example monte_carlo`.

use elision::{Activation, Dropout, Epilogue, Key, Tensor, ops};

const PASSES: u64 = 1000;

fn main() -> elision::Result<()> {
    let (x, w1) = (
        Tensor::full(&[1, 64], 0.5)?,
        Tensor::full(&[256, 64], 0.02)?,
    );
    let w2 = Tensor::full(&[1, 256], 0.05)?;
    let key = Key::new(7);
    let mut outputs = Vec::new();
    for pass in 0..PASSES {
        let dropout = Some(Dropout::new(key.fold_in(pass), 0.5)?);
        let hidden = Epilogue {
            activation: Activation::Relu,
            dropout,
            ..Epilogue::default()
        };
        let (h, _) = ops::linear(&x, &w1, &hidden)?;
        let (y, _) = ops::linear(&h, &w2, &Epilogue::default())?;
        outputs.push(f64::from(y.as_slice()[0]));
    }
    let n = PASSES as f64;
    let mean = outputs.iter().sum::<f64>() / n;
    let variance = outputs.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / (n - 1.0);

    // All 256 hidden units are equal here, so the exact moments are known.
    let unit = 64.0 * 0.5 * 0.02 * 0.05;
    println!("mean {mean:.4} (exactly {:.4})", 256.0 * unit);
    println!(
        "standard deviation {:.4} (exactly {:.4})",
        variance.sqrt(),
        16.0 * unit
    );
    Ok(())
}
