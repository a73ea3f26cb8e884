//! DropConnect: the masked product against a product of masked weights, and what it promises in the mean.

#[path = "support/differences.rs"]
mod differences;
mod support;
#[path = "support/twins.rs"]
mod twins;
#[path = "support/zoo.rs"]
mod zoo;

use differences::{check_differences, wide};
use elision::autograd::{Fused, Tape};
use elision::nn::{DropConnect, Layer, Linear, Mode, Pass};
use elision::ops::{self, DroppedWeights, Saved};
use elision::reference::weights;
use elision::{
    Activation, BlockMask, Dropout, Epilogue, Error, Form, Isa, Key, Mask, Tensor, View,
};
use support::{bits, key, noise, on_every_isa, on_threads};
use zoo::{RUN, forward, output, randomize};

fn dropout(p: f64) -> Dropout {
    Dropout::new(Key::new(11), p).unwrap()
}

/// Rows, inputs and units: around the edges of tiles and of words of bits, and on every path of the product.
const SIZES: [[usize; 3]; 12] = [
    [1, 1, 1],
    [1, 33, 17],
    [3, 20, 50],
    [17, 65, 33],
    [64, 130, 70],
    [100, 7, 1],
    [40, 600, 20],
    [150, 64, 300],
    [0, 5, 3],
    [5, 0, 3],
    [5, 3, 0],
    [2, 63, 16],
];

/// Everything that a layer computes, as bits.
fn layer(
    x: ops::LinearInput<'_>,
    w: &Tensor,
    masked: Option<&Mask>,
    epilogue: &Epilogue<'_>,
    scale: f32,
) -> Vec<Vec<u32>> {
    let g = |y: &Tensor| noise(y.shape(), 9);
    let (y, grads) = match masked {
        Some(kept) => {
            let weights = DroppedWeights::new(w, kept, scale).unwrap();
            let (y, saved) = ops::drop_connect(x, weights, epilogue).unwrap();
            let grads = ops::drop_connect_backward(&g(&y), x, weights, epilogue, &saved);
            (y, grads.unwrap())
        }
        None => {
            let (y, saved) = ops::linear(x, w, epilogue).unwrap();
            let grads = ops::linear_backward(&g(&y), x, w, epilogue, &saved);
            (y, grads.unwrap())
        }
    };
    [y, grads.x, grads.w, grads.bias]
        .iter()
        .map(|x| bits(x.as_slice()))
        .collect()
}

/// What `layer` computes with masked weights that are written, whose gradient is then masked too.
fn composed(
    x: ops::LinearInput<'_>,
    w: &Tensor,
    kept: &Mask,
    epilogue: &Epilogue<'_>,
    scale: f32,
) -> Vec<Vec<u32>> {
    let select = |x: &Tensor| {
        let mut y = Tensor::zeros(x.shape()).unwrap();
        ops::select_into(x, kept, scale, &mut y).unwrap();
        y
    };
    let mut all = layer(x, &select(w), None, epilogue, scale);
    let dw = all[2].iter().map(|&g| f32::from_bits(g)).collect();
    let dw = Tensor::from_vec(dw, w.shape()).unwrap();
    all[2] = bits(select(&dw).as_slice());
    all
}

#[test]
fn it_is_a_product_of_masked_weights_bit_for_bit() {
    on_every_isa("drop connect", |isa| {
        for sizes @ [m, k, n] in SIZES {
            let (x, w, bias) = (noise(&[m, k], 1), noise(&[n, k], 2), noise(&[n], 3));
            for (p, activation, output) in [
                (0.5, Activation::Identity, None),
                (0.1, Activation::Relu, Some(0.3)),
                (0.9, Activation::GeluTanh, Some(0.5)),
                (1.0, Activation::Relu, None),
                (0.0, Activation::Tanh, None),
            ] {
                let weights = dropout(p);
                let kept = Mask::draw(&weights, w.len()).unwrap();
                let epilogue = Epilogue {
                    bias: Some(bias.view()),
                    activation,
                    dropout: output.map(|p| Dropout::new(Key::new(5), p).unwrap()),
                };
                let scale = weights.scale();
                let found = layer((&x).into(), &w, Some(&kept), &epilogue, scale);
                let want = composed((&x).into(), &w, &kept, &epilogue, scale);
                assert_eq!(found, want, "{isa} {sizes:?} {p} {activation}");
            }
        }
    });
}

#[test]
fn inputs_may_have_a_mask_of_blocks_too() {
    on_every_isa("drop connect under blocks", |isa| {
        let (x, w) = (noise(&[70, 90], 1), noise(&[50, 90], 2));
        let blocks = BlockMask::draw(&dropout(0.5), [70, 90], [20, 16]).unwrap();
        let kept = Mask::draw(&dropout(0.3), w.len()).unwrap();
        let epilogue = Epilogue::default();
        let x = blocks.over(&x).unwrap();
        let found = layer(x, &w, Some(&kept), &epilogue, 1.5);
        assert_eq!(found, composed(x, &w, &kept, &epilogue, 1.5), "{isa}");
    });
}

#[test]
fn strides_and_threads_change_no_bit() {
    let (x, w) = (noise(&[90, 200], 1), noise(&[150, 200], 2));
    let turned = |x: &Tensor| x.view().transpose(0, 1).unwrap().to_tensor().unwrap();
    let (x_turned, w_turned) = (turned(&x), turned(&w));
    let kept = Mask::draw(&dropout(0.4), w.len()).unwrap();
    let epilogue = Epilogue::default();
    let run = |x: View<'_>, w: View<'_>| {
        let weights = DroppedWeights::new(w, &kept, 2.0).unwrap();
        let (y, saved) = ops::drop_connect(x, weights, &epilogue).unwrap();
        let grads = ops::drop_connect_backward(&y, x, weights, &epilogue, &saved).unwrap();
        (y, grads)
    };
    let isa = Isa::best().unwrap();
    let of = |threads| on_threads(threads, || isa.install(|| run(x.view(), w.view())));
    let one = of(1);
    assert_eq!(of(3), one);
    let [x, w] = [&x_turned, &w_turned].map(|x| x.view().transpose(0, 1).unwrap());
    assert_eq!(run(x, w), one);
}

#[test]
fn dropped_weights_are_zero_whatever_they_are() {
    let (x, mut w) = (noise(&[9, 40], 1), noise(&[30, 40], 2));
    let kept = Mask::draw(&dropout(0.5), w.len()).unwrap();
    for (i, w) in w.as_mut_slice().iter_mut().enumerate() {
        if kept.get(i) == Some(false) {
            *w = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][i % 3];
        }
    }
    on_every_isa("dropped weights", |_| {
        let weights = DroppedWeights::new(&w, &kept, 2.0).unwrap();
        let epilogue = Epilogue::default();
        let (y, saved) = ops::drop_connect(&x, weights, &epilogue).unwrap();
        let grads = ops::drop_connect_backward(&y, &x, weights, &epilogue, &saved).unwrap();
        let all = y.as_slice().iter().chain(grads.x.as_slice());
        assert!(all.chain(grads.w.as_slice()).all(|y| y.is_finite()));
        for (i, g) in grads.w.as_slice().iter().enumerate() {
            assert_eq!(g.to_bits() == 0, kept.get(i) == Some(false), "{i}");
        }
    });
}

#[test]
fn variables_have_the_gradients_of_the_reference() {
    let (x, w, bias) = (noise(&[2, 3, 5], 1), noise(&[4, 5], 2), noise(&[4], 3));
    let inputs = [x, w, bias];
    on_every_isa("gradients of drop connect", |isa| {
        for (p, form) in [(0.5, Form::Inverted), (0.3, Form::Original)] {
            let weights = dropout(p).with_form(form).with_offset(100);
            let kept = Mask::draw(&weights, 20).unwrap().to_bools();
            let rate = if form == Form::Inverted { p } else { 0.0 };
            let plain = Fused::default();
            check_differences(
                &format!("{isa} {p}"),
                &inputs,
                |v| v[0].drop_connect(&v[1], Some(&v[2]), &plain, &weights),
                |at| {
                    let sums = weights::drop_connect(&at[0], &at[1], &kept, rate, [6, 5, 4]);
                    let sums = sums.iter().enumerate();
                    sums.map(|(i, sum)| sum + at[2][i % 4]).collect()
                },
            );
            for activation in [Activation::Relu, Activation::Tanh] {
                let output = Dropout::new(Key::new(3), 0.25).unwrap();
                let fused = Fused {
                    activation,
                    dropout: Some(output),
                };
                twins::check(
                    &format!("{isa} {p} {activation}"),
                    &inputs,
                    |v| v[0].drop_connect(&v[1], Some(&v[2]), &fused, &weights),
                    |t, v| {
                        let w = t.mask(v[1], &kept, f64::from(weights.scale()));
                        let x = t.reshape(v[0], &[6, 5]);
                        let y = t.linear(x, w, Some(v[2]));
                        let y = t.activate(y, activation);
                        let kept = Mask::draw(&output, 24).unwrap().to_bools();
                        let y = t.mask(y, &kept, f64::from(output.scale()));
                        t.reshape(y, &[2, 3, 4])
                    },
                );
            }
        }
    });
}

#[test]
fn each_sample_may_have_a_mask_of_its_own() {
    let weights = dropout(0.5);
    let kept = Mask::draw(&weights, 3 * 4 * 5).unwrap();
    let inputs = [noise(&[3, 2, 5], 1), noise(&[4, 5], 2)];
    on_every_isa("drop connect of each sample", |isa| {
        check_differences(
            &format!("{isa}"),
            &inputs,
            |v| v[0].drop_connect_each(&v[1], &weights),
            |at| {
                let sample = |i: usize| {
                    let kept = kept.slice(20 * i..20 * (i + 1)).unwrap().to_bools();
                    let x = &at[0][10 * i..10 * (i + 1)];
                    weights::drop_connect(x, &at[1], &kept, 0.5, [2, 5, 4])
                };
                (0..3).flat_map(sample).collect()
            },
        );
    });
    let same = Tensor::full(&[2, 30], 1.0).unwrap();
    let mut linear = Linear::new(30, 10, RUN).unwrap();
    randomize(&mut linear);
    let batch = DropConnect::new(linear, 0.5).unwrap();
    let each = batch.clone().per_sample();
    let rows_agree = |layer: &DropConnect| {
        let y = forward(layer, &same, &Pass::train(RUN, 0));
        y.as_slice()[..10] == y.as_slice()[10..]
    };
    assert_eq!([rows_agree(&batch), rows_agree(&each)], [true, false]);
    let none = forward(&each, &noise(&[0, 30], 1), &Pass::train(RUN, 0));
    assert_eq!(none.shape(), [0, 10]);
}

/// Over all masks of eight weights, each with its probability.
#[test]
fn moments_are_those_of_all_masks() {
    let (x, w, bias) = (noise(&[1, 8], 1), noise(&[1, 8], 2), noise(&[1], 3));
    for p in [0.2_f64, 0.5, 0.9] {
        let moments = ops::drop_connect_moments(&x, &w, Some(bias.view()), p).unwrap();
        let (mut mean, mut square) = (0.0, 0.0);
        for mask in 0..256 {
            let kept: Vec<bool> = (0..8).map(|i| mask >> i & 1 == 1).collect();
            let count = kept.iter().filter(|&&kept| kept).count() as i32;
            let chance = (1.0 - p).powi(count) * p.powi(8 - count);
            let y = weights::drop_connect(&wide(&x), &wide(&w), &kept, p, [1, 8, 1])[0];
            let y = y + f64::from(bias.as_slice()[0]);
            mean += chance * y;
            square += chance * y * y;
        }
        let near = |found: &Tensor, want: f64| {
            let off = (f64::from(found.as_slice()[0]) - want).abs();
            assert!(off < 1e-5, "{found:?} instead of {want}");
        };
        near(&moments.0, mean);
        near(&moments.1, square - mean * mean);
    }
    // The paper's weights are ours divided by q: mean q W v, variance q (1 - q) (W * W) (v * v).
    let (q, mut paper) = (0.8, w.clone());
    ops::scale_in_place(&mut paper, 1.0 / q).unwrap();
    let (_, variance) = ops::drop_connect_moments(&x, &w, None, f64::from(1.0 - q)).unwrap();
    let pairs = x.as_slice().iter().zip(paper.as_slice());
    let want: f32 = pairs.map(|(v, w)| q * (1.0 - q) * w * w * v * v).sum();
    assert!((variance.as_slice()[0] - want).abs() < 1e-5);
    // Where everything is dropped, or nothing, nothing is random.
    for p in [0.0, 1.0] {
        let (_, variance) = ops::drop_connect_moments(&x, &w, None, p).unwrap();
        assert_eq!(variance.as_slice(), [0.0]);
    }
}

#[test]
fn masks_that_are_drawn_have_the_moments() {
    const DRAWS: u64 = 4000;
    let (x, w) = (noise(&[2, 50], 1), noise(&[3, 50], 2));
    let p = 0.3;
    let (mean, variance) = ops::drop_connect_moments(&x, &w, None, p).unwrap();
    let (mut sum, mut squares) = ([0.0; 6], [0.0; 6]);
    for draw in 0..DRAWS {
        let dropout = Dropout::new(key(3, &[draw]), p).unwrap();
        let kept = Mask::draw(&dropout, w.len()).unwrap();
        let weights = DroppedWeights::new(&w, &kept, dropout.scale()).unwrap();
        let (y, _) = ops::drop_connect(&x, weights, &Epilogue::default()).unwrap();
        for (i, &y) in y.as_slice().iter().enumerate() {
            let off = f64::from(y - mean.as_slice()[i]);
            sum[i] += off;
            squares[i] += off * off;
        }
    }
    let n = DRAWS as f64;
    for i in 0..6 {
        let variance = f64::from(variance.as_slice()[i]);
        assert!((sum[i] / n).abs() < 5.0 * (variance / n).sqrt(), "mean {i}");
        // A variance of nearly normal numbers has a relative deviation of sqrt(2 / n).
        let ratio = squares[i] / n / variance;
        assert!((ratio - 1.0).abs() < 5.0 * (2.0 / n).sqrt(), "{ratio}");
    }
}

fn relu_layer(inputs: usize, units: usize) -> Linear {
    let mut linear = Linear::new(inputs, units, RUN).unwrap();
    linear = linear.activation(Activation::Relu);
    randomize(&mut linear);
    linear
}

#[test]
fn a_layer_drops_in_training_alone() {
    let (x, linear) = (noise(&[7, 30], 1), relu_layer(30, 11));
    let layer = DropConnect::new(linear.clone(), 0.5).unwrap();
    let plain = output(&linear, &x, Mode::Eval, 0);
    assert_eq!(output(&layer, &x, Mode::Eval, 3), plain);
    let none = DropConnect::new(linear.clone(), 0.0).unwrap();
    assert_eq!(output(&none, &x, Mode::Train, 3), plain);
    let all = DropConnect::new(linear.clone().without_bias(), 1.0).unwrap();
    assert!(output(&all, &x, Mode::Mc, 3).iter().all(|&y| y == 0));
    for pass in [Pass::train(RUN, 3), Pass::mc(RUN, 3)] {
        let weights = Dropout::new(pass.key().named("weight"), 0.5).unwrap();
        let tape = Tape::new();
        let [w, b] = [0, 1].map(|i| tape.parameter(linear.parameters()[i].1).unwrap());
        let fused = Fused {
            activation: Activation::Relu,
            dropout: None,
        };
        let w = w.dropout(&weights).unwrap();
        let want = tape.constant(x.clone()).linear(&w, Some(&b), &fused);
        assert_eq!(
            forward(&layer, &x, &pass),
            want.unwrap().to_tensor().unwrap()
        );
    }
    let names = |layer: &dyn Layer| {
        let all = layer.named_parameters().into_iter();
        all.map(|(name, own)| (name, own.id())).collect::<Vec<_>>()
    };
    assert_eq!(names(&layer), names(&linear));
    assert_eq!(layer.rate(), Some(0.5));
}

/// The paper's evaluation is near the mean over masks, and nearer than that of the mean weights.
#[test]
fn sampling_sums_is_near_the_mean_over_masks() {
    const DRAWS: u64 = 4000;
    let (x, linear) = (noise(&[4, 200], 1), relu_layer(200, 6));
    let layer = DropConnect::new(linear, 0.5).unwrap();
    let sampled = layer.clone().sampled(DRAWS as usize).unwrap();
    let mut mean = [0.0; 24];
    for draw in 0..DRAWS {
        let y = forward(&layer, &x, &Pass::mc(RUN, draw));
        let sums = mean.iter_mut().zip(y.as_slice());
        sums.for_each(|(mean, &y)| *mean += f64::from(y) / DRAWS as f64);
    }
    let distance = |y: Tensor| -> f64 {
        let pairs = mean.iter().zip(y.as_slice());
        pairs.map(|(mean, &y)| (mean - f64::from(y)).powi(2)).sum()
    };
    let eval = Pass::eval();
    let (near, far) = (
        distance(forward(&sampled, &x, &eval)),
        distance(forward(&layer, &x, &eval)),
    );
    assert!(near < 0.05 * far, "{near} against {far}");
    assert_eq!(forward(&sampled, &x, &eval), forward(&sampled, &x, &eval));
    assert_eq!(
        output(&sampled, &x, Mode::Train, 1),
        output(&layer, &x, Mode::Train, 1)
    );
    let still = DropConnect::new(relu_layer(200, 6), 0.0).unwrap();
    let want = output(&still, &x, Mode::Eval, 0);
    assert_eq!(output(&still.sampled(3).unwrap(), &x, Mode::Eval, 0), want);
    let cube = noise(&[2, 2, 200], 1);
    assert_eq!(forward(&sampled, &cube, &eval).shape(), [2, 2, 6]);
}

#[test]
fn faults_are_named_and_write_nothing() {
    let (x, w) = (noise(&[4, 3], 1), noise(&[2, 3], 2));
    let kept = Mask::all(6);
    assert!(matches!(
        DroppedWeights::new(&w, &Mask::all(5), 1.0),
        Err(Error::Length {
            expected: 6,
            found: 5,
            ..
        })
    ));
    for scale in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        assert!(matches!(
            DroppedWeights::new(&w, &kept, scale),
            Err(Error::Number { .. })
        ));
    }
    let vector = noise(&[6], 1);
    assert!(matches!(
        DroppedWeights::new(&vector, &kept, 1.0),
        Err(Error::Rank { .. })
    ));
    let weights = DroppedWeights::new(&w, &kept, 1.0).unwrap();
    let mut out = Tensor::full(&[4, 3], 7.0).unwrap();
    let plain = Epilogue::default();
    let wrong = ops::drop_connect_into(&x, weights, &plain, &mut out, None);
    assert!(matches!(wrong, Err(Error::Shape { .. })));
    assert_eq!(out.as_slice(), [7.0; 12]);
    let narrow = noise(&[4, 2], 1);
    assert!(ops::drop_connect(&narrow, weights, &plain).is_err());
    let saved = Saved::default();
    let wrong = ops::drop_connect_backward(&narrow, &narrow, weights, &plain, &saved);
    assert!(matches!(wrong, Err(Error::Shape { .. })));
    assert!(ops::drop_connect_moments(&narrow, &w, None, 0.5).is_err());
    let wrong = ops::drop_connect_moments(&x, &w, None, -0.5);
    assert_eq!(wrong, Err(Error::Probability(-0.5)));

    let tape = Tape::new();
    let (x, w) = (tape.variable(x), tape.variable(w));
    let late = dropout(0.5).with_offset(u64::MAX - 3);
    assert!(matches!(
        x.drop_connect(&w, None, &Fused::default(), &late),
        Err(Error::Overflow(_))
    ));
    assert!(matches!(
        x.drop_connect_each(&w, &late),
        Err(Error::Overflow(_))
    ));
    let vector = tape.variable(vector);
    assert!(matches!(
        vector.drop_connect_each(&w, &late),
        Err(Error::Rank { .. })
    ));
    let linear = Linear::new(3, 2, RUN).unwrap();
    for p in [-0.1, 1.1, f64::NAN] {
        let wrong = DropConnect::new(linear.clone(), p);
        assert!(matches!(wrong, Err(Error::Probability(_))));
    }
    let mut layer = DropConnect::new(linear.clone(), 0.5).unwrap();
    assert!(matches!(layer.set_rate(2.0), Err(Error::Probability(2.0))));
    assert!(matches!(layer.sampled(0), Err(Error::Empty(_))));
    for dropping in [linear.clone().dropout(0.5), linear.unit_dropout(0.5)] {
        let wrong = DropConnect::new(dropping.unwrap(), 0.5);
        assert!(matches!(wrong, Err(Error::Unsupported(_))));
    }
}
