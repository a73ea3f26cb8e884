//! The rate controller as a controller: rest, limits, directions, and runs that it steers.

mod support;
#[path = "support/training.rs"]
mod training;

use elision::nn::rates;
use elision::train::{
    Callback, Checkpoint, Control, ControllerSettings, Epoch, Fit, Optimizer, RateController,
    RateFeedback, Samples, Trainer, TrainerState, evaluate,
};
use elision::{CheckpointFault, Error, Key, Result};
use training::{CLASSES, adam, clusters, mlp, mlp_of, trainer, weights};

const QUICK: ControllerSettings = ControllerSettings {
    smoothing: 0.0,
    dead_band: 0.0,
    ..ControllerSettings::new(0.3, 0.1)
};

fn controller(settings: ControllerSettings) -> RateController {
    RateController::new(settings).unwrap()
}

/// The rates after epochs with these gaps.
fn after(settings: ControllerSettings, gaps: &[f64]) -> Vec<f64> {
    let mut controller = controller(settings);
    let update = |gap: &f64| controller.update(1.0, 1.0 + gap).unwrap();
    gaps.iter().map(update).collect()
}

#[test]
fn a_gap_as_it_should_be_is_at_rest() {
    let exact = ControllerSettings {
        gap: 0.125,
        ..QUICK
    };
    assert_eq!(after(exact, &[0.125; 20]), [0.3; 20]);
    // From anywhere, and with a sum of errors behind it.
    let rates = after(exact, &[0.15, 0.15, 0.11, 0.125, 0.125, 0.125]);
    assert_ne!(rates[2], 0.3);
    assert_eq!(rates[2..], [rates[2]; 4]);
}

#[test]
fn nothing_changes_within_the_dead_band() {
    let banded = ControllerSettings {
        dead_band: 0.02,
        gap: 0.125,
        ..QUICK
    };
    assert_eq!(after(banded, &[0.125, 0.14, 0.11, 0.144, 0.106]), [0.3; 5]);
    let rates = after(banded, &[0.2, 0.13, 0.12, 0.2]);
    assert!(rates[0] > 0.3 && rates[1] == rates[0] && rates[2] == rates[0]);
    // The epochs within the band leave no trace.
    assert_eq!(rates[3], after(banded, &[0.2, 0.2])[1]);
}

#[test]
fn it_answers_in_the_right_direction_and_more_to_more() {
    let up = after(QUICK, &[0.15; 40]);
    assert!(
        up[0] > 0.3 && up.windows(2).all(|pair| pair[1] >= pair[0]),
        "{up:?}"
    );
    let down = after(QUICK, &[0.05; 40]);
    assert!(
        down[0] < 0.3 && down.windows(2).all(|pair| pair[1] <= pair[0]),
        "{down:?}"
    );
    let first = |gap| after(QUICK, &[gap])[0];
    let answers: Vec<f64> = (-20..20)
        .map(|i| first(0.1 + f64::from(i) / 100.0))
        .collect();
    assert!(answers.windows(2).all(|pair| pair[1] >= pair[0]));
    // Proportional and integral part of the first error, by hand.
    assert!((first(0.12) - (0.3 + 0.5 * 0.02 + 0.1 * 0.02)).abs() < 1e-12);
}

#[test]
fn it_moves_by_so_much_and_stays_within_its_limits() {
    let limited = ControllerSettings {
        min: 0.1,
        max: 0.45,
        ..QUICK
    };
    for gaps in [[100.0; 10], [-100.0; 10]] {
        let mut before = 0.3;
        for rate in after(limited, &gaps) {
            assert!((rate - before).abs() <= 0.05 + 1e-15, "{before} {rate}");
            assert!((0.1..=0.45).contains(&rate));
            before = rate;
        }
        assert!(before == 0.1 || before == 0.45, "{before}");
    }
}

#[test]
fn it_does_not_wind_up() {
    for (gap, back) in [(5.0, -0.05), (-5.0, 0.25)] {
        let long = after(QUICK, &[vec![gap; 1000], vec![back]].concat());
        let limit = long[999];
        assert!([QUICK.min, QUICK.max].contains(&limit));
        // The first error of the other sign moves the rate, however long it was at its limit.
        let short = after(QUICK, &[vec![gap; 20], vec![back]].concat());
        assert_ne!(long[1000], limit);
        assert_eq!(long[1000], short[20]);
    }
}

#[test]
fn a_loop_comes_to_rest_at_the_gap() {
    // A model whose gap falls as more is dropped.
    let gap_at = |rate: f64| 0.4 - 0.5 * rate;
    for rate in [0.0, 0.4, 0.8] {
        let settings = ControllerSettings {
            rate,
            ..ControllerSettings::new(rate, 0.15)
        };
        let mut controller = controller(settings);
        for _ in 0..300 {
            let gap = gap_at(controller.rate());
            controller.update(0.5, 0.5 + gap).unwrap();
        }
        let gap = gap_at(controller.rate());
        assert!(
            (gap - 0.15).abs() <= settings.dead_band + 1e-6,
            "{rate}: {gap}"
        );
    }
}

#[test]
fn the_mean_of_the_gaps_is_smooth() {
    let smooth = ControllerSettings {
        smoothing: 0.75,
        dead_band: 0.1,
        ..QUICK
    };
    // The first gap is the first mean; an outlier of 0.3 moves it by a quarter of that.
    assert_eq!(after(smooth, &[0.1, 0.4, 0.1]), [0.3; 3]);
    assert!(after(smooth, &[0.4])[0] > 0.3);
}

#[test]
fn a_loss_that_is_no_number_is_an_error() {
    let mut steered = controller(QUICK);
    steered.update(0.5, 0.7).unwrap();
    let before = steered;
    for [train, validation] in [
        [f64::NAN, 0.5],
        [0.5, f64::NAN],
        [0.5, f64::INFINITY],
        [-f64::MAX, f64::MAX],
    ] {
        let result = steered.update(train, validation);
        assert!(matches!(result, Err(Error::Number { .. })), "{result:?}");
        assert_eq!(steered, before);
    }
}

#[test]
fn settings_are_checked() {
    for wrong in [
        ControllerSettings { rate: 0.9, ..QUICK },
        ControllerSettings {
            rate: f64::NAN,
            ..QUICK
        },
        ControllerSettings {
            gap: f64::INFINITY,
            ..QUICK
        },
        ControllerSettings {
            proportional: -1.0,
            ..QUICK
        },
        ControllerSettings {
            integral: f64::NAN,
            ..QUICK
        },
        ControllerSettings {
            smoothing: 1.0,
            ..QUICK
        },
        ControllerSettings {
            dead_band: -0.1,
            ..QUICK
        },
        ControllerSettings {
            max_change: 0.0,
            ..QUICK
        },
        ControllerSettings {
            min: 0.5,
            max: 0.4,
            ..QUICK
        },
    ] {
        let result = RateController::new(wrong);
        assert!(matches!(result, Err(Error::Number { .. })), "{wrong:?}");
        assert!(wrong.to_string().parse::<ControllerSettings>().is_err());
    }
    for limit in [-0.1, 1.1, f64::NAN] {
        let result = RateController::new(ControllerSettings {
            max: limit,
            ..QUICK
        });
        assert!(matches!(result, Err(Error::Probability(_))));
    }
    for words in [
        "",
        "feedback",
        "feedback:0.3",
        "feedback:0.3:x",
        "feedback:0.3:0.1:1",
        "constant:0.3",
    ] {
        let result = words.parse::<ControllerSettings>();
        assert!(matches!(result, Err(Error::Unsupported(_))), "{words}");
    }
    let usual = ControllerSettings::new(0.3, 0.1);
    let gains = ControllerSettings {
        integral: 0.7,
        ..usual
    };
    for settings in [usual, gains, QUICK] {
        assert_eq!(settings.to_string().parse(), Ok(settings));
    }
    assert_eq!(usual.to_string(), "feedback:0.3:0.1");
}

#[test]
fn its_state_survives_a_checkpoint() {
    for settings in [QUICK, ControllerSettings::new(0.3, 0.1)] {
        let mut whole = controller(settings);
        let gaps: Vec<f64> = (0..20)
            .map(|i| 0.1 + 0.07 * f64::from(i * 7 % 11 - 5))
            .collect();
        for (done, gap) in gaps.iter().enumerate() {
            let mut checkpoint = Checkpoint::default();
            whole.note(&mut checkpoint);
            let mut other = controller(settings);
            other.restore(&checkpoint).unwrap();
            assert_eq!(other, whole, "{done}");
            whole.update(1.0, 1.0 + gap).unwrap();
            other.update(1.0, 1.0 + gap).unwrap();
            assert_eq!(other.rate().to_bits(), whole.rate().to_bits());
        }
    }
}

#[test]
fn a_state_that_is_not_sound_is_refused() {
    let mut steered = controller(QUICK);
    let missing = steered.restore(&Checkpoint::default());
    assert!(matches!(
        missing,
        Err(Error::Checkpoint(CheckpointFault::Missing(_)))
    ));
    let mut checkpoint = Checkpoint::default();
    steered.note(&mut checkpoint);
    let state = "elision.rate_controller.state".to_owned();
    for words in [
        "",
        "0.3",
        "0.3 0",
        "0.3 0 x",
        "0.9 0 none",
        "NaN 0 none",
        "0.3 inf none",
        "0.3 0 NaN",
        "0.3 0 none 1",
    ] {
        checkpoint.metadata.insert(state.clone(), words.to_owned());
        let result = steered.restore(&checkpoint);
        assert!(
            matches!(
                result,
                Err(Error::Checkpoint(CheckpointFault::Metadata { .. }))
            ),
            "{words}"
        );
        assert_eq!(steered, controller(QUICK));
    }
    let mut other = Checkpoint::default();
    controller(ControllerSettings { gap: 0.2, ..QUICK }).note(&mut other);
    assert!(steered.restore(&other).is_err());
}

/// The controller for a model, with the limits that make it move in each epoch.
fn feedback<'a>(
    train: &'a Samples,
    trainer: &Trainer<elision::nn::Sequential>,
) -> RateFeedback<'a> {
    RateFeedback::new(controller(QUICK), CLASSES, train, trainer.model()).unwrap()
}

/// Notes the rate of the controller's layers and the losses, and a checkpoint after an epoch.
struct Notes<'a> {
    steered: RateFeedback<'a>,
    rates: Vec<Vec<f64>>,
    stop: Option<u64>,
}

impl Callback for Notes<'_> {
    fn before_step(&mut self, step: u64, model: &mut dyn elision::nn::Layer) -> Result<()> {
        self.steered.before_step(step, model)?;
        self.rates
            .push(rates(model).into_iter().map(|(_, p)| p).collect());
        Ok(())
    }

    fn epoch(&mut self, epoch: &Epoch, trainer: &dyn TrainerState) -> Result<Control> {
        let before = *self.steered.controller();
        self.steered.epoch(epoch, trainer)?;
        // The training loss is that of evaluation.
        let train = evaluate(trainer.model(), &CLASSES, &clusters(50))?;
        let mut by_hand = before;
        by_hand.update(train.loss, epoch.validation.unwrap().loss)?;
        assert_eq!(by_hand, *self.steered.controller());
        Ok(match self.stop == Some(epoch.epoch) {
            true => Control::Stop,
            false => Control::Continue,
        })
    }
}

#[test]
fn a_steered_run_goes_on_bit_for_bit() {
    let (samples, held_out, fit) = (clusters(50), clusters(20), Fit::new(4, 16));
    let mut whole = trainer(0.4, adam(0.01));
    let steered = feedback(&samples, &whole);
    let mut notes = Notes {
        steered,
        rates: Vec::new(),
        stop: None,
    };
    whole
        .fit(&samples, Some(&held_out), &fit, &mut notes)
        .unwrap();
    assert_eq!(notes.rates[0], [0.3; 3]);
    assert_ne!(
        notes.rates[4], notes.rates[0],
        "a new rate for the second epoch"
    );
    for stop in 1..4 {
        let mut first = trainer(0.4, adam(0.01));
        let steered = feedback(&samples, &first);
        let mut half = Notes {
            steered,
            rates: Vec::new(),
            stop: Some(stop),
        };
        first
            .fit(&samples, Some(&held_out), &fit, &mut half)
            .unwrap();
        let mut checkpoint = first.checkpoint().unwrap();
        half.steered.controller().note(&mut checkpoint);
        let optimizer = Optimizer::new(adam(0.01)).unwrap();
        let mut second = Trainer::new(mlp(0.4), optimizer, CLASSES, Key::new(999));
        let mut steered = feedback(&samples, &second);
        second.restore(&checkpoint).unwrap();
        steered.controller_mut().restore(&checkpoint).unwrap();
        second
            .fit(&samples, Some(&held_out), &fit, &mut steered)
            .unwrap();
        assert_eq!(weights(second.model()), weights(whole.model()), "{stop}");
        assert_eq!(steered.controller(), notes.steered.controller());
    }
}

#[test]
fn it_needs_layers_and_a_validation_part() {
    let samples = clusters(20);
    let none = RateFeedback::new(controller(QUICK), CLASSES, &samples, &mlp_of(4, 0.0));
    assert!(none.is_ok(), "the layer of dropout has the rate 0");
    let none = RateFeedback::new(controller(QUICK), CLASSES, &samples, &elision::nn::Flatten);
    assert!(matches!(none, Err(Error::Pattern(_))));
    let mut trainer = trainer(0.4, adam(0.01));
    let mut steered = feedback(&samples, &trainer);
    let result = trainer.fit(&samples, None, &Fit::new(1, 16), &mut steered);
    assert!(matches!(result, Err(Error::Unsupported(_))));
    let steered = steered.matching(&mlp(0.4), "first").unwrap().relative();
    let mut model = mlp(0.4);
    let mut steered = steered;
    steered.before_step(0, &mut model).unwrap();
    let found: Vec<f64> = rates(&model).into_iter().map(|(_, p)| p).collect();
    assert_eq!(found, [0.2, 0.4 * 0.3, 0.4]);
}
