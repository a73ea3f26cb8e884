//! Samples, their order and their parts.

use elision::train::{Samples, Targets, gather_rows, shuffled};
use elision::{Error, Key, Tensor, View};

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
    assert!(shuffled(Key::new(0), 0).is_empty());
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
        gather_rows(&Tensor::zeros(&[]).unwrap(), &[0]),
        Err(Error::Rank { .. })
    ));
    assert_eq!(gather_rows(turned, &[]).unwrap().shape(), [0, 3]);
}

#[test]
fn rows_of_any_rank_are_gathered() {
    let x = Tensor::from_vec((0..12).map(|i| i as f32).collect(), &[3, 2, 2]).unwrap();
    let rows = gather_rows(&x, &[2, 0]).unwrap();
    assert_eq!(rows.shape(), [2, 2, 2]);
    assert_eq!(rows.as_slice(), [8.0, 9.0, 10.0, 11.0, 0.0, 1.0, 2.0, 3.0]);
    let numbers = Tensor::from_slice(&[5.0, 6.0], &[2]).unwrap();
    assert_eq!(gather_rows(&numbers, &[1]).unwrap().as_slice(), [6.0]);
    let empty = Tensor::zeros(&[3, 0]).unwrap();
    assert_eq!(gather_rows(&empty, &[1, 1]).unwrap().shape(), [2, 0]);
}

#[test]
fn samples_and_targets_are_as_many() {
    let x = || Tensor::zeros(&[3, 2]).unwrap();
    let values = |rows: usize| Targets::Values(Tensor::zeros(&[rows, 4]).unwrap());
    assert!(Samples::new(x(), values(3)).is_ok());
    for targets in [values(2), Targets::Labels(vec![0; 4])] {
        let samples = Samples::new(x(), targets);
        assert!(matches!(samples, Err(Error::Length { .. })));
    }
    let scalar = || Tensor::zeros(&[]).unwrap();
    for (x, targets) in [(scalar(), values(1)), (x(), Targets::Values(scalar()))] {
        assert!(matches!(Samples::new(x, targets), Err(Error::Rank { .. })));
    }
}

#[test]
fn a_part_is_split_off_at_the_end() {
    let x = Tensor::from_slice(&[1.0, 2.0, 3.0], &[3, 1]).unwrap();
    let samples = Samples::new(x.clone(), Targets::Values(x)).unwrap();
    let (first, last) = samples.split_last(2).unwrap();
    assert_eq!(first.x().as_slice(), [1.0]);
    assert_eq!(last.targets(), &Targets::Values(last.x().clone()));
    assert_eq!(samples.split_last(3).unwrap().0.rows(), 0);
    assert!(matches!(samples.split_last(4), Err(Error::Range { .. })));
    assert!(matches!(samples.gather(&[3]), Err(Error::Range { .. })));
}
