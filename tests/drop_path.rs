//! Stochastic depth: samples that go without a branch, and do none of its work.

#[path = "support/differences.rs"]
mod differences;
mod support;
#[path = "support/zoo.rs"]
mod zoo;

use differences::check_differences;
use elision::autograd::{Tape, Var};
use elision::nn::{
    BatchNorm, Checkpoint, DepthRule, DropPath, Layer, LayerNorm, Linear, Mode, Pass, Residual,
    Sequential, depth_rates, set_depth_rates,
};
use elision::{Activation, Dropout, Error, Form, Mask, Result, Tensor};
use support::{bits, noise, on_every_isa, on_threads};
use zoo::{RUN, forward, output, pass, randomize};

/// A branch in which no sample sees another.
fn branch() -> Sequential {
    let wide = Linear::new(6, 19, RUN).unwrap();
    let mut branch = Sequential::new()
        .with("norm", LayerNorm::new(6).unwrap())
        .and_then(|it| it.with("wide", wide.activation(Activation::Relu)))
        .and_then(|it| it.with("narrow", Linear::new(19, 6, RUN)?))
        .unwrap();
    randomize(&mut branch);
    branch
}

/// The samples that a pass keeps, of the layer with the pass's own key.
fn kept(pass: &Pass, p: f64, samples: usize) -> Mask {
    Mask::draw(&Dropout::new(pass.key(), p).unwrap(), samples).unwrap()
}

/// The same by masking what the branch makes of every sample.
fn masked(branch: &dyn Layer, x: &Var, pass: &Pass, path: (f64, f32)) -> Result<Var> {
    let (p, scale) = path;
    let samples = x.shape()[0];
    let kept = kept(pass, p, samples).to_bools();
    let factors = kept.iter().map(|&kept| if kept { scale } else { 0.0 });
    let mut shape = vec![1; x.rank()];
    shape[0] = samples;
    let factors = Tensor::from_vec(factors.collect(), &shape)?;
    let y = pass.run("branch", branch, x)?;
    x.add(&y.mul(&x.tape().constant(factors))?)
}

/// Output, gradient of the input, and gradients of the parameters.
type Found = (Tensor, Tensor, Vec<Tensor>);

fn differentiate(model: &dyn Layer, x: &Tensor, f: impl Fn(&Var) -> Result<Var>) -> Found {
    let tape = Tape::new();
    let x = tape.variable(x.clone());
    let y = f(&x).unwrap();
    let found = y.backward_from(noise(y.shape(), 77)).unwrap();
    let zeros = |like: &Tensor| Tensor::zeros(like.shape()).unwrap();
    let parameters = model.named_parameters().into_iter();
    let gradients = parameters.map(|(_, own)| match found.get(own) {
        Some(gradient) => gradient.to_tensor().unwrap(),
        None => zeros(own.value()),
    });
    let dx = found.of(&x).unwrap().to_tensor().unwrap();
    (y.to_tensor().unwrap(), dx, gradients.collect())
}

#[test]
fn dropping_is_masking_without_the_work() {
    let branch = branch();
    on_every_isa("drop path", |isa| {
        for shape in [&[1, 6][..], &[37, 6], &[130, 6], &[5, 3, 6], &[4, 2, 3, 6]] {
            for (p, form) in [
                (0.5, Form::Inverted),
                (0.1, Form::Inverted),
                (0.9, Form::Original),
                (1.0, Form::Inverted),
            ] {
                for mode in [Mode::Train, Mode::Mc] {
                    let what = format!("{isa} {shape:?} {p} {form:?} {mode}");
                    let (x, pass) = (noise(shape, 5), pass(mode, 3));
                    let path = DropPath::new(p).unwrap().form(form);
                    let block = Residual::new(branch.clone()).with_drop_path(path);
                    let scale = Dropout::new(RUN, p).unwrap().with_form(form).scale();
                    let found = differentiate(&block, &x, |x| block.forward(x, &pass));
                    let wanted =
                        differentiate(&block, &x, |x| masked(&branch, x, &pass, (p, scale)));
                    assert_eq!(
                        bits(found.0.as_slice()),
                        bits(wanted.0.as_slice()),
                        "{what}"
                    );
                    assert_eq!(found.1, wanted.1, "{what}: gradient of the input");
                    for (found, wanted) in found.2.iter().zip(&wanted.2) {
                        for (found, wanted) in found.as_slice().iter().zip(wanted.as_slice()) {
                            let off = (found - wanted).abs() / wanted.abs().max(1.0);
                            assert!(off < 1e-5, "{what}: {found} instead of {wanted}");
                        }
                    }
                }
            }
        }
    });
}

#[test]
fn threads_change_no_bit() {
    let block = Residual::new(branch()).drop_path(0.4).unwrap();
    let x = noise(&[2000, 6], 5);
    let of = |threads| on_threads(threads, || output(&block, &x, Mode::Train, 1));
    assert_eq!(of(1), of(3));
}

/// Fails when it is run.
#[derive(Clone, Debug)]
struct Never;

impl Layer for Never {
    fn forward(&self, _: &Var, _: &Pass) -> Result<Var> {
        Err(Error::Unsupported("this branch is never run"))
    }
}

/// Adds one, and refuses any other number of samples.
#[derive(Clone, Debug)]
struct Counted(usize);

impl Layer for Counted {
    fn forward(&self, x: &Var, _: &Pass) -> Result<Var> {
        assert_eq!(x.shape()[0], self.0);
        x.add(&x.tape().constant(Tensor::full(&[1], 1.0)?))
    }
}

#[test]
fn dropped_samples_do_no_work() {
    let x = noise(&[64, 2], 1);
    let pass = Pass::train(RUN, 2);
    let kept = kept(&pass, 0.5, 64);
    let block = Residual::new(Counted(kept.count_kept()));
    let y = forward(&block.drop_path(0.5).unwrap(), &x, &pass);
    for (i, (y, x)) in y.as_slice().iter().zip(x.as_slice()).enumerate() {
        match kept.get(i / 2) {
            Some(true) => assert_eq!(*y, x + 2.0 * (x + 1.0)),
            _ => assert_eq!(y.to_bits(), x.to_bits()),
        }
    }
    let never = |path: DropPath| Residual::new(Never).with_drop_path(path);
    let all = DropPath::new(1.0).unwrap();
    for block in [never(all), never(all.of_batch())] {
        assert_eq!(forward(&block, &x, &pass), x);
    }
    let empty = noise(&[0, 2], 1);
    assert_eq!(
        forward(&never(DropPath::new(0.5).unwrap()), &empty, &pass),
        empty
    );
}

#[test]
fn evaluation_is_the_whole_block() {
    let (x, plain) = (noise(&[9, 6], 5), Residual::new(branch()));
    let dropped = plain.clone().drop_path(0.3).unwrap();
    for mode in [Mode::Eval, Mode::Train, Mode::Mc] {
        let same = output(&dropped, &x, mode, 1) == output(&plain, &x, mode, 1);
        assert_eq!(same, mode == Mode::Eval, "{mode}");
    }
    let never = plain.clone().drop_path(0.0).unwrap();
    assert_eq!(
        output(&never, &x, Mode::Train, 1),
        output(&plain, &x, Mode::Train, 1)
    );
    let original = DropPath::new(0.3).unwrap().form(Form::Original);
    let y = forward(&plain.clone().with_drop_path(original), &x, &Pass::eval());
    let whole = forward(&plain, &x, &Pass::eval());
    let elements = x.as_slice().iter().zip(whole.as_slice()).zip(y.as_slice());
    for ((&x, &whole), &y) in elements {
        assert!((f64::from(y) - f64::from(x) - 0.7 * f64::from(whole - x)).abs() < 1e-5);
    }
}

/// Unscaled in training and scaled in evaluation, or scaled in training: both are right in the mean.
#[test]
fn both_forms_train_to_what_they_evaluate_to() {
    const STEPS: u64 = 4000;
    let (x, p) = (noise(&[3, 6], 5), 0.4);
    for form in [Form::Inverted, Form::Original] {
        let path = DropPath::new(p).unwrap().form(form);
        let block = Residual::new(branch()).with_drop_path(path);
        let mut mean = vec![0.0; x.len()];
        for step in 0..STEPS {
            let y = forward(&block, &x, &Pass::train(RUN, step));
            let sums = mean.iter_mut().zip(y.as_slice());
            sums.for_each(|(mean, &y)| *mean += f64::from(y) / STEPS as f64);
        }
        let y = forward(&block, &x, &Pass::eval());
        // The deviation of a mean is at most |branch| sqrt(p / (1 - p) / steps); the branch stays below 4.
        let error = 5.0 * 4.0 * (p / (1.0 - p) / STEPS as f64).sqrt();
        for (mean, &y) in mean.iter().zip(y.as_slice()) {
            assert!((mean - f64::from(y)).abs() < error, "{mean} instead of {y}");
        }
    }
}

#[test]
fn a_batch_may_share_one_decision() {
    let path = DropPath::new(0.5).unwrap().of_batch();
    let mut inner = BatchNorm::new(2).unwrap();
    randomize(&mut inner);
    let block = Residual::new(inner.clone()).with_drop_path(path);
    let x = noise(&[7, 2], 1);
    let whole = forward(&inner, &x, &Pass::train(RUN, 0));
    let mut runs = 0;
    for step in 0..100 {
        let pass = Pass::train(RUN, step);
        let y = forward(&block, &x, &pass);
        let runs_it = kept(&pass, 0.5, 1).count_kept() == 1;
        runs += usize::from(runs_it);
        for ((&y, &x), &whole) in y.as_slice().iter().zip(x.as_slice()).zip(whole.as_slice()) {
            assert_eq!(y, if runs_it { x + whole * 2.0 } else { x });
        }
    }
    assert!((30..70).contains(&runs), "{runs} of 100");
}

/// What a kept sample's branch makes of it is nobody else's business.
#[test]
fn a_nan_stays_in_its_sample() {
    let (x, pass) = (noise(&[64, 2], 1), Pass::train(RUN, 2));
    let kept = kept(&pass, 0.5, 64);
    let mut linear = Linear::new(2, 2, RUN).unwrap();
    linear.parameters_mut()[0]
        .1
        .value_mut()
        .as_mut_slice()
        .fill(f32::NAN);
    let y = forward(&Residual::new(linear).drop_path(0.5).unwrap(), &x, &pass);
    for (i, (y, x)) in y.as_slice().iter().zip(x.as_slice()).enumerate() {
        match kept.get(i / 2) {
            Some(true) => assert!(y.is_nan()),
            _ => assert_eq!(y.to_bits(), x.to_bits()),
        }
    }
}

#[test]
fn rows_and_added_rows_against_differences() {
    let (rows, scale) = ([3, 0, 3, 4], 1.5);
    on_every_isa("rows", |isa| {
        for (features, shape) in [(6, &[5, 2, 3][..]), (17, &[5, 17]), (1, &[5]), (0, &[5, 0])] {
            let x = noise(shape, 1);
            check_differences(
                &format!("{isa} rows {shape:?}"),
                std::slice::from_ref(&x),
                |v| v[0].rows(&rows),
                |at| {
                    let row = |&row: &u32| at[0][row as usize * features..][..features].to_vec();
                    rows.iter().flat_map(row).collect()
                },
            );
            let narrow: Vec<usize> = [&[rows.len()], &shape[1..]].concat();
            let inputs = [x, noise(&narrow, 2)];
            check_differences(
                &format!("{isa} add_rows {shape:?}"),
                &inputs,
                |v| v[0].add_rows(&rows, &v[1], scale),
                |at| {
                    let mut y = at[0].clone();
                    for (i, &row) in rows.iter().enumerate() {
                        for j in 0..features {
                            y[row as usize * features + j] +=
                                f64::from(scale) * at[1][i * features + j];
                        }
                    }
                    y
                },
            );
        }
    });
}

#[test]
fn rates_grow_with_depth() {
    let paper = |blocks| depth_rates(0.5, blocks, DepthRule::Paper).unwrap();
    let timm = |blocks| depth_rates(0.5, blocks, DepthRule::Timm).unwrap();
    assert_eq!(
        (paper(0), paper(1), paper(4)),
        (vec![], vec![0.5], vec![0.125, 0.25, 0.375, 0.5])
    );
    assert_eq!(
        (timm(0), timm(1), timm(3)),
        (vec![], vec![0.0], vec![0.0, 0.25, 0.5])
    );
    // The expected depth of the paper's network of 54 blocks is (3 L - 1) / 4.
    let depth: f64 = paper(54).iter().map(|p| 1.0 - p).sum();
    assert!((depth - 40.25).abs() < 1e-12, "{depth}");
    for p in [-0.1, 1.1, f64::NAN] {
        assert!(matches!(
            depth_rates(p, 3, DepthRule::Paper),
            Err(Error::Probability(_))
        ));
    }
    let many = depth_rates(0.5, usize::MAX, DepthRule::Timm);
    assert_eq!(many, Err(Error::Overflow("blocks of stochastic depth")));
}

#[test]
fn rates_are_set_on_the_blocks_of_a_model() {
    let linear = || Linear::new(6, 6, RUN).unwrap();
    let mut model = Sequential::new()
        .with("stem", linear().dropout(0.2).unwrap())
        .and_then(|it| it.with("first", Residual::new(linear())))
        .and_then(|it| it.with("second", Checkpoint::new(Residual::new(linear()))))
        .and_then(|it| it.with("third", Residual::new(linear())))
        .unwrap();
    let rates = |model: &Sequential| {
        let rates = model.children().into_iter();
        rates.map(|(_, layer)| layer.rate()).collect::<Vec<_>>()
    };
    let before = rates(&model);
    assert_eq!(before, [Some(0.2), None, None, None]);
    let wrong = set_depth_rates(&mut model, 2.0, DepthRule::Paper);
    assert_eq!(
        (wrong, rates(&model)),
        (Err(Error::Probability(2.0)), before)
    );
    assert_eq!(set_depth_rates(&mut model, 0.3, DepthRule::Timm), Ok(3));
    assert_eq!(rates(&model), [Some(0.2), None, Some(0.15), Some(0.3)]);
    assert_eq!(set_depth_rates(&mut model, 0.75, DepthRule::Paper), Ok(3));
    assert_eq!(
        rates(&model),
        [Some(0.2), Some(0.25), Some(0.5), Some(0.75)]
    );
}

#[test]
fn faults_are_named() {
    let tape = Tape::new();
    let x = tape.variable(noise(&[4, 2], 1));
    let index = Error::Index {
        what: "rows of a variable",
        position: 1,
        index: 4,
        length: 4,
    };
    assert_eq!(x.rows(&[0, 4]).err(), Some(index.clone()));
    assert_eq!(x.add_rows(&[0, 4], &x, 1.0).err(), Some(index));
    assert!(matches!(
        x.add_rows(&[0], &x, 1.0),
        Err(Error::Shape { .. })
    ));
    let scalar = tape.variable(noise(&[], 1));
    assert!(matches!(scalar.rows(&[]), Err(Error::Rank { .. })));
    for p in [-0.1, 1.1, f64::NAN] {
        assert!(matches!(DropPath::new(p), Err(Error::Probability(_))));
        let mut block = Residual::new(Never);
        assert!(matches!(block.set_rate(p), Err(Error::Probability(_))));
        assert!(block.drop_path(p).is_err());
    }
    let pass = Pass::train(RUN, 0);
    let wrong = Residual::new(Linear::new(2, 3, RUN).unwrap())
        .drop_path(0.1)
        .unwrap();
    assert!(matches!(wrong.forward(&x, &pass), Err(Error::Shape { .. })));
    let block = Residual::new(Never).drop_path(0.1).unwrap();
    assert!(matches!(
        block.forward(&scalar, &pass),
        Err(Error::Rank { .. })
    ));
}
