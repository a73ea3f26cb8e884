//! The cases of layers and losses on the reference tape.

use elision::Activation;
use elision::reference::tape::{Conv2d, Pool2d, Tape, Value, column_statistics};

use crate::golden::{Case, REFERENCE, assert_near};

/// A case on a tape: all tensors that are named are leaves.
struct Run<'a> {
    case: &'a Case,
    tape: Tape,
    leaves: Vec<(&'static str, Value)>,
}

impl<'a> Run<'a> {
    fn new<const N: usize>(case: &'a Case, names: [&'static str; N]) -> (Self, [Value; N]) {
        let mut tape = Tape::default();
        let values = names.map(|name| tape.leaf(case.array(name)));
        let leaves = names.into_iter().zip(values).collect();
        (Self { case, tape, leaves }, values)
    }

    /// Compares an output, and the gradients that the case's `dy` makes.
    fn output(mut self, y: Value) {
        let dy = self.tape.leaf(self.case.array("dy"));
        assert_eq!(self.tape.value(y).shape, self.tape.value(dy).shape);
        assert_near(self.case, "y", &self.tape.value(y).data, REFERENCE);
        let products = self.tape.mul(y, dy);
        let loss = self.tape.sum(products, None);
        self.gradients(loss);
    }

    /// Compares a loss and its gradients.
    fn loss(self, loss: Value) {
        assert_near(self.case, "loss", &self.tape.value(loss).data, REFERENCE);
        self.gradients(loss);
    }

    /// Compares every gradient that the case has.
    fn gradients(self, loss: Value) {
        let mut grads = self.tape.backward(loss);
        let mut found = Vec::new();
        for (name, leaf) in self.leaves {
            if self.case.has(&format!("d{name}")) {
                let grad = grads[leaf.index()].take().expect("a gradient");
                assert_near(self.case, &format!("d{name}"), &grad.data, REFERENCE);
                found.push(format!("d{name}"));
            }
        }
        let given = self
            .case
            .names()
            .filter(|name| name.starts_with('d') && *name != "dy");
        assert_eq!(
            given.count(),
            found.len(),
            "{}: only {found:?}",
            self.case.name
        );
    }
}

pub(crate) fn linear(case: &Case) {
    let (mut run, [x, w, bias]) = Run::new(case, ["x", "w", "bias"]);
    let z = run.tape.linear(x, w, Some(bias));
    let y = run.tape.activate(z, case.param::<Activation>("activation"));
    run.output(y);
}

pub(crate) fn conv2d(case: &Case) {
    let conv = Conv2d {
        stride: [case.integer("stride"); 2],
        padding: [case.integer("padding"); 2],
        dilation: [case.integer("dilation"); 2],
        groups: case.integer("groups"),
    };
    let (mut run, [x, w, bias]) = Run::new(case, ["x", "w", "bias"]);
    let y = run.tape.conv2d(x, w, conv);
    let y = run.tape.add(y, bias);
    run.output(y);
}

pub(crate) fn max_pool2d(case: &Case) {
    let (mut run, [x]) = Run::new(case, ["x"]);
    let y = run.tape.max_pool2d(x, pool(case));
    run.output(y);
}

pub(crate) fn avg_pool2d(case: &Case) {
    let (mut run, [x]) = Run::new(case, ["x"]);
    let y = run.tape.avg_pool2d(x, pool(case));
    run.output(y);
}

fn pool(case: &Case) -> Pool2d {
    Pool2d {
        kernel: [case.integer("kernel"); 2],
        stride: [case.integer("stride"); 2],
        padding: [case.integer("padding"); 2],
    }
}

pub(crate) fn embedding(case: &Case) {
    let (mut run, [w]) = Run::new(case, ["w"]);
    let y = run.tape.embedding(w, &case.labels("ids"));
    run.output(y);
}

pub(crate) fn layer_norm(case: &Case) {
    let (mut run, [x, gamma, beta]) = Run::new(case, ["x", "gamma", "beta"]);
    let y = run.tape.layer_norm(x, gamma, beta, case.number("eps"));
    run.output(y);
}

pub(crate) fn rms_norm(case: &Case) {
    let (mut run, [x, gamma]) = Run::new(case, ["x", "gamma"]);
    let y = run.tape.rms_norm(x, gamma, case.number("eps"));
    run.output(y);
}

pub(crate) fn batch_norm_training(case: &Case) {
    let (mut run, [x, gamma, beta]) = Run::new(case, ["x", "gamma", "beta"]);
    let y = run.tape.batch_norm(x, gamma, beta, case.number("eps"));
    let (statistics, momentum) = (
        column_statistics(run.tape.value(x)),
        case.number("momentum"),
    );
    run.output(y);

    // The running variance is of the unbiased one, whose divisor is one less.
    let n = (case.array("x").data.len() / statistics.len()) as f64;
    let (means, variances): (Vec<f64>, Vec<f64>) = statistics.into_iter().unzip();
    let unbiased = variances
        .iter()
        .map(|variance| variance * n / (n - 1.0))
        .collect();
    for (running, updated, batch) in [
        ("running_mean", "new_running_mean", means),
        ("running_var", "new_running_var", unbiased),
    ] {
        let pairs = case.array(running).data.into_iter().zip(batch);
        let found = pairs.map(|(old, new)| (1.0 - momentum) * old + momentum * new);
        assert_near(case, updated, &found.collect::<Vec<_>>(), REFERENCE);
    }
}

pub(crate) fn batch_norm_evaluation(case: &Case) {
    let (mut run, [x, gamma, beta]) = Run::new(case, ["x", "gamma", "beta"]);
    let eps = case.number("eps");
    let mean = run.tape.leaf(case.array("running_mean"));
    let root = run
        .tape
        .leaf(case.array("running_var").map(|var| (var + eps).sqrt()));
    let y = run.tape.sub(x, mean);
    let y = run.tape.div(y, root);
    let y = run.tape.mul(y, gamma);
    let y = run.tape.add(y, beta);
    run.output(y);
}

pub(crate) fn dropout(case: &Case) {
    let (mut run, [x]) = Run::new(case, ["x"]);
    let scale = 1.0 / (1.0 - case.number("p"));
    let y = run.tape.mask(x, &case.kept("kept"), scale);
    run.output(y);
}

pub(crate) fn cross_entropy(case: &Case) {
    let (mut run, [x]) = Run::new(case, ["x"]);
    let labels = case.labels("labels");
    let loss = run.tape.cross_entropy(x, &labels, case.number("smoothing"));
    run.loss(loss);
}

pub(crate) fn mse(case: &Case) {
    let (mut run, [x, target]) = Run::new(case, ["x", "target"]);
    let loss = run.tape.mse(x, target);
    run.loss(loss);
}

pub(crate) fn gaussian_nll(case: &Case) {
    let (mut run, [mean, log_var, target]) = Run::new(case, ["mean", "log_var", "target"]);
    let loss = run.tape.gaussian_nll(mean, log_var, target);
    run.loss(loss);
}

pub(crate) fn bce_with_logits(case: &Case) {
    let (mut run, [x, target]) = Run::new(case, ["x", "target"]);
    let loss = run.tape.bce_with_logits(x, target);
    run.loss(loss);
}
