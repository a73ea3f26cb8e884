//! PyTorch's values: layers, losses, optimisers and schedules reproduce them, on every instruction set.

#[path = "support/golden.rs"]
mod golden;
#[path = "support/golden_training.rs"]
mod rules;
mod support;

use elision::autograd::{Fused, Gradients, Tape, Var};
use elision::nn::{BatchNorm, Layer, Pass};
use elision::ops::{self, Conv2d, Window};
use elision::{Dropout, Mask, Result, Tensor};
use golden::{Case, Kind, OPERATION, assert_near};
use support::{key, on_every_isa};

const REPRODUCED: [Kind; 22] = [
    ("linear", linear),
    ("conv2d", conv2d),
    ("max_pool2d", max_pool2d),
    ("avg_pool2d", avg_pool2d),
    ("embedding", embedding),
    ("layer_norm", layer_norm),
    ("rms_norm", rms_norm),
    ("batch_norm_training", batch_norm_training),
    ("batch_norm_evaluation", batch_norm_evaluation),
    ("dropout", dropout),
    ("cross_entropy", cross_entropy),
    ("mse", mse),
    ("gaussian_nll", gaussian_nll),
    ("bce_with_logits", bce_with_logits),
    ("sgd", rules::sgd),
    ("adam", rules::adam),
    ("adamw", rules::adamw),
    ("clip_grad_norm", rules::clip_grad_norm),
    ("step_lr", rules::step_lr),
    ("cosine_annealing_lr", rules::cosine_annealing_lr),
    ("one_cycle_lr", rules::one_cycle_lr),
    ("warm_up", rules::warm_up),
];

#[test]
fn the_engine_reproduces_every_case() {
    on_every_isa("PyTorch's values", |_| golden::reproduce(&REPRODUCED));
}

/// Compares an output, or a loss, and the gradients that the case's `dy` makes.
fn output(case: &Case, y: &Var) -> Gradients {
    let gradients = match case.has("loss") {
        true => {
            assert_near(case, "loss", &[y.item().unwrap()], OPERATION);
            y.backward()
        }
        false => {
            assert_eq!(y.shape(), case.tensor("y").shape(), "{}", case.name);
            assert_near(case, "y", y.value().as_slice(), OPERATION);
            y.backward_from(case.tensor("dy"))
        }
    };
    gradients.unwrap()
}

fn gradient(case: &Case, name: &str, found: Option<elision::View<'_>>) {
    let found = found.expect("a gradient").to_tensor().unwrap();
    assert_near(case, &format!("d{name}"), found.as_slice(), OPERATION);
}

/// Compares a function of the tensors of some names, with all gradients that the case has.
fn check<const N: usize>(case: &Case, names: [&str; N], f: impl FnOnce([Var; N]) -> Result<Var>) {
    let tape = Tape::new();
    let leaves = names.map(|name| tape.variable(case.tensor(name)));
    let gradients = output(case, &f(leaves.clone()).unwrap());
    let mut compared = 0;
    for (name, leaf) in names.into_iter().zip(&leaves) {
        if case.has(&format!("d{name}")) {
            gradient(case, name, gradients.of(leaf));
            compared += 1;
        }
    }
    let given = case
        .names()
        .filter(|name| name.starts_with('d') && *name != "dy");
    assert_eq!(given.count(), compared, "gradients of {}", case.name);
}

fn linear(case: &Case) {
    let fused = Fused {
        activation: case.param("activation"),
        dropout: None,
    };
    check(case, ["x", "w", "bias"], |[x, w, bias]| {
        x.linear(&w, Some(&bias), &fused)
    });
}

fn window(case: &Case, kernel: [usize; 2]) -> Window {
    let [stride, padding] = ["stride", "padding"].map(|name| [case.integer(name); 2]);
    Window::new(kernel).stride(stride).padding(padding)
}

fn conv2d(case: &Case) {
    let shape = case.tensor("w").shape().to_vec();
    let window = window(case, [shape[1], shape[2]]).dilation([case.integer("dilation"); 2]);
    let conv = Conv2d::new(window).groups(case.integer("groups"));
    check(case, ["x", "w", "bias"], |[x, w, bias]| {
        x.conv2d(&w, Some(&bias), &conv, &Fused::default())
    });
}

fn max_pool2d(case: &Case) {
    let window = window(case, [case.integer("kernel"); 2]);
    check(case, ["x"], |[x]| x.max_pool2d(&window));
}

fn avg_pool2d(case: &Case) {
    let window = window(case, [case.integer("kernel"); 2]);
    check(case, ["x"], |[x]| x.avg_pool2d(&window));
}

fn embedding(case: &Case) {
    check(case, ["w"], |[w]| w.embedding(&case.labels("ids")));
}

fn eps(case: &Case) -> f32 {
    case.param("eps")
}

fn layer_norm(case: &Case) {
    check(case, ["x", "gamma", "beta"], |[x, gamma, beta]| {
        x.layer_norm(&gamma, &beta, eps(case))
    });
}

fn rms_norm(case: &Case) {
    check(case, ["x", "gamma"], |[x, gamma]| {
        x.rms_norm(&gamma, eps(case))
    });
}

/// The file's names of the parameters of the layer.
const BATCH_NORM: [(&str, &str); 4] = [
    ("weight", "gamma"),
    ("bias", "beta"),
    ("running_mean", "running_mean"),
    ("running_variance", "running_var"),
];

/// The layer, whose epsilon and momentum are PyTorch's: output, gradients, and the layer after the pass.
fn batch_norm(case: &Case, pass: &Pass) -> BatchNorm {
    assert_eq!((eps(case), case.number("momentum")), (1e-5, 0.1));
    let mut layer = BatchNorm::new(case.tensor("gamma").len()).unwrap();
    for ((name, own), (ours, theirs)) in layer.parameters_mut().into_iter().zip(BATCH_NORM) {
        assert_eq!(name, ours);
        own.set(case.tensor(theirs)).unwrap();
    }
    let x = Tape::new().variable(case.tensor("x"));
    let gradients = output(case, &layer.forward(&x, pass).unwrap());
    gradient(case, "x", gradients.of(&x));
    for ((_, own), name) in layer.parameters().into_iter().zip(["gamma", "beta"]) {
        gradient(case, name, gradients.get(own));
    }
    pass.take_updates().apply(&mut layer).unwrap();
    layer
}

fn batch_norm_training(case: &Case) {
    let layer = batch_norm(case, &Pass::train(key(1, &[]), 0));
    for (name, at) in [("new_running_mean", 2), ("new_running_var", 3)] {
        let (_, own) = layer.parameters()[at];
        assert_near(case, name, own.value().as_slice(), OPERATION);
    }
}

fn batch_norm_evaluation(case: &Case) {
    let layer = batch_norm(case, &Pass::eval());
    for (name, at) in [("running_mean", 2), ("running_var", 3)] {
        assert_eq!(layer.parameters()[at].1.value(), &case.tensor(name));
    }
}

/// With decisions that are given, dropout and its gradient are one function.
fn dropout(case: &Case) {
    let dropout = Dropout::new(key(1, &[]), case.number("p")).unwrap();
    let kept = Mask::from_bools(&case.kept("kept"));
    for (input, output) in [("x", "y"), ("dy", "dx")] {
        let found: Tensor =
            ops::dropout_backward(&case.tensor(input), &dropout, Some(&kept)).unwrap();
        assert_near(case, output, found.as_slice(), OPERATION);
    }
}

fn cross_entropy(case: &Case) {
    check(case, ["x"], |[x]| {
        x.cross_entropy(&case.labels("labels"), case.number("smoothing"))
    });
}

fn mse(case: &Case) {
    check(case, ["x", "target"], |[x, target]| {
        x.mean_squared_error(&target)
    });
}

fn gaussian_nll(case: &Case) {
    check(case, ["mean", "log_var"], |[mean, log_var]| {
        let target = mean.tape().constant(case.tensor("target"));
        mean.gaussian_nll(&log_var, &target)
    });
}

fn bce_with_logits(case: &Case) {
    check(case, ["x"], |[x]| {
        let target = x.tape().constant(case.tensor("target"));
        x.binary_cross_entropy_with_logits(&target)
    });
}
