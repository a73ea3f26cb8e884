//! What single layers promise: normalisation, convolution, pooling, tables, and dropout of whole units.

mod support;
#[path = "support/zoo.rs"]
mod zoo;

use elision::autograd::{Parameter, Tape, Var};
use elision::nn::{
    AvgPool2d, BatchNorm, Checkpoint, Conv2d, Dropout, Embedding, Flatten, Init, Layer, LayerNorm,
    Linear, MaxPool2d, Mode, Pass, Residual, RmsNorm, Sequential, Summary,
};
use elision::ops::Window;
use elision::train::reestimate_statistics;
use elision::{Activation, Error, Result, Tensor, UnitMask};
use support::{close, noise, on_every_isa};
use zoo::{RUN, forward, output, pass, randomize};

/// Mean and biased variance of each column.
fn columns(x: &Tensor) -> Vec<[f64; 2]> {
    let features = x.shape()[x.rank() - 1];
    let rows = (x.len() / features) as f64;
    let column = |j: usize| {
        let elements = x.as_slice().iter().skip(j).step_by(features);
        elements.copied().map(f64::from)
    };
    let statistics = |j: usize| {
        let mean = column(j).sum::<f64>() / rows;
        let squares = column(j).map(|x| (x - mean).powi(2));
        [mean, squares.sum::<f64>() / rows]
    };
    (0..features).map(statistics).collect()
}

fn near(found: f64, wanted: f64, tolerance: f64) {
    let off = (found - wanted).abs();
    assert!(off <= tolerance, "{found} instead of {wanted}");
}

fn own<'a>(layer: &'a dyn Layer, name: &str) -> &'a [f32] {
    let mut all = layer.parameters().into_iter();
    let found = all.find(|(own, _)| *own == name);
    found.expect("a parameter of the name").1.value().as_slice()
}

#[test]
fn running_statistics_follow_batches_when_the_step_is_done() {
    let x = noise(&[3, 4, 5, 6], 1);
    let rows = 60.0;
    on_every_isa("running statistics", |_| {
        let mut layer = BatchNorm::new(6).unwrap();
        let pass = Pass::train(RUN, 0);
        let y = forward(&layer, &x, &pass);
        for [mean, variance] in columns(&y) {
            near(mean, 0.0, 1e-6);
            near(variance, 1.0, 1e-4);
        }
        let before = (own(&layer, "running_mean"), own(&layer, "running_variance"));
        assert_eq!(before, (&[0.0; 6][..], &[1.0; 6][..]));
        pass.take_updates().apply(&mut layer).unwrap();
        for (j, [mean, variance]) in columns(&x).into_iter().enumerate() {
            let unbiased = variance * rows / (rows - 1.0);
            near(own(&layer, "running_mean")[j].into(), 0.1 * mean, 1e-6);
            near(
                own(&layer, "running_variance")[j].into(),
                0.9 + 0.1 * unbiased,
                1e-6,
            );
        }
    });
}

#[test]
fn evaluation_reads_running_statistics_and_leaves_them() {
    let mut layer = BatchNorm::new(6).unwrap();
    randomize(&mut layer);
    let (mean, variance) = (noise(&[6], 2), Tensor::full(&[6], 2.0).unwrap());
    layer.parameters_mut()[2].1.set(mean.clone()).unwrap();
    layer.parameters_mut()[3].1.set(variance).unwrap();
    let x = noise(&[7, 6], 1);
    let (weight, bias) = (own(&layer, "weight").to_vec(), own(&layer, "bias").to_vec());
    for mode in [Mode::Eval, Mode::Mc] {
        let pass = pass(mode, 3);
        let y = forward(&layer, &x, &pass);
        for (i, (&y, &x)) in y.as_slice().iter().zip(x.as_slice()).enumerate() {
            let [w, b, mean] = [weight[i % 6], bias[i % 6], mean.as_slice()[i % 6]].map(f64::from);
            near(
                y.into(),
                (f64::from(x) - mean) / (2f64 + 1e-5).sqrt() * w + b,
                1e-6,
            );
        }
        pass.take_updates().apply(&mut layer).unwrap();
        assert_eq!(own(&layer, "running_mean"), mean.as_slice());
    }
    let [train, eval] = [Mode::Train, Mode::Eval].map(|mode| output(&layer, &x, mode, 0));
    assert_ne!(train, eval);
    // A row of its own has no variance.
    let row = Tape::new().constant(noise(&[1, 6], 1));
    assert!(matches!(
        layer.forward(&row, &Pass::train(RUN, 0)),
        Err(Error::Unsupported(_))
    ));
    assert!(layer.forward(&row, &Pass::eval()).is_ok());
    for empty in [
        BatchNorm::new(0).err(),
        LayerNorm::new(0).err(),
        RmsNorm::new(0).err(),
    ] {
        assert_eq!(empty, Some(Error::Empty("a norm")));
    }
}

const ROWS: usize = 1000;
const FEATURES: usize = 64;
const BATCHES: u64 = 10;

/// Batches of independent standard normal numbers.
fn normal() -> impl Iterator<Item = Tensor> {
    let batch = |i| Init::Normal(1.0).fill(&[ROWS, FEATURES], RUN.fold_in(i));
    (0..BATCHES).map(move |i| batch(i).unwrap())
}

/// The variance after the norm, as a mean over batches and features.
fn variance(model: &dyn Layer, pass: impl Fn(u64) -> Pass) -> f64 {
    let batches = (0..).zip(normal());
    let variances = batches.flat_map(|(i, x)| columns(&forward(model, &x, &pass(i))));
    variances.map(|[_, variance]| variance).sum::<f64>() / (FEATURES as f64 * BATCHES as f64)
}

/// Inverted dropout that keeps a share q makes variance 1 to 1 / q, which the running statistics remember: without
/// dropout the norm's output then has variance q (Li et al. 2019). Statistics that are estimated anew are right.
#[test]
fn dropout_before_a_norm_shifts_its_variance_until_statistics_are_estimated_anew() {
    let n = (ROWS * FEATURES) as f64 * BATCHES as f64;
    for q in [0.5, 0.8] {
        let model = Sequential::new().with("dropout", Dropout::new(1.0 - q).unwrap());
        let mut model = model
            .and_then(|model| model.with("norm", BatchNorm::new(FEATURES)?))
            .unwrap();
        for (i, x) in (0..).zip(normal()) {
            let pass = Pass::train(RUN, i);
            forward(&model, &x, &pass);
            let updates = pass.take_updates().with_rate(1.0 / (i as f64 + 1.0));
            updates.apply(&mut model).unwrap();
        }
        // Five standard errors of the variance of dropped normal numbers, whose fourth moment is 3 / q^3.
        let error = 5.0 * ((3.0 / q - 1.0) / n).sqrt();
        let ratio = |model: &dyn Layer| {
            variance(model, |_| Pass::eval()) / variance(model, |step| Pass::train(RUN, step))
        };
        near(ratio(&model), q, error);
        reestimate_statistics(&mut model, normal()).unwrap();
        near(ratio(&model), 1.0, error);
    }
}

#[test]
fn images_have_the_shapes_of_their_windows() {
    let window = Window::new([3, 3]).stride([2, 2]).padding([1, 1]);
    let conv = Conv2d::new([3, 4], window, RUN).unwrap();
    let shape = |layer: &dyn Layer, x: &[usize]| {
        let x = Tape::new().variable(noise(x, 1));
        layer
            .forward(&x, &Pass::train(RUN, 0))
            .map(|y| y.shape().to_vec())
    };
    assert_eq!(shape(&conv, &[2, 5, 7, 3]), Ok(vec![2, 3, 4, 4]));
    assert_eq!(shape(&conv, &[0, 5, 7, 3]), Ok(vec![0, 3, 4, 4]));
    let pools: [Box<dyn Layer>; 2] = [Box::new(MaxPool2d(window)), Box::new(AvgPool2d(window))];
    for layer in pools
        .iter()
        .map(|layer| &**layer)
        .chain([&conv as &dyn Layer])
    {
        assert!(shape(layer, &[2, 5, 7, 3]).is_ok());
        assert!(matches!(
            shape(layer, &[5, 7, 3]),
            Err(Error::Rank {
                expected: 4,
                found: 3,
                ..
            })
        ));
    }
    let wide = Window::new([8, 3]);
    let wide: [Box<dyn Layer>; 3] = [
        Box::new(MaxPool2d(wide)),
        Box::new(AvgPool2d(wide)),
        Box::new(Conv2d::new([3, 4], wide, RUN).unwrap()),
    ];
    for layer in wide {
        assert!(matches!(
            shape(&*layer, &[2, 5, 7, 3]),
            Err(Error::Range { .. })
        ));
    }
    assert!(matches!(
        shape(&conv, &[2, 5, 7, 2]),
        Err(Error::Shape { .. })
    ));
    assert!(matches!(
        Conv2d::new([0, 4], window, RUN),
        Err(Error::Empty(_))
    ));
    assert!(matches!(
        Conv2d::new([3, 0], window, RUN),
        Err(Error::Empty(_))
    ));
    assert!(matches!(
        conv.clone().dropout(1.5),
        Err(Error::Probability(_))
    ));
    for (channels, groups) in [([4, 6], 0), ([4, 6], 3), ([6, 4], 3)] {
        let refused = Conv2d::grouped(channels, window, groups, RUN);
        assert!(matches!(refused, Err(Error::Number { .. })), "{groups}");
    }
    let depthwise = Conv2d::grouped([6, 6], window, 6, RUN).unwrap();
    assert_eq!(depthwise.parameters()[0].1.value().shape(), [6, 3, 3, 1]);
}

#[test]
fn tables_take_whole_words_of_their_vocabulary() {
    let table = Embedding::new(7, 3, RUN).unwrap();
    let read = |word: f32| {
        let x = Tensor::from_slice(&[1.0, word], &[1, 2]).unwrap();
        let y = table.forward(&Tape::new().constant(x), &Pass::eval())?;
        assert_eq!(y.shape(), [1, 2, 3]);
        Ok(y.value().as_slice()[3..].to_vec())
    };
    for (word, row) in [(0.0, 0), (-0.0, 0), (6.0, 6)] {
        assert_eq!(
            read(word),
            Ok(own(&table, "weight")[3 * row..][..3].to_vec())
        );
    }
    for word in [
        -1.0,
        0.5,
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        16_777_216.0,
        1e30,
    ] {
        assert!(matches!(read(word), Err(Error::Number { .. })), "{word}");
    }
    for word in [7.0, 16_777_215.0] {
        assert!(
            matches!(
                read(word),
                Err(Error::Index {
                    position: 1,
                    length: 7,
                    ..
                })
            ),
            "{word}"
        );
    }
    for sizes in [[0, 3], [7, 0]] {
        assert!(matches!(
            Embedding::new(sizes[0], sizes[1], RUN),
            Err(Error::Empty(_))
        ));
    }
}

fn cnn() -> Result<Sequential> {
    let window = Window::new([3, 3]).padding([1, 1]);
    let halved = Window::new([2, 2]).stride([2, 2]);
    let relu = Activation::Relu;
    Sequential::new()
        .with("conv", Conv2d::new([1, 8], window, RUN)?.activation(relu))?
        .with("norm", BatchNorm::new(8)?)?
        .with("pool", MaxPool2d(halved))?
        .with(
            "depth",
            Conv2d::grouped([8, 8], window, 8, RUN)?.dropout(0.1)?,
        )?
        .with("mean", AvgPool2d(Window::new([4, 4])))?
        .with("flat", Flatten)?
        .with(
            "hidden",
            Linear::new(8, 16, RUN)?
                .activation(relu)
                .unit_dropout(0.5)?,
        )?
        .with("output", Linear::new(16, 3, RUN)?)
}

#[test]
fn a_summary_of_a_network_for_images() {
    let model = cnn().unwrap();
    let expected = "\
layer   kind                       output  parameters  rate
conv    Conv2d 1 -> 8, 3x3, relu  2x8x8x8          80
norm    BatchNorm                 2x8x8x8          16
pool    MaxPool2d 2x2             2x4x4x8           0
depth   Conv2d 8 -> 8, 3x3        2x4x4x8          80   0.1
mean    AvgPool2d 4x4             2x1x1x8           0
flat    Flatten                       2x8           0
hidden  Linear 8 -> 16, relu         2x16         144   0.5
output  Linear 16 -> 3                2x3          51
371 parameters";
    assert_eq!(
        Summary::new(&model, &[2, 8, 8, 1]).unwrap().to_string(),
        expected
    );
}

/// A linear layer whose outputs are all computed and then masked: what dropout of units must equal.
#[derive(Clone, Debug)]
struct Masked {
    linear: Linear,
    p: f64,
}

impl Layer for Masked {
    fn forward(&self, x: &Var, pass: &Pass) -> Result<Var> {
        let y = self.linear.forward(x, pass)?;
        let Some(dropout) = pass.dropout(self.p)? else {
            return Ok(y);
        };
        let units = UnitMask::draw(&dropout, y.shape()[y.rank() - 1])?;
        let factors = units.mask().to_bools().into_iter();
        let factors = factors.map(|kept| if kept { units.scale() } else { 0.0 });
        let factors = Tensor::from_vec(factors.collect(), &[units.len()])?;
        y.mul(&x.tape().constant(factors))
    }

    fn parameters(&self) -> Vec<(&str, &Parameter)> {
        self.linear.parameters()
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut Parameter)> {
        self.linear.parameters_mut()
    }
}

/// Output and gradients of all parameters and of the input.
fn step(model: &dyn Layer, x: &Tensor, pass: &Pass) -> Vec<Tensor> {
    let x = Tape::new().variable(x.clone());
    let y = model.forward(&x, pass).unwrap();
    let gradients = y.backward_from(noise(y.shape(), 8)).unwrap();
    let parameters = model.named_parameters();
    let trained = parameters.iter().filter(|(_, own)| own.is_trainable());
    let all = trained.map(|(_, own)| gradients.get(own));
    let all = all.chain([gradients.of(&x)]);
    let all = all.map(|g| g.expect("a gradient").to_tensor());
    all.chain([y.to_tensor()]).collect::<Result<_>>().unwrap()
}

fn tanh(seed: u64, [inputs, units]: [usize; 2]) -> Linear {
    let layer = Linear::new(inputs, units, RUN.fold_in(seed)).unwrap();
    layer.activation(Activation::Tanh)
}

/// What may come after twenty units.
fn followers() -> Result<[(&'static str, Sequential); 7]> {
    let (next, square) = (tanh(3, [20, 4]), tanh(2, [20, 20]));
    let rest = Sequential::new;
    Ok([
        ("linear", rest().with("next", next.clone())?),
        ("dropout", rest().with("next", Dropout::new(0.3)?)?),
        (
            "fused dropout",
            rest().with("next", next.clone().dropout(0.3)?)?,
        ),
        ("checkpoint", rest().with("next", Checkpoint::new(next))?),
        (
            "residual",
            rest().with("next", Residual::new(square.clone()))?,
        ),
        ("fused residual", rest().with("next", square.residual())?),
        ("norm", rest().with("next", LayerNorm::new(20)?)?),
    ])
}

#[test]
fn dropped_units_are_the_masked_ones_whatever_follows() {
    on_every_isa("dropped units", |isa| {
        for (what, follower) in followers().unwrap() {
            for shape in [&[5, 6][..], &[2, 3, 6]] {
                for p in [0.0, 0.5, 1.0] {
                    let linear = tanh(1, [6, 20]);
                    let units = linear.clone().unit_dropout(p).unwrap();
                    let units = Sequential::new().with("first", units).unwrap();
                    let units = units.with("rest", follower.clone()).unwrap();
                    let masked = Sequential::new()
                        .with("first", Masked { linear, p })
                        .unwrap();
                    let masked = masked.with("rest", follower.clone()).unwrap();
                    for mode in Mode::ALL {
                        let what = format!("{isa}: {what} {shape:?} {p} {mode}");
                        let x = noise(shape, 1);
                        let [found, wanted] = [&units as &dyn Layer, &masked]
                            .map(|model| step(model, &x, &pass(mode, 3)));
                        assert_eq!(found.len(), wanted.len());
                        for (found, wanted) in found.iter().zip(&wanted) {
                            close(&what, found, wanted);
                        }
                    }
                }
            }
        }
    });
}

#[test]
fn whole_units_are_dropped_in_training_and_under_monte_carlo() {
    let plain = Linear::new(6, 200, RUN).unwrap();
    let layer = plain.clone().unit_dropout(0.5).unwrap();
    let x = noise(&[5, 6], 1);
    assert_eq!(
        output(&layer, &x, Mode::Eval, 0),
        output(&plain, &x, Mode::Eval, 0)
    );
    let dense = forward(&plain, &x, &Pass::eval());
    for mode in [Mode::Train, Mode::Mc] {
        let y = forward(&layer, &x, &pass(mode, 0));
        let column = |j: usize| (0..5).map(move |i| 200 * i + j);
        let dropped: Vec<usize> = (0..200).filter(|&j| y.as_slice()[j] == 0.0).collect();
        assert!((70..130).contains(&dropped.len()), "{}", dropped.len());
        for j in 0..200 {
            let factor = if dropped.contains(&j) { 0.0 } else { 2.0 };
            assert!(
                column(j).all(|at| y.as_slice()[at] == factor * dense.as_slice()[at]),
                "{j}"
            );
        }
    }
    // A later choice of one kind takes the other's place.
    let elements = layer.clone().dropout(0.5).unwrap();
    let of_plain = plain.dropout(0.5).unwrap();
    assert_eq!(
        output(&elements, &x, Mode::Train, 0),
        output(&of_plain, &x, Mode::Train, 0)
    );
    assert!(matches!(
        layer.unit_dropout(-0.5),
        Err(Error::Probability(_))
    ));
}

#[test]
fn another_layer_leaves_the_units_that_are_dropped() {
    let layer = |inputs| {
        Linear::new(inputs, 100, RUN)
            .unwrap()
            .unit_dropout(0.5)
            .unwrap()
    };
    let alone = Sequential::new().with("late", layer(6)).unwrap();
    let early = Sequential::new().with("early", layer(6)).unwrap();
    let both = early.with("late", layer(100)).unwrap();
    let dropped = |model: &dyn Layer, step| {
        let y = forward(model, &noise(&[3, 6], 1), &pass(Mode::Train, step));
        y.as_slice().iter().map(|&y| y == 0.0).collect::<Vec<_>>()
    };
    assert_eq!(dropped(&alone, 4), dropped(&both, 4));
    assert_ne!(dropped(&alone, 4), dropped(&alone, 5));
    let found = dropped(&alone, 4);
    assert!(
        found.chunks(100).all(|row| row == &found[..100]),
        "one decision a unit"
    );
}
