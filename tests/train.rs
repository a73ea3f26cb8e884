//! The trainer: its gradients, its randomness, and what it refuses.

use elision::train::{
    Batch, LayerConfig, Mlp, MlpConfig, Optimizer, Trainer, gather_rows, shuffled,
};
use elision::{Activation, Error, Isa, Key, Tensor, View};

fn config(p: f64) -> MlpConfig {
    let hidden = |activation| LayerConfig {
        units: 24,
        activation,
        p,
    };
    let output = LayerConfig {
        units: 3,
        activation: Activation::Identity,
        p: 0.0,
    };
    let layers = vec![
        hidden(Activation::Relu),
        hidden(Activation::GeluTanh),
        output,
    ];
    MlpConfig {
        inputs: 5,
        input_p: p / 2.0,
        layers,
    }
}

/// Points around three centres, and the centre of each.
fn clusters(rows: usize) -> (Tensor, Vec<u32>) {
    let key = Key::new(11);
    let noise = |i: u64| (key.fold_in(i).to_u128() >> 104) as f32 / 8_388_608.0 - 1.0;
    let labels: Vec<u32> = (0..rows as u32).map(|i| i % 3).collect();
    let data = (0..rows * 5).map(|i| {
        let centre = f32::from(u8::from(labels[i / 5] as usize == i % 5));
        2.0 * centre + 0.5 * noise(i as u64)
    });
    (
        Tensor::from_vec(data.collect(), &[rows, 5]).unwrap(),
        labels,
    )
}

fn trainer(p: f64, optimizer: Optimizer) -> Trainer {
    let mlp = Mlp::new(&config(p), Key::new(1)).unwrap();
    Trainer::new(mlp, optimizer, Key::new(2)).unwrap()
}

fn train(p: f64, optimizer: Optimizer, steps: usize) -> (Vec<Batch>, Tensor, Batch) {
    let (x, labels) = clusters(60);
    let mut trainer = trainer(p, optimizer);
    let batches = (0..steps)
        .map(|_| trainer.step(&x, &labels).unwrap())
        .collect();
    let logits = trainer.model().logits(&x).unwrap();
    (batches, logits, trainer.evaluate(&x, &labels).unwrap())
}

#[test]
fn a_step_without_momentum_goes_down_the_gradient() {
    // For a small step of rate r along -g, the loss falls by r |g|^2, and twice the rate by twice as much.
    let fall = |rate: f32| {
        let (x, labels) = clusters(60);
        let mut trainer = trainer(0.0, Optimizer::sgd(rate, 0.0).unwrap());
        let before = trainer.evaluate(&x, &labels).unwrap().loss;
        trainer.step(&x, &labels).unwrap();
        before - trainer.evaluate(&x, &labels).unwrap().loss
    };
    let (one, two) = (fall(2e-4), fall(4e-4));
    assert!(
        one > 0.0 && (two / one - 2.0).abs() < 0.05,
        "{one} and {two}"
    );
}

#[test]
fn it_learns_with_and_without_dropout() {
    for (p, optimizer) in [
        (0.0, Optimizer::sgd(0.1, 0.9).unwrap()),
        (0.3, Optimizer::sgd(0.1, 0.9).unwrap()),
        (0.0, Optimizer::adam(0.01).unwrap()),
        (0.3, Optimizer::adam(0.01).unwrap()),
    ] {
        let (_, _, after) = train(p, optimizer, 150);
        assert!(after.correct >= 58, "{optimizer:?} p = {p}: {after:?}");
    }
}

#[test]
fn the_same_key_gives_the_same_network_on_any_number_of_threads() {
    for &isa in Isa::available() {
        let runs = [1, 2, 3, 8].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| isa.install(|| train(0.4, Optimizer::adam(0.01).unwrap(), 20)))
        });
        assert!(runs.windows(2).all(|pair| pair[0] == pair[1]), "{isa}");
    }
}

#[test]
fn dropout_changes_training_and_not_inference() {
    let (x, labels) = clusters(60);
    let mut with = trainer(0.5, Optimizer::sgd(1e-9, 0.0).unwrap());
    let without = trainer(0.0, Optimizer::sgd(1e-9, 0.0).unwrap());
    let same = with.model().logits(&x).unwrap() == without.model().logits(&x).unwrap();
    assert!(same, "the weights do not depend on the rates");
    let losses: Vec<f64> = (0..3)
        .map(|_| with.step(&x, &labels).unwrap().loss)
        .collect();
    assert!(
        losses[0] != losses[1] && losses[1] != losses[2],
        "each step has masks of its own"
    );
}

#[test]
fn a_refused_batch_changes_nothing() {
    let (x, labels) = clusters(6);
    let mut trainer = trainer(0.2, Optimizer::adam(0.01).unwrap());
    trainer.step(&x, &labels).unwrap();
    let before = trainer.model().logits(&x).unwrap();
    assert_eq!(
        trainer.step(&x, &[0, 1, 2, 3, 0, 1]),
        Err(Error::Label {
            row: 3,
            label: 3,
            classes: 3
        })
    );
    assert!(matches!(
        trainer.step(&x, &labels[1..]),
        Err(Error::Shape { .. })
    ));
    let empty = Tensor::zeros(&[0, 5]).unwrap();
    assert!(matches!(trainer.step(&empty, &[]), Err(Error::Empty(_))));
    assert_eq!(trainer.model().logits(&x).unwrap(), before);
    assert_eq!(trainer.steps(), 1);
}

#[test]
fn impossible_networks_and_rates_are_errors() {
    let key = Key::new(0);
    for p in [f64::NAN, -0.1, 1.5] {
        assert!(matches!(
            Mlp::new(&config(p), key),
            Err(Error::Probability(_))
        ));
    }
    let none = MlpConfig {
        layers: vec![],
        ..config(0.0)
    };
    let no_inputs = MlpConfig {
        inputs: 0,
        ..config(0.0)
    };
    let mut no_units = config(0.0);
    no_units.layers[1].units = 0;
    for config in [none, no_inputs, no_units] {
        assert!(matches!(Mlp::new(&config, key), Err(Error::Empty(_))));
    }
    let mut huge = config(0.0);
    huge.layers[0].units = usize::MAX / 2;
    assert!(matches!(Mlp::new(&huge, key), Err(Error::Overflow(_))));
    for rate in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        assert!(Optimizer::sgd(rate, 0.0).is_err() && Optimizer::adam(rate).is_err());
    }
    for momentum in [-0.1, 1.0, f32::NAN] {
        assert!(Optimizer::sgd(0.1, momentum).is_err());
    }
}

#[test]
fn a_rate_of_one_trains_the_biases_alone() {
    let (batches, _, after) = train(1.0, Optimizer::sgd(0.1, 0.9).unwrap(), 30);
    assert!(batches.iter().all(|batch| batch.loss.is_finite()));
    assert!(after.loss.is_finite());
}

#[test]
fn shuffles_are_fair_permutations() {
    // Element 0 lands on each of 8 places equally often: chi-square with 7 degrees, 1e-6 beyond 40.5.
    let (n, draws) = (8, 80_000);
    let mut landed = vec![0_u32; n];
    for i in 0..draws {
        let order = shuffled(Key::new(5).fold_in(i), n);
        landed[order.iter().position(|&row| row == 0).unwrap()] += 1;
    }
    let expected = draws as f64 / n as f64;
    let chi: f64 = landed
        .iter()
        .map(|&k| (f64::from(k) - expected).powi(2) / expected)
        .sum();
    assert!(chi < 40.5, "{landed:?}");
    assert_eq!(shuffled(Key::new(0), 0), []);
}

#[test]
fn rows_are_gathered_through_any_strides() {
    let data: Vec<f32> = (0..12).map(|i| i as f32).collect();
    let turned = View::contiguous(&data, &[3, 4])
        .unwrap()
        .transpose(0, 1)
        .unwrap();
    let rows = gather_rows(turned, &[3, 0, 3]).unwrap();
    assert_eq!(
        rows.as_slice(),
        [3.0, 7.0, 11.0, 0.0, 4.0, 8.0, 3.0, 7.0, 11.0]
    );
    assert!(matches!(
        gather_rows(turned, &[4]),
        Err(Error::Range { .. })
    ));
    assert!(matches!(
        gather_rows(View::contiguous(&data, &[12]).unwrap(), &[0]),
        Err(Error::Rank { .. })
    ));
    assert_eq!(gather_rows(turned, &[]).unwrap().shape(), [0, 3]);
}
