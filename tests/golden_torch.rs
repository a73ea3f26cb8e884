//! PyTorch's values: the reference reproduces all of them, and the operations those that are theirs.

#[path = "support/golden.rs"]
mod golden;
#[path = "support/golden_steps.rs"]
mod steps;
mod support;
#[path = "support/golden_tape.rs"]
mod tape;

use elision::{Activation, Dropout, Epilogue, Mask, ops};
use golden::{Case, Tolerance, assert_near, case, cases, cases_of};
use support::{key, on_every_isa};

/// Both sides compute in f64, and the file is rounded to f32.
const REFERENCE: Tolerance = Tolerance {
    relative: 1e-6,
    absolute: 1e-9,
};

/// Sums in f32 of a few products near 1.
const OPERATION: Tolerance = Tolerance {
    relative: 1e-5,
    absolute: 3e-6,
};

/// The first words of a case's name, and what reproduces such cases.
type Kind = (&'static str, fn(&Case));

/// All kinds. A name may go on after an underscore.
const REPRODUCED: [Kind; 22] = [
    ("linear", tape::linear),
    ("conv2d", tape::conv2d),
    ("max_pool2d", tape::max_pool2d),
    ("avg_pool2d", tape::avg_pool2d),
    ("embedding", tape::embedding),
    ("layer_norm", tape::layer_norm),
    ("rms_norm", tape::rms_norm),
    ("batch_norm_training", tape::batch_norm_training),
    ("batch_norm_evaluation", tape::batch_norm_evaluation),
    ("dropout", tape::dropout),
    ("cross_entropy", tape::cross_entropy),
    ("mse", tape::mse),
    ("gaussian_nll", tape::gaussian_nll),
    ("bce_with_logits", tape::bce_with_logits),
    ("sgd", steps::sgd),
    ("adam", steps::adam),
    ("adamw", steps::adamw),
    ("clip_grad_norm", steps::clip_grad_norm),
    ("step_lr", steps::step_lr),
    ("cosine_annealing_lr", steps::cosine_annealing_lr),
    ("one_cycle_lr", steps::one_cycle_lr),
    ("warm_up", steps::warm_up),
];

#[test]
fn the_reference_reproduces_every_case() {
    let mut used = [false; REPRODUCED.len()];
    for case in cases() {
        let fits = |(name, _): &Kind| {
            let rest = case.name.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        };
        let found = REPRODUCED.iter().position(fits);
        let found = found.unwrap_or_else(|| panic!("nothing reproduces {}", case.name));
        REPRODUCED[found].1(&case);
        used[found] = true;
    }
    assert_eq!(used, [true; REPRODUCED.len()], "every kind has a case");
}

#[test]
fn the_file_names_the_version_of_torch() {
    assert_eq!(golden::golden().torch, "2.13.0");
}

#[test]
fn a_comment_and_an_empty_line_are_read() {
    let golden = golden::parse("# a\n\ntorch 1\ncase a # b\nparam p relu\ntensor x () : 1.5\n");
    let case = &golden.cases[0];
    assert_eq!((&golden.torch[..], &case.name[..]), ("1", "a"));
    assert_eq!(case.param::<Activation>("p"), Activation::Relu);
    assert_eq!(
        (case.tensor("x").shape(), case.array("x").data),
        (&[][..], vec![1.5])
    );
}

#[test]
fn a_bad_line_is_named() {
    for bad in [
        "tensor y 2 : 1",
        "tensor y 2 : 1 a",
        "tensor y 1xa : 1",
        "tensor y 1 1",
        "tensor x 1 : 1",
        "param p",
        "param p 1 2",
        "case a",
        "nonsense",
    ] {
        let text = format!("case a\ntensor x 1 : 1\n{bad}\n");
        let message = std::panic::catch_unwind(|| golden::parse(&text)).err();
        let message = message.unwrap_or_else(|| panic!("`{bad}` was read"));
        let message = message.downcast_ref::<String>().expect("a message");
        assert!(message.starts_with("line 3: "), "{bad}: {message}");
    }
}

#[test]
fn linear_and_activations() {
    on_every_isa("PyTorch's linear layers", |_| {
        for case in cases_of("linear_") {
            let [x, w, bias, dy] = ["x", "w", "bias", "dy"].map(|name| case.tensor(name));
            let layer = Epilogue {
                bias: Some(bias.view()),
                activation: case.param("activation"),
                dropout: None,
            };
            let (y, saved) = ops::linear(&x, &w, &layer).unwrap();
            let grads = ops::linear_backward(&dy, &x, &w, &layer, &saved).unwrap();
            for (name, found) in [
                ("y", y),
                ("dx", grads.x),
                ("dw", grads.w),
                ("dbias", grads.bias),
            ] {
                assert_near(&case, name, found.as_slice(), OPERATION);
            }
        }
    });
}

#[test]
fn cross_entropy() {
    on_every_isa("PyTorch's cross-entropy", |_| {
        let case = case("cross_entropy");
        let x = case.tensor("x");
        let mut dx = x.clone();
        let labels = case.labels("labels");
        let loss = ops::softmax_cross_entropy(&x, &labels, Some(dx.view_mut())).unwrap();
        assert_near(&case, "loss", &[loss], OPERATION);
        assert_near(&case, "dx", dx.as_slice(), OPERATION);
    });
}

/// With decisions that are given, dropout and its gradient are one function.
#[test]
fn dropout() {
    on_every_isa("PyTorch's dropout", |_| {
        let case = case("dropout");
        let dropout = Dropout::new(key(1, &[]), case.number("p")).unwrap();
        let kept = Mask::from_bools(&case.kept("kept"));
        for (input, output) in [("x", "y"), ("dy", "dx")] {
            let found = ops::dropout_backward(&case.tensor(input), &dropout, Some(&kept));
            assert_near(&case, output, found.unwrap().as_slice(), OPERATION);
        }
    });
}

#[test]
fn steps_of_sgd() {
    on_every_isa("PyTorch's SGD", |_| {
        for case in ["sgd", "sgd_momentum"].map(case) {
            let [learning_rate, momentum] = ["lr", "momentum"].map(|name| case.number(name) as f32);
            let parameters = ops::SgdParameters {
                learning_rate,
                momentum,
                ..ops::SgdParameters::default()
            };
            let mut w = case.tensor("w").into_vec();
            let (mut velocity, mut after) = (vec![0.0; w.len()], Vec::new());
            for g in case.tensor("g").as_slice().chunks(w.len()) {
                ops::sgd_step(&mut w, &mut velocity, g, &parameters).unwrap();
                after.extend_from_slice(&w);
            }
            assert_near(&case, "w_after", &after, OPERATION);
        }
    });
}

#[test]
fn steps_of_adam() {
    on_every_isa("PyTorch's Adam", |_| {
        let case = case("adam");
        let [learning_rate, beta1, beta2, epsilon] =
            ["lr", "beta1", "beta2", "eps"].map(|name| case.number(name) as f32);
        let parameters = ops::AdamParameters {
            learning_rate,
            beta1,
            beta2,
            epsilon,
            ..ops::AdamParameters::default()
        };
        let mut w = case.tensor("w").into_vec();
        let (mut mean, mut square) = (vec![0.0; w.len()], vec![0.0; w.len()]);
        let mut after = Vec::new();
        for (g, t) in case.tensor("g").as_slice().chunks(w.len()).zip(1..) {
            ops::adam_step(&mut w, [&mut mean, &mut square], g, &parameters, t).unwrap();
            after.extend_from_slice(&w);
        }
        assert_near(&case, "w_after", &after, OPERATION);
    });
}
