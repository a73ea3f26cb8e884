//! Trains a network on two interleaved spirals, which no straight line separates.
//!
//! Run with `cargo run --release --example train`.

use elision::train::{LayerConfig, Mlp, MlpConfig, Optimizer, Trainer, gather_rows, shuffled};
use elision::{Activation, Key, Tensor};

const POINTS: usize = 400;

/// Points of two spirals in turn, and which spiral each is of.
fn spirals() -> elision::Result<(Tensor, Vec<u32>)> {
    let mut points = Vec::with_capacity(2 * POINTS);
    for i in 0..POINTS {
        let turn = 3.0 * (i / 2) as f32 / (POINTS / 2) as f32;
        let angle = std::f32::consts::PI * (turn + (i % 2) as f32);
        let radius = 0.1 + turn / 3.0;
        points.extend([radius * angle.cos(), radius * angle.sin()]);
    }
    let labels = (0..POINTS as u32).map(|i| i % 2).collect();
    Ok((Tensor::from_vec(points, &[POINTS, 2])?, labels))
}

fn main() -> elision::Result<()> {
    let run = Key::new(1);
    let (x, labels) = spirals()?;
    let hidden = LayerConfig {
        units: 128,
        activation: Activation::Relu,
        p: 0.1,
    };
    let output = LayerConfig {
        units: 2,
        activation: Activation::Identity,
        p: 0.0,
    };
    let config = MlpConfig {
        inputs: 2,
        input_p: 0.0,
        layers: vec![hidden, hidden, output],
    };
    let mlp = Mlp::new(&config, run.fold_in(0))?;
    println!("{} parameters", mlp.parameters());

    let mut trainer = Trainer::new(mlp, Optimizer::adam(3e-3)?, run.fold_in(1))?;
    for epoch in 0..=200 {
        for rows in shuffled(run.fold_in(2).fold_in(epoch), POINTS).chunks(50) {
            let batch: Vec<u32> = rows.iter().map(|&row| labels[row]).collect();
            trainer.step(&gather_rows(&x, rows)?, &batch)?;
        }
        if epoch % 50 == 0 {
            let all = trainer.evaluate(&x, &labels)?;
            println!(
                "epoch {epoch:3}: loss {:.4}, {} of {} right",
                all.loss, all.correct, all.rows
            );
        }
    }
    Ok(())
}
