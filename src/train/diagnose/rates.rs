//! Drop rates as they were drawn.

use crate::autograd::Tape;
use crate::error::Result;
use crate::key::Key;
use crate::nn::{Drawn, Layer, Pass};
use crate::train::Samples;

/// What the dropout of a model decided over some passes, layer by layer and unit by unit; print it.
///
/// Each layer that drops says in an observed pass what it decides ([`Pass::observed`]). Rates are those of decisions
/// asked for and made; where whole units are dropped a pass makes one decision a unit, elsewhere one an element.
///
/// ```
/// use elision::nn::{Linear, Sequential};
/// use elision::train::diagnose::RealisedRates;
/// use elision::train::{Samples, Targets};
/// use elision::{Key, Tensor};
/// let samples = Samples::new(Tensor::zeros(&[64, 3])?, Targets::Labels(vec![0; 64]))?;
/// let model = Sequential::new().with("hidden", Linear::new(3, 10, Key::new(1))?.dropout(0.5)?)?;
/// let batches = vec![(0..64).collect(); 20];
/// let rates = RealisedRates::of(&model, &samples, &batches, Key::new(2))?;
/// let hidden = &rates.layers()[0];
/// assert_eq!((hidden.units(), hidden.decisions()), (10, 20 * 64 * 10));
/// assert!((hidden.realised() - 0.5).abs() < 5.0 * hidden.standard_error());
/// assert_eq!(rates.capacity().expected, 5.0);
/// println!("{rates}");
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RealisedRates {
    layers: Vec<LayerRate>,
    passes: u64,
}

/// The decisions of one layer's dropout.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerRate {
    path: String,
    decisions: u64,
    /// The number of dropped ones that the rates lead to expect, and its variance.
    expected: f64,
    variance: f64,
    /// How often each unit was kept.
    hits: Vec<u64>,
}

/// How much of a model takes part: units are those of all layers that drop, and a layer of n units at rate p keeps
/// `(1 - p) n` of them. Srivastava et al. 2014 compare networks of one such product with each other, as we recall it;
/// that it is added up over the layers is ours. The units are the last axis of what is dropped: features, or channels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Capacity {
    /// Units of all layers that drop.
    pub units: usize,
    /// The number of them that a pass is expected to keep of a sample.
    pub expected: f64,
    /// The same at the realised rates.
    pub realised: f64,
}

impl Capacity {
    /// The expected share of units that are kept: 1 where nothing is dropped.
    #[must_use]
    pub fn share(&self) -> f64 {
        match self.units {
            0 => 1.0,
            units => self.expected / units as f64,
        }
    }
}

impl RealisedRates {
    /// What a model's dropout decides for some batches, each a list of rows of the samples: in step i of a run with
    /// that key for batch i. The gradient is not computed, and the model stays as it is.
    ///
    /// # Errors
    /// Those of the samples and the model.
    pub fn of(
        model: &dyn Layer,
        samples: &Samples,
        batches: &[Vec<usize>],
        key: Key,
    ) -> Result<Self> {
        let (tape, mut rates) = (Tape::new(), Self::default());
        for (step, rows) in (0..).zip(batches) {
            let pass = Pass::train(key, step).observed();
            let (x, _) = samples.on(&tape, rows)?;
            tape.no_grad(|| model.forward(&x, &pass))?;
            rates.add(pass.take_drawn());
        }
        Ok(rates)
    }

    /// Counts the decisions of one more pass. Those of one path are counted together if they are about as many units.
    pub fn add(&mut self, drawn: Vec<Drawn>) {
        self.passes += 1;
        for drawn in drawn {
            let own = |layer: &LayerRate| layer.path == drawn.path && layer.units() == drawn.units;
            if drawn.mask.is_empty() {
                continue;
            }
            match self.layers.iter_mut().find(|layer| own(layer)) {
                Some(layer) => layer.add(&drawn),
                None => {
                    let mut layer = LayerRate::new(&drawn);
                    layer.add(&drawn);
                    self.layers.push(layer);
                }
            }
        }
    }

    /// The layers that dropped, in the order in which they did first. A layer whose rate is 0 is none.
    #[must_use]
    pub fn layers(&self) -> &[LayerRate] {
        &self.layers
    }

    /// The passes that were counted.
    #[must_use]
    pub fn passes(&self) -> u64 {
        self.passes
    }

    /// How much of the model takes part.
    #[must_use]
    pub fn capacity(&self) -> Capacity {
        let none = Capacity::default();
        self.layers.iter().fold(none, |all, layer| {
            let units = layer.units() as f64;
            Capacity {
                units: all.units + layer.units(),
                expected: all.expected + units * (1.0 - layer.nominal()),
                realised: all.realised + units * (1.0 - layer.realised()),
            }
        })
    }
}

impl LayerRate {
    fn new(drawn: &Drawn) -> Self {
        Self {
            path: drawn.path.clone(),
            decisions: 0,
            expected: 0.0,
            variance: 0.0,
            hits: vec![0; drawn.units],
        }
    }

    fn add(&mut self, drawn: &Drawn) {
        let (p, count) = (drawn.p, drawn.mask.len());
        self.decisions += count as u64;
        self.expected += p * count as f64;
        self.variance += p * (1.0 - p) * count as f64;
        for kept in drawn.mask.kept() {
            self.hits[kept % drawn.units] += 1;
        }
    }

    /// The names down to the layer, joined by dots.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The units that the decisions are about; there is at least one.
    #[must_use]
    pub fn units(&self) -> usize {
        self.hits.len()
    }

    /// The decisions that were made, at least one.
    #[must_use]
    pub fn decisions(&self) -> u64 {
        self.decisions
    }

    /// The drop probability that was asked for; the mean over the decisions if it changed.
    #[must_use]
    pub fn nominal(&self) -> f64 {
        self.expected / self.decisions as f64
    }

    /// The share of decisions that dropped.
    #[must_use]
    pub fn realised(&self) -> f64 {
        let kept: u64 = self.hits.iter().sum();
        (self.decisions - kept) as f64 / self.decisions as f64
    }

    /// The standard error of the realised rate, if decisions are independent: `sqrt(p (1 - p) / decisions)`. Those of
    /// methods that drop elements together, or an exact number of them, are not.
    #[must_use]
    pub fn standard_error(&self) -> f64 {
        self.variance.sqrt() / self.decisions as f64
    }

    /// How many standard errors the realised rate lies above the one asked for; `None` where nothing is left to
    /// chance.
    #[must_use]
    pub fn deviation(&self) -> Option<f64> {
        let error = self.standard_error();
        (error > 0.0).then(|| (self.realised() - self.nominal()) / error)
    }

    /// How often each unit was kept.
    #[must_use]
    pub fn hits(&self) -> &[u64] {
        &self.hits
    }

    /// Decisions about each unit.
    #[must_use]
    pub fn decisions_per_unit(&self) -> u64 {
        self.decisions / self.hits.len() as u64
    }

    /// Units that no decision kept.
    #[must_use]
    pub fn never_kept(&self) -> usize {
        self.count(0)
    }

    /// Units that every decision kept.
    #[must_use]
    pub fn always_kept(&self) -> usize {
        self.count(self.decisions_per_unit())
    }

    fn count(&self, hits: u64) -> usize {
        self.hits.iter().filter(|&&own| own == hits).count()
    }
}
