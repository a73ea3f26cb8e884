//! What structured masks, recomputed bits and packed weights save, against the layer without them.

use elision::ops::{
    self, LinearGradsInto, LinearInput, PackedWeights, Residuals, Saved, UnitSaved,
};
use elision::{Activation, BlockMask, Dropout, Epilogue, Key, Tensor, UnitEpilogue, UnitMask};

use super::linear::noise;
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

/// One layer's operands and gradients.
struct Layer {
    x: Tensor,
    w: Tensor,
    bias: Tensor,
    g: Tensor,
    y: Tensor,
    dx: Tensor,
    dw: Tensor,
    dbias: Tensor,
    steps: u64,
}

impl Layer {
    fn new([m, k, n]: [usize; 3]) -> elision::Result<Self> {
        Ok(Self {
            x: noise(&[m, k], 1)?,
            w: noise(&[n, k], 2)?,
            bias: noise(&[n], 3)?,
            g: noise(&[m, n], 4)?,
            y: Tensor::zeros(&[m, n])?,
            dx: Tensor::zeros(&[m, k])?,
            dw: Tensor::zeros(&[n, k])?,
            dbias: Tensor::zeros(&[n])?,
            steps: 0,
        })
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
        let epilogue = Epilogue {
            bias: Some(self.bias.view()),
            activation: Activation::Relu,
            dropout,
        };
        let x = match mask {
            Some(mask) => mask.over(&self.x)?,
            None => LinearInput::from(&self.x),
        };
        ops::linear_into(x, &self.w, &epilogue, &mut self.y, Some(saved))?;
        let grads = LinearGradsInto {
            x: Some(self.dx.view_mut()),
            w: Some(self.dw.view_mut()),
            bias: Some(self.dbias.view_mut()),
        };
        // What is recomputed is read off the output; what is stored needs no output.
        let residuals: Residuals<'_> = saved.with_output(&self.y);
        ops::linear_backward_into(&self.g, x, &self.w, &epilogue, residuals, grads)
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
        let [input, output] = &*masks;
        let epilogue = UnitEpilogue {
            bias: Some(self.bias.view()),
            activation: Activation::Relu,
            input: Some(input),
            output: Some(output),
        };
        ops::unit_linear_into(&self.x, &self.w, &epilogue, &mut self.y, Some(saved))?;
        let grads = LinearGradsInto {
            x: Some(self.dx.view_mut()),
            w: Some(self.dw.view_mut()),
            bias: Some(self.dbias.view_mut()),
        };
        ops::unit_linear_backward_into(&self.g, &self.x, &self.w, &epilogue, saved, grads)
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
    let mut layer = Layer::new([m, k, n]).map_err(Failure::Work)?;
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
