//! The loop over epochs: what it does in what order, and when it stops.

mod support;
#[path = "support/training.rs"]
mod training;

use elision::nn::{Layer, Linear, Sequential};
use elision::train::{
    Callback, Control, Epoch, Fit, History, Loss, Optimizer, Progress, Samples, Stopped, Targets,
    Trainer, TrainerState, Watch, shuffled,
};
use elision::{Error, Key, Result, Tensor};
use support::on_threads;
use training::{adam, clusters, sgd, trainer, weights};

/// Notes all it is told, and stops after a step or an epoch.
#[derive(Default)]
struct Notes {
    before: Vec<u64>,
    batches: Vec<Progress>,
    epochs: Vec<(Epoch, Vec<u32>)>,
    last_step: Option<u64>,
    last_epoch: Option<u64>,
}

fn control(stop: bool) -> Control {
    if stop {
        Control::Stop
    } else {
        Control::Continue
    }
}

impl Callback for Notes {
    fn before_step(&mut self, step: u64, _: &mut dyn Layer) -> Result<()> {
        self.before.push(step);
        Ok(())
    }

    fn batch(&mut self, progress: &Progress) -> Control {
        self.batches.push(progress.clone());
        control(self.last_step == Some(progress.step))
    }

    fn epoch(&mut self, epoch: &Epoch, trainer: &dyn TrainerState) -> Result<Control> {
        assert_eq!(trainer.steps(), epoch.step);
        self.epochs.push((epoch.clone(), weights(trainer.model())));
        Ok(control(self.last_epoch == Some(epoch.epoch)))
    }
}

/// Of 50 rows in batches of 16, the fourth of an epoch has 2.
fn run(fit: &Fit, notes: &mut Notes) -> (History, Trainer<Sequential>) {
    let samples = clusters(50);
    let mut trainer = trainer(0.3, adam(0.01));
    let history = trainer
        .fit(&samples, Some(&clusters(30)), fit, notes)
        .unwrap();
    (history, trainer)
}

#[test]
fn epochs_are_steps_on_batches_in_the_order_of_their_key() {
    let mut notes = Notes::default();
    let (history, fitted) = run(&Fit::new(3, 16), &mut notes);
    let samples = clusters(50);
    let mut by_hand = trainer(0.3, adam(0.01));
    let mut seen = Vec::new();
    for epoch in 1..=3 {
        let order = shuffled(by_hand.key().named("order").fold_in(epoch), 50);
        for rows in order.chunks(16) {
            seen.push(by_hand.step_rows(&samples, rows).unwrap());
        }
    }
    assert_eq!(weights(fitted.model()), weights(by_hand.model()));
    assert_eq!(
        notes
            .batches
            .iter()
            .map(|batch| batch.train)
            .collect::<Vec<_>>(),
        seen
    );
    assert_eq!(notes.before, (0..12).collect::<Vec<_>>());
    let at: Vec<_> = notes.batches[3..5]
        .iter()
        .map(|b| (b.epoch, b.step, b.batch))
        .collect();
    assert_eq!(at, [(1, 4, 4), (2, 5, 1)]);
    assert_eq!(notes.batches[0].batches, 4);
    let [first, .., last] = &history.epochs[..] else {
        panic!("three epochs")
    };
    assert_eq!((first.epoch, first.step, first.train.rows), (1, 4, 50));
    assert_eq!(
        last.validation,
        Some(by_hand.evaluate(&clusters(30)).unwrap())
    );
    assert_eq!((history.epochs.len(), history.stopped), (3, None));
}

#[test]
fn threads_do_not_change_a_history() {
    let runs = [1, 2, 4].map(|threads| {
        on_threads(threads, || {
            let (history, trainer) = run(&Fit::new(3, 16), &mut Notes::default());
            (history, weights(trainer.model()))
        })
    });
    assert!(runs[0] == runs[1] && runs[0] == runs[2]);
}

#[test]
fn rows_come_in_their_order_unless_shuffled() {
    let fit = Fit {
        shuffle: false,
        ..Fit::new(1, 16)
    };
    let (_, fitted) = run(&fit, &mut Notes::default());
    let mut by_hand = trainer(0.3, adam(0.01));
    for rows in (0..50).collect::<Vec<_>>().chunks(16) {
        by_hand.step_rows(&clusters(50), rows).unwrap();
    }
    assert_eq!(weights(fitted.model()), weights(by_hand.model()));
}

#[test]
fn a_callback_stops_within_an_epoch_and_the_next_call_goes_on() {
    let (whole, uninterrupted) = run(&Fit::new(3, 16), &mut Notes::default());
    for stop in [1, 6, 8] {
        let mut notes = Notes {
            last_step: Some(stop),
            ..Notes::default()
        };
        let (history, mut trainer) = run(&Fit::new(3, 16), &mut notes);
        assert_eq!(history.stopped, Some(Stopped::Callback));
        assert_eq!(
            (trainer.steps(), history.epochs.len() as u64),
            (stop, stop / 4)
        );
        let parts = (clusters(50), clusters(30));
        let rest = trainer
            .fit(&parts.0, Some(&parts.1), &Fit::new(3, 16), &mut ())
            .unwrap();
        assert_eq!(weights(trainer.model()), weights(uninterrupted.model()));
        assert_eq!(rest.epochs.last(), whole.epochs.last());
        let none = trainer
            .fit(&parts.0, None, &Fit::new(3, 16), &mut ())
            .unwrap();
        assert_eq!((none, trainer.steps()), (History::default(), 12));
    }
    let mut notes = Notes {
        last_epoch: Some(2),
        ..Notes::default()
    };
    let (history, trainer) = run(&Fit::new(3, 16), &mut notes);
    assert_eq!(
        (trainer.steps(), history.stopped),
        (8, Some(Stopped::Callback))
    );
}

/// A line that steps of this rate overshoot from some epoch on.
fn diverging() -> (Trainer<Linear>, Samples) {
    let x = Tensor::from_slice(&[-1.0, 0.5, 1.0, 2.0], &[4, 1]).unwrap();
    let samples = Samples::new(x.clone(), Targets::Values(x)).unwrap();
    let model = Linear::new(1, 1, Key::new(1)).unwrap();
    let optimizer = Optimizer::new(sgd(0.9)).unwrap();
    (
        Trainer::new(model, optimizer, Loss::MeanSquaredError, Key::new(2)),
        samples,
    )
}

#[test]
fn patience_runs_out_and_the_best_model_is_kept() {
    let (mut trainer, samples) = diverging();
    let fit = Fit {
        patience: Some(4),
        keep_best: true,
        ..Fit::new(1000, 4)
    };
    let mut notes = Notes::default();
    let history = trainer
        .fit(&samples, Some(&samples), &fit, &mut notes)
        .unwrap();
    assert_eq!(history.stopped, Some(Stopped::Patience));
    let losses = history
        .epochs
        .iter()
        .map(|epoch| epoch.validation.unwrap().loss);
    let losses: Vec<f64> = losses.collect();
    let best = history.best.unwrap();
    assert_eq!(losses.len() as u64, best + 4);
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(losses[best as usize - 1], least);
    assert_eq!(weights(trainer.model()), notes.epochs[best as usize - 1].1);
    assert_ne!(weights(trainer.model()), notes.epochs.last().unwrap().1);

    let (mut last, samples) = diverging();
    let fit = Fit {
        keep_best: false,
        ..fit
    };
    last.fit(&samples, Some(&samples), &fit, &mut ()).unwrap();
    assert_eq!(weights(last.model()), notes.epochs.last().unwrap().1);
}

#[test]
fn accuracy_can_be_watched() {
    let fit = Fit {
        patience: Some(3),
        watch: Watch::Accuracy,
        ..Fit::new(200, 16)
    };
    let (history, _) = run(&fit, &mut Notes::default());
    let scores = history
        .epochs
        .iter()
        .map(|epoch| epoch.validation.unwrap().accuracy());
    let scores: Vec<f64> = scores.collect();
    let best = history.best.unwrap() as usize;
    assert!(
        scores[..best - 1]
            .iter()
            .all(|score| *score < scores[best - 1])
    );
    assert_eq!(
        (scores.len(), history.stopped),
        (best + 3, Some(Stopped::Patience))
    );
}

#[test]
fn the_epoch_tells_the_rate_of_its_last_step() {
    let schedule = elision::train::Schedule::step(4, 0.5).unwrap();
    let config = elision::train::OptimizerConfig {
        schedule,
        ..sgd(0.1)
    };
    let mut trainer = trainer(0.0, config);
    let history = trainer
        .fit(&clusters(50), None, &Fit::new(2, 16), &mut ())
        .unwrap();
    let rates = history.epochs.iter().map(|epoch| epoch.learning_rate);
    assert_eq!(rates.collect::<Vec<_>>(), [0.1, 0.05]);
}

#[test]
fn what_cannot_be_done_is_refused_before_the_first_step() {
    let (samples, fit) = (clusters(6), Fit::new(1, 4));
    let none = samples.split_last(6).unwrap().0;
    let mut trainer = trainer(0.0, sgd(0.1));
    let mut refuse = |train: &Samples, fit: Fit| {
        let refused = trainer.fit(train, None, &fit, &mut ()).unwrap_err();
        assert_eq!(trainer.steps(), 0);
        refused
    };
    let no_batch = Fit {
        batch: 0,
        ..fit.clone()
    };
    assert!(matches!(refuse(&samples, no_batch), Error::Empty(_)));
    assert!(matches!(refuse(&none, fit.clone()), Error::Empty(_)));
    let patience = |patience| Fit {
        patience: Some(patience),
        ..fit.clone()
    };
    assert!(matches!(
        refuse(&samples, patience(0)),
        Error::Number { .. }
    ));
    assert!(matches!(
        refuse(&samples, patience(1)),
        Error::Unsupported(_)
    ));
    let keep = Fit {
        keep_best: true,
        ..fit.clone()
    };
    assert!(matches!(refuse(&samples, keep), Error::Unsupported(_)));
    let (mut trainer, line) = diverging();
    let watch = Fit {
        watch: Watch::Accuracy,
        ..patience(1)
    };
    let refused = trainer.fit(&line, Some(&line), &watch, &mut ());
    assert!(matches!(refused, Err(Error::Unsupported(_))));
}
