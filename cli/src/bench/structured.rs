//! What structured masks, recomputed bits and packed weights save, against the layer without them.

use elision::ops::{self, LinearInput, PackedWeights, Residuals, Saved, UnitSaved};
use elision::{Activation, BlockMask, Dropout, Epilogue, Key, UnitEpilogue, UnitMask};

use super::operands::Operands;
use super::report::{Line, Report};
use super::timing::pair;
use crate::failure::Failure;

/// Rows, inputs and outputs of the layer.
const SIZES: [usize; 3] = [1024; 3];
const RATE: f64 = 0.5;
/// Rows and columns of a block: two tiles by two on AVX-512.
const BLOCK: [usize; 2] = [84, 64];
/// Batches that weights are packed for.
const BATCHES: [usize; 3] = [1, 16, 64];

/// One layer, and the steps that it has done.
struct Layer {
    operands: Operands,
    steps: u64,
}

impl Layer {
    fn new(shape: [usize; 3]) -> elision::Result<Self> {
        let operands = Operands::new(shape)?;
        Ok(Self { operands, steps: 0 })
    }

    /// This step's dropout.
    fn dropout(&mut self) -> elision::Result<Dropout> {
        self.steps += 1;
        Dropout::new(Key::new(1).fold_in(self.steps), RATE)
    }

    /// Forward and backward; the input is seen through `mask`.
    fn step(
        &mut self,
        mask: Option<&BlockMask>,
        dropout: Option<Dropout>,
        saved: &mut Saved,
    ) -> elision::Result<()> {
        let Operands {
            x,
            w,
            bias,
            g,
            y,
            grads,
        } = &mut self.operands;
        let epilogue = Epilogue {
            bias: Some(bias.view()),
            activation: Activation::Relu,
            dropout,
        };
        let x = match mask {
            Some(mask) => mask.over(&*x)?,
            None => LinearInput::from(&*x),
        };
        ops::linear_into(x, &*w, &epilogue, &mut *y, Some(saved))?;
        // What is recomputed is read off the output; what is stored needs no output.
        let residuals: Residuals<'_> = saved.with_output(&*y);
        ops::linear_backward_into(&*g, x, &*w, &epilogue, residuals, grads.all_mut())
    }

    /// Forward and backward between two masks of units, drawn anew.
    fn unit_step(
        &mut self,
        masks: &mut [UnitMask; 2],
        saved: &mut UnitSaved,
    ) -> elision::Result<()> {
        for mask in masks.iter_mut() {
            mask.redraw(&self.dropout()?)?;
        }
        let Operands {
            x,
            w,
            bias,
            g,
            y,
            grads,
        } = &mut self.operands;
        let [input, output] = &*masks;
        let epilogue = UnitEpilogue {
            bias: Some(bias.view()),
            activation: Activation::Relu,
            input: Some(input),
            output: Some(output),
        };
        ops::unit_linear_into(&*x, &*w, &epilogue, &mut *y, Some(saved))?;
        ops::unit_linear_backward_into(&*g, &*x, &*w, &epilogue, saved, grads.all_mut())
    }
}

/// Measures everything with the ambient threads.
pub(super) fn measure(report: &mut Report) -> Result<(), Failure> {
    steps(report)?;
    BATCHES.iter().try_for_each(|&m| packed(m, report))
}

/// Training steps of the layer, each in turn with the step without dropout; `ratio` is its time over that.
fn steps(report: &mut Report) -> Result<(), Failure> {
    let [m, k, n] = SIZES;
    let layer = || Layer::new(SIZES).map_err(Failure::Work);
    let (mut base, mut base_saved) = (layer()?, Saved::default());
    let mut work = layer()?;
    let mut ratio = |op, step: &mut dyn FnMut(&mut Layer) -> elision::Result<()>| {
        step(&mut work).map_err(Failure::Work)?;
        let timed = pair(
            || step(&mut work).expect("the step ran before"),
            || {
                base.step(None, None, &mut base_saved)
                    .expect("the shapes fit")
            },
        );
        report.line(&Line {
            m: Some(m),
            k: Some(k),
            n: Some(n),
            p: Some(RATE),
            ratio: Some(timed.ratio),
            ..Line::new(op)
        })
    };
    let dropout = Dropout::new(Key::new(1), RATE).map_err(Failure::Work)?;
    let draw = |units| UnitMask::draw(&dropout, units).map_err(Failure::Work);
    let (mut masks, mut unit_saved) = ([draw(k)?, draw(n)?], UnitSaved::default());
    ratio("step between masks of units, over none", &mut |layer| {
        layer.unit_step(&mut masks, &mut unit_saved)
    })?;
    let mut saved = Saved::default();
    ratio("step with a mask of blocks, over none", &mut |layer| {
        let mask = BlockMask::draw(&layer.dropout()?, [m, k], BLOCK)?;
        layer.step(Some(&mask), None, &mut saved)
    })?;
    ratio("step with dropout, bits stored, over none", &mut |layer| {
        let dropout = layer.dropout()?;
        layer.step(None, Some(dropout), &mut saved)
    })?;
    let mut saved = Saved::recomputing();
    ratio(
        "step with dropout, bits recomputed, over none",
        &mut |layer| {
            let dropout = layer.dropout()?;
            layer.step(None, Some(dropout), &mut saved)
        },
    )
}

/// A batch of `m` rows with packed weights, in turn with the same without.
fn packed(m: usize, report: &mut Report) -> Result<(), Failure> {
    let [_, k, n] = SIZES;
    let mut layer = Operands::new([m, k, n]).map_err(Failure::Work)?;
    let weights = PackedWeights::new(&layer.w).map_err(Failure::Work)?;
    let plain = Epilogue::default();
    let (x, w, mut other) = (&layer.x, &layer.w, layer.y.clone());
    let timed = pair(
        || ops::linear_packed_into(x, &weights, &plain, &mut layer.y).expect("the shapes fit"),
        || ops::linear_into(x, w, &plain, &mut other, None).expect("the shapes fit"),
    );
    if layer.y != other {
        return Err(Failure::WrongAnswer("packed weights".to_owned()));
    }
    report.line(&Line {
        m: Some(m),
        k: Some(k),
        n: Some(n),
        ratio: Some(timed.ratio),
        ..Line::new("linear with packed weights, over loose")
    })
}
