//! PyTorch's values: the reference reproduces all of them.

#[path = "support/golden.rs"]
mod golden;
#[path = "support/golden_steps.rs"]
mod steps;
#[path = "support/golden_tape.rs"]
mod tape;

use elision::Activation;
use golden::Kind;

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
    golden::reproduce(&REPRODUCED);
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
