//! Trains a network on two interleaved spirals, which no straight line separates.
//!
//! Run with `cargo run --release --example train`.

use elision::nn::{Layer, Linear, Sequential};
use elision::train::{
    Callback, Control, Epoch, Fit, Loss, Optimizer, OptimizerConfig, Rule, Samples, Targets,
    Trainer, TrainerState, evaluate,
};
use elision::{Activation, Key, Result, Tensor};

const POINTS: usize = 400;

/// Points of two spirals in turn, and which spiral each is of.
fn spirals() -> Result<Samples> {
    let mut points = Vec::with_capacity(2 * POINTS);
    for i in 0..POINTS {
        let turn = 3.0 * (i / 2) as f32 / (POINTS / 2) as f32;
        let angle = std::f32::consts::PI * (turn + (i % 2) as f32);
        let radius = 0.1 + turn / 3.0;
        points.extend([radius * angle.cos(), radius * angle.sin()]);
    }
    let labels = (0..POINTS as u32).map(|i| i % 2).collect();
    let points = Tensor::from_vec(points, &[POINTS, 2])?;
    Samples::new(points, Targets::Labels(labels))
}

const LOSS: Loss = Loss::CrossEntropy { smoothing: 0.0 };

/// Prints how well the model does on all points, from time to time.
struct Report<'a>(&'a Samples);

impl Callback for Report<'_> {
    fn epoch(&mut self, epoch: &Epoch, trainer: &dyn TrainerState) -> Result<Control> {
        if epoch.epoch.is_multiple_of(50) {
            let all = evaluate(trainer.model(), &LOSS, self.0)?;
            let (number, right) = (epoch.epoch, all.correct);
            println!(
                "epoch {number:3}: loss {:.4}, {right} of {} right",
                all.loss, all.rows
            );
        }
        Ok(Control::Continue)
    }
}

fn main() -> Result<()> {
    let run = Key::new(1);
    let hidden = |name: &str, inputs| {
        let layer = Linear::new(inputs, 128, run.named(name))?;
        layer.activation(Activation::Relu).dropout(0.1)
    };
    let model = Sequential::new()
        .with("first", hidden("first", 2)?)?
        .with("second", hidden("second", 128)?)?
        .with("output", Linear::new(128, 2, run.named("output"))?)?;
    println!("{} parameters", model.parameter_count());

    let points = spirals()?;
    let optimizer = Optimizer::new(OptimizerConfig::new(Rule::adam(), 3e-3))?;
    let mut trainer = Trainer::new(model, optimizer, LOSS, run);
    trainer.fit(&points, None, &Fit::new(200, 50), &mut Report(&points))?;
    Ok(())
}
