//! Zoneout: elements of a state that keep their previous value.

#[path = "support/differences.rs"]
mod differences;
mod support;
#[path = "support/twins.rs"]
mod twins;

use differences::check_differences;
use elision::autograd::Tape;
use elision::nn::{Mode, Pass, Zoneout};
use elision::reference::weights;
use elision::{Dropout, Error, Key, Mask, Tensor, ops};
use support::{SPECIAL, bits, key, noise, on_every_isa, on_threads};

const RUN: Key = Key::new(42);

fn dropout(p: f64) -> Dropout {
    Dropout::new(Key::new(11), p).unwrap()
}

fn zoneout(new: &Tensor, previous: &Tensor, dropout: &Dropout) -> Tensor {
    let tape = Tape::new();
    let [new, previous] = [new, previous].map(|x| tape.constant(x.clone()));
    let y = new.zoneout(&previous, dropout).unwrap();
    y.to_tensor().unwrap()
}

#[test]
fn states_are_chosen_bit_for_bit() {
    on_every_isa("zoneout", |isa| {
        for len in [0, 1, 15, 63, 64, 65, 4097, 100_003] {
            let new: Vec<f32> = SPECIAL.iter().copied().cycle().take(len).collect();
            let new = Tensor::from_vec(new, &[len]).unwrap();
            let previous = noise(&[len], 2);
            for p in [0.0, 0.15, 0.5, 1.0] {
                let kept = Mask::draw(&dropout(p), len).unwrap();
                let choose = |i: usize| match kept.get(i) {
                    Some(true) => new.as_slice()[i].to_bits(),
                    _ => previous.as_slice()[i].to_bits(),
                };
                let want: Vec<u32> = (0..len).map(choose).collect();
                let found = zoneout(&new, &previous, &dropout(p));
                assert_eq!(bits(found.as_slice()), want, "{isa} {len} {p}");
            }
        }
    });
}

#[test]
fn gradients_go_where_the_values_came_from() {
    let inputs = [noise(&[3, 7], 1), noise(&[3, 7], 2)];
    on_every_isa("gradients of zoneout", |isa| {
        for p in [0.15, 0.5, 1.0] {
            let zone = dropout(p).with_offset(5);
            let kept = Mask::draw(&zone, 21).unwrap().to_bools();
            check_differences(
                &format!("{isa} {p}"),
                &inputs,
                |v| v[0].zoneout(&v[1], &zone),
                |at| weights::zoneout(&at[0], &at[1], &kept),
            );
            let dropped: Vec<bool> = kept.iter().map(|kept| !kept).collect();
            twins::check(
                &format!("{isa} {p}"),
                &inputs,
                |v| v[0].zoneout(&v[1], &zone),
                |t, v| {
                    let new = t.mask(v[0], &kept, 1.0);
                    let previous = t.mask(v[1], &dropped, 1.0);
                    t.add(new, previous)
                },
            );
            check_differences(
                &format!("{isa} {p} in evaluation"),
                &inputs,
                |v| v[0].zoneout_inference(&v[1], &zone),
                |at| {
                    let pairs = at[0].iter().zip(&at[1]);
                    pairs.map(|(new, old)| (1.0 - p) * new + p * old).collect()
                },
            );
        }
    });
}

#[test]
fn strides_and_threads_change_no_bit() {
    let (a, b) = (noise(&[300, 700], 1), noise(&[300, 700], 2));
    let mask = Mask::draw(&dropout(0.3), a.len()).unwrap();
    let run = |threads| {
        on_threads(threads, || {
            let mut y = Tensor::zeros(&[300, 700]).unwrap();
            ops::choose_into(&a, &b, &mask, &mut y).unwrap();
            y
        })
    };
    let one = run(1);
    assert_eq!(run(3), one);
    let turned = |x: &Tensor| x.view().transpose(0, 1).unwrap().to_tensor().unwrap();
    let (a_turned, mut y) = (turned(&a), Tensor::zeros(&[700, 300]).unwrap());
    let a_view = a_turned.view().transpose(0, 1).unwrap();
    let y_view = y.view_mut().transpose(0, 1).unwrap();
    ops::choose_into(a_view, &b, &mask, y_view).unwrap();
    assert_eq!(turned(&y), one);
}

#[test]
fn the_mean_over_masks_is_the_evaluation() {
    const DRAWS: u64 = 4000;
    let (new, previous, p) = (noise(&[20], 1), noise(&[20], 2), 0.15);
    let mut mean = [0.0; 20];
    for draw in 0..DRAWS {
        let zone = Dropout::new(key(3, &[draw]), p).unwrap();
        let y = zoneout(&new, &previous, &zone);
        let sums = mean.iter_mut().zip(y.as_slice());
        sums.for_each(|(mean, &y)| *mean += f64::from(y) / DRAWS as f64);
    }
    let tape = Tape::new();
    let [new, previous] = [new, previous].map(|x| tape.constant(x));
    let want = new.zoneout_inference(&previous, &dropout(p)).unwrap();
    for (i, want) in want.view().iter().enumerate() {
        let apart = f64::from(new.value().as_slice()[i] - previous.value().as_slice()[i]);
        let error = 5.0 * apart.abs() * (p * (1.0 - p) / DRAWS as f64).sqrt();
        assert!((mean[i] - f64::from(want)).abs() <= error + 1e-6, "{i}");
    }
}

#[test]
fn a_step_knows_its_mode() {
    let tape = Tape::new();
    let (new, previous) = (
        tape.constant(noise(&[50], 1)),
        tape.constant(noise(&[50], 2)),
    );
    let step = |p: f64, pass: &Pass| {
        let y = Zoneout::new(p).unwrap().step(&new, &previous, pass);
        y.unwrap().to_tensor().unwrap()
    };
    for (mode, pass) in [
        (Mode::Train, Pass::train(RUN, 3)),
        (Mode::Mc, Pass::mc(RUN, 3)),
        (Mode::Eval, Pass::eval()),
    ] {
        let zone = Dropout::new(pass.key(), 0.4).unwrap();
        let want = match mode {
            Mode::Eval => new.zoneout_inference(&previous, &zone),
            _ => new.zoneout(&previous, &zone),
        };
        assert_eq!(
            step(0.4, &pass),
            want.unwrap().to_tensor().unwrap(),
            "{mode}"
        );
        let ends = [0.0, 1.0].map(|p| step(p, &pass));
        assert_eq!(
            ends,
            [&new, &previous].map(|x| x.to_tensor().unwrap()),
            "{mode}"
        );
    }
    // What is not read is not seen: a NaN in the other state.
    let nan = tape.constant(Tensor::full(&[50], f32::NAN).unwrap());
    let still = Zoneout::new(0.0).unwrap();
    let y = still.step(&new, &nan, &Pass::eval()).unwrap();
    assert_eq!(y.to_tensor().unwrap(), new.to_tensor().unwrap());
}

#[test]
fn faults_are_named() {
    let tape = Tape::new();
    let (new, other) = (
        tape.variable(noise(&[4], 1)),
        tape.variable(noise(&[1, 4], 1)),
    );
    let zone = dropout(0.5);
    assert!(matches!(
        new.zoneout(&other, &zone),
        Err(Error::Shape { .. })
    ));
    assert!(matches!(
        new.zoneout_inference(&other, &zone),
        Err(Error::Shape { .. })
    ));
    let late = zone.with_offset(u64::MAX - 2);
    assert!(matches!(new.zoneout(&new, &late), Err(Error::Overflow(_))));
    let far = Tape::new().variable(noise(&[4], 1));
    assert!(matches!(
        new.zoneout(&far, &zone),
        Err(Error::Unsupported(_))
    ));
    for p in [-0.1, 1.1, f64::NAN] {
        assert!(matches!(Zoneout::new(p), Err(Error::Probability(_))));
        assert!(matches!(
            Zoneout::default().set_rate(p),
            Err(Error::Probability(_))
        ));
    }
    let (a, b) = (noise(&[4], 1), noise(&[1, 4], 1));
    let mut y = Tensor::full(&[4], 7.0).unwrap();
    let [all, short] = [Mask::all(4), Mask::all(3)];
    assert!(matches!(
        ops::choose_into(&a, &b, &all, &mut y),
        Err(Error::Shape { .. })
    ));
    assert!(matches!(
        ops::choose_into(&a, &a, &short, &mut y),
        Err(Error::Length { .. })
    ));
    let mut wide = Tensor::zeros(&[5]).unwrap();
    assert!(matches!(
        ops::choose_into(&a, &a, &all, &mut wide),
        Err(Error::Shape { .. })
    ));
    assert_eq!(y.as_slice(), [7.0; 4]);
}
