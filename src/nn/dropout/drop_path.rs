//! Stochastic depth: residual branches that some samples go without.

use crate::autograd::Var;
use crate::dropout::{Dropout, Form, check_probability};
use crate::error::{Error, Result};
use crate::mask::UnitMask;
use crate::nn::layer::Layer;
use crate::nn::pass::Pass;

/// How a residual block drops its branch (Huang et al. 2016, "Deep Networks with Stochastic Depth",
/// <https://arxiv.org/abs/1603.09382>): with probability `p` a sample's output is its input. A sample that drops the
/// branch does no work in it, forward or backward: the others are gathered into a narrower batch.
///
/// Element i of [`Mask::draw`](crate::Mask::draw) with the layer's own key decides for sample i. With
/// [`of_batch`](DropPath::of_batch) one decision holds for the whole batch, as in the paper.
///
/// | form | training, kept | evaluation |
/// |---|---|---|
/// | inverted, as timm has it | x + branch(x) / (1 - p) | x + branch(x), bit for bit as without |
/// | original, the paper's | x + branch(x) | x + (1 - p) branch(x) |
///
/// What the branch makes of a sample must not depend on the other samples if the result is to be that of masking
/// its whole output. Normalisation by the batch's statistics sees the kept samples alone and may be left with one, which
/// has no variance: use `of_batch` there. Dropout within the branch counts the elements of the narrower batch.
///
/// A branch that no sample keeps gives its parameters no gradient, and the optimiser leaves them as they are for that step.
///
/// It is part of [`Residual`](crate::nn::Residual); [`run`](DropPath::run) is for blocks of your own.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DropPath {
    p: f64,
    form: Form,
    of_batch: bool,
}

impl DropPath {
    /// The branch is dropped with probability `p`, each sample by itself, in the inverted form.
    ///
    /// # Errors
    /// [`Error::Probability`] if `p` is none.
    pub fn new(p: f64) -> Result<Self> {
        let p = check_probability(p)?;
        Ok(Self {
            p,
            ..Self::default()
        })
    }

    /// The same in another form.
    #[must_use]
    pub fn form(self, form: Form) -> Self {
        Self { form, ..self }
    }

    /// The same with one decision for all samples of a batch.
    #[must_use]
    pub fn of_batch(self) -> Self {
        Self {
            of_batch: true,
            ..self
        }
    }

    /// The drop probability.
    #[must_use]
    pub fn p(&self) -> f64 {
        self.p
    }

    /// Sets the drop probability.
    ///
    /// # Errors
    /// [`Error::Probability`] if `p` is none.
    pub fn set_p(&mut self, p: f64) -> Result<()> {
        self.p = check_probability(p)?;
        Ok(())
    }

    /// `x + branch(x)` for the samples that keep the branch, `x` for the others; `x` is `[samples, ..]`. Nothing is run if
    /// nothing is kept.
    ///
    /// ```
    /// use elision::autograd::Tape;
    /// use elision::nn::{DropPath, Pass};
    /// use elision::{Key, Tensor};
    /// let x = Tape::new().constant(Tensor::full(&[100, 2], 1.0)?);
    /// let y = DropPath::new(0.5)?.run(&x, &Pass::train(Key::new(1), 0), |kept| {
    ///     assert!((30..70).contains(&kept.shape()[0]));
    ///     kept.scale(2.0)
    /// })?;
    /// assert!(y.view().iter().all(|y| y == 1.0 || y == 5.0));
    /// # Ok::<(), elision::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of `branch`, [`Error::Shape`] if its output has not its input's shape, [`Error::Rank`] if `x` has no axis,
    /// [`Error::Overflow`] if its samples cannot be numbered by 32 bits.
    pub fn run(
        &self,
        x: &Var,
        pass: &Pass,
        branch: impl FnOnce(&Var) -> Result<Var>,
    ) -> Result<Var> {
        let Some(dropout) = pass.dropout(self.p)? else {
            let dropout = Dropout::new(pass.key(), self.p)?.with_form(self.form);
            return x.add(&same_shape(x, branch)?.dropout_inference(&dropout)?);
        };
        let dropout = dropout.with_form(self.form);
        if self.of_batch {
            return match UnitMask::draw(&dropout, 1)?.kept() {
                [] => Ok(x.clone()),
                _ => x.add(&same_shape(x, branch)?.scale(dropout.scale())?),
            };
        }
        let &[samples, ..] = x.shape() else {
            return Err(Error::Rank {
                what: "input of a residual block",
                expected: 1,
                found: 0,
            });
        };
        let kept = UnitMask::draw(&dropout, samples)?;
        if kept.kept().is_empty() {
            return Ok(x.clone());
        }
        let y = same_shape(&x.rows(kept.kept())?, branch)?;
        x.add_rows(kept.kept(), &y, dropout.scale())
    }
}

/// What the branch makes of `x`.
fn same_shape(x: &Var, branch: impl FnOnce(&Var) -> Result<Var>) -> Result<Var> {
    let y = branch(x)?;
    if y.shape() == x.shape() {
        return Ok(y);
    }
    Err(Error::Shape {
        what: "output of a residual branch",
        expected: x.shape().into(),
        found: y.shape().into(),
    })
}

/// How the drop probability of residual blocks grows with their depth, up to that of the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DepthRule {
    /// `l / L * p` for block l of L, from 1: the paper's linear decay, in which the first block drops too.
    #[default]
    Paper,
    /// L numbers from 0 to p, equally far apart, as timm has it: the first block never drops.
    Timm,
}

/// The drop probabilities of `blocks` residual blocks, the first block's first, if the last one's is `p_last`. The paper
/// takes 0.5 for the last of 54.
///
/// ```
/// use elision::nn::{DepthRule, depth_rates};
/// assert_eq!(depth_rates(0.5, 2, DepthRule::Paper)?, [0.25, 0.5]);
/// assert_eq!(depth_rates(0.5, 3, DepthRule::Timm)?, [0.0, 0.25, 0.5]);
/// // The paper's expected depth of 54 blocks: the sum of what is kept.
/// let depth: f64 = depth_rates(0.5, 54, DepthRule::Paper)?.iter().map(|p| 1.0 - p).sum();
/// assert!((depth - 40.25).abs() < 1e-9);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Probability`] if `p_last` is none, [`Error::Overflow`] if there is no memory for so many.
pub fn depth_rates(p_last: f64, blocks: usize, rule: DepthRule) -> Result<Vec<f64>> {
    let p = check_probability(p_last)?;
    let mut rates = Vec::new();
    rates
        .try_reserve_exact(blocks)
        .map_err(|_| Error::Overflow("blocks of stochastic depth"))?;
    let rate = |block: usize| match (rule, blocks) {
        (DepthRule::Paper, _) => p * (block + 1) as f64 / blocks as f64,
        (DepthRule::Timm, 1) => 0.0,
        (DepthRule::Timm, _) => p * block as f64 / (blocks - 1) as f64,
    };
    rates.extend((0..blocks).map(rate));
    Ok(rates)
}

/// Sets [`depth_rates`] on the residual blocks within a model, in the order in which
/// [`for_each_layer_mut`](Layer::for_each_layer_mut) meets them, and returns how many there are.
///
/// ```
/// use elision::nn::{DepthRule, Layer, Linear, Residual, Sequential, set_depth_rates};
/// use elision::Key;
/// let block = |name| Linear::new(4, 4, Key::new(1).named(name)).map(Residual::new);
/// let mut model = Sequential::new().with("first", block("first")?)?.with("second", block("second")?)?;
/// assert_eq!(set_depth_rates(&mut model, 0.5, DepthRule::Paper)?, 2);
/// let rates: Vec<_> = model.children().iter().map(|(_, block)| block.rate()).collect();
/// assert_eq!(rates, [Some(0.25), Some(0.5)]);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// Those of [`depth_rates`]; the model is then unchanged.
pub fn set_depth_rates(model: &mut dyn Layer, p_last: f64, rule: DepthRule) -> Result<usize> {
    let mut blocks = 0;
    model.for_each_layer_mut(&mut |_, layer| {
        blocks += usize::from(layer.drop_path_mut().is_some());
        Ok(())
    })?;
    let mut rates = depth_rates(p_last, blocks, rule)?.into_iter();
    model.for_each_layer_mut(&mut |_, layer| match layer.drop_path_mut() {
        Some(block) => rates.next().map_or(Ok(()), |rate| block.set_p(rate)),
        None => Ok(()),
    })?;
    Ok(blocks)
}
