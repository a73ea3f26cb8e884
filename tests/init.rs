//! How parameters begin: moments, bounds, and that they are functions of the key.
//!
//! The keys are fixed, so a test that passes once passes always. Each bound below is at least six standard
//! errors of what it bounds: for a perfect generator a comparison fails with a probability below 2e-9, and the
//! fewer than 100 comparisons of this file with one below 2e-7.

mod support;

use elision::nn::Init;
use elision::{Error, Key, Tensor};
use support::{bits, on_threads};

/// Six standard errors.
const ERRORS: f64 = 6.0;

fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.as_slice().iter().map(|&x| f64::from(x)).collect()
}

fn moment(x: &[f64], power: i32) -> f64 {
    x.iter().map(|x| x.powi(power)).sum::<f64>() / x.len() as f64
}

/// The first four moments, whose standard errors follow from those up to the eighth.
fn check_moments(x: &[f64], variance: f64, even: [f64; 4], what: &str) {
    let (n, std) = (x.len() as f64, variance.sqrt());
    let x: Vec<f64> = x.iter().map(|x| x / std).collect();
    let exact = [0.0, even[0], 0.0, even[1]];
    let squares = [even[0], even[1], even[2], even[3]];
    for (power, (exact, square)) in (1..).zip(exact.into_iter().zip(squares)) {
        let error = ((square - exact * exact) / n).sqrt();
        let found = moment(&x, power);
        assert!(
            (found - exact).abs() < ERRORS * error,
            "{what}: moment {power} is {found}"
        );
    }
}

/// E x^2, x^4, x^6, x^8 at variance 1.
const NORMAL: [f64; 4] = [1.0, 3.0, 15.0, 105.0];
const UNIFORM: [f64; 4] = [1.0, 9.0 / 5.0, 27.0 / 7.0, 9.0];

#[test]
fn moments_are_those_of_the_distribution() {
    let key = Key::new(3);
    let (matrix, filters) = (&[500, 300][..], &[50, 3, 5, 40][..]);
    let cases = [
        (Init::Uniform(0.5), matrix, 0.25 / 3.0, UNIFORM),
        (Init::Normal(0.02), matrix, 0.0004, NORMAL),
        (Init::KaimingUniform, matrix, 2.0 / 300.0, UNIFORM),
        (Init::KaimingNormal, matrix, 2.0 / 300.0, NORMAL),
        (Init::XavierUniform, matrix, 2.0 / 800.0, UNIFORM),
        (Init::XavierNormal, matrix, 2.0 / 800.0, NORMAL),
        (Init::LecunNormal, matrix, 1.0 / 300.0, NORMAL),
        (Init::KaimingUniform, filters, 2.0 / 600.0, UNIFORM),
        (Init::KaimingNormal, filters, 2.0 / 600.0, NORMAL),
        (Init::XavierUniform, filters, 2.0 / 1350.0, UNIFORM),
        (Init::XavierNormal, filters, 2.0 / 1350.0, NORMAL),
        (Init::LecunNormal, filters, 1.0 / 600.0, NORMAL),
    ];
    for (i, (init, shape, variance, even)) in (0..).zip(cases) {
        let x = numbers(&init.fill(shape, key.fold_in(i)).unwrap());
        check_moments(&x, variance, even, &format!("{init:?} {shape:?}"));
    }
}

#[test]
fn neighbours_and_neighbouring_keys_are_uncorrelated() {
    let n = 200_000;
    let draw = |seed| numbers(&Init::Normal(1.0).fill(&[n], Key::new(seed)).unwrap());
    let (a, b) = (draw(7), draw(8));
    let covariance = |a: &[f64], b: &[f64]| -> f64 {
        let sum: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
        sum / (n as f64).sqrt()
    };
    for lag in [1, 2, 16, 4096] {
        let found = covariance(&a, &a[lag..]);
        assert!(found.abs() < ERRORS, "lag {lag}: {found}");
    }
    assert!(covariance(&a, &b).abs() < ERRORS);
    let squares =
        |x: &[f64]| -> Vec<f64> { x.iter().map(|x| (x * x - 1.0) / 2f64.sqrt()).collect() };
    assert!(covariance(&squares(&a), &squares(&a)[1..]).abs() < ERRORS);
}

#[test]
fn normal_numbers_fall_into_each_tenth_equally_often() {
    // The deciles of the standard normal distribution.
    let half = [0.253_347_103, 0.524_400_513, 0.841_621_234, 1.281_551_566];
    let n = 100_000;
    let x = numbers(&Init::Normal(1.0).fill(&[n], Key::new(5)).unwrap());
    let mut edges: Vec<f64> = half.iter().flat_map(|&x| [x, -x]).collect();
    edges.extend([0.0, f64::NEG_INFINITY, f64::INFINITY]);
    edges.sort_by(f64::total_cmp);
    let expected = n as f64 / 10.0;
    for pair in edges.windows(2) {
        let found = x.iter().filter(|x| (pair[0]..pair[1]).contains(*x)).count() as f64;
        let error = (expected * 0.9).sqrt();
        assert!(
            (found - expected).abs() < ERRORS * error,
            "{pair:?}: {found}"
        );
    }
}

#[test]
fn uniform_numbers_keep_their_bounds_and_nearly_reach_them() {
    for (init, bound) in [
        (Init::Uniform(0.25), 0.25),
        (Init::KaimingUniform, (6.0_f64 / 100.0).sqrt()),
        (Init::XavierUniform, (6.0_f64 / 1100.0).sqrt()),
    ] {
        let x = numbers(&init.fill(&[1000, 100], Key::new(2)).unwrap());
        let (low, high) = x.iter().fold((f64::MAX, f64::MIN), |(low, high), &x| {
            (low.min(x), high.max(x))
        });
        assert!(low >= -bound * (1.0 + 1e-7) && high <= bound * (1.0 + 1e-7));
        // 100,000 numbers leave 0.1 % at an end empty with a probability of e^-50.
        assert!(
            low < -0.998 * bound && high > 0.998 * bound,
            "{low} {high} {bound}"
        );
    }
}

#[test]
fn elements_are_functions_of_the_key_and_their_place() {
    for init in [Init::Uniform(1.0), Init::Normal(1.0)] {
        let key = Key::new(11);
        let long = init.fill(&[300_001], key).unwrap();
        let short = init.fill(&[10, 10], key).unwrap();
        assert_eq!(bits(&long.as_slice()[..100]), bits(short.as_slice()));
        for threads in [1, 2, 3, 8] {
            let again = on_threads(threads, || init.fill(&[300_001], key).unwrap());
            assert!(bits(again.as_slice()) == bits(long.as_slice()), "{threads}");
        }
        assert_ne!(init.fill(&[10, 10], Key::new(12)).unwrap(), short);
        assert!(long.as_slice().iter().all(|x| x.is_finite()));
    }
}

#[test]
fn constants_are_constant() {
    let key = Key::new(0);
    assert_eq!(
        Init::Zeros.fill(&[2, 3], key).unwrap(),
        Tensor::zeros(&[2, 3]).unwrap()
    );
    assert_eq!(
        Init::Constant(-1.5).fill(&[3], key).unwrap(),
        Tensor::full(&[3], -1.5).unwrap()
    );
    assert_eq!(
        Init::Uniform(0.0).fill(&[9], key).unwrap().as_slice(),
        [0.0; 9]
    );
    assert_eq!(
        Init::Normal(0.0).fill(&[9], key).unwrap().as_slice(),
        [0.0; 9]
    );
    assert_eq!(Init::Normal(1.0).fill(&[], key).unwrap().len(), 1);
}

const WITH_FANS: [Init; 5] = [
    Init::KaimingUniform,
    Init::KaimingNormal,
    Init::XavierUniform,
    Init::XavierNormal,
    Init::LecunNormal,
];

#[test]
fn no_fan_in_is_no_elements() {
    let all = WITH_FANS
        .into_iter()
        .chain([Init::Normal(1.0), Init::Zeros]);
    for init in all {
        for shape in [&[4, 0][..], &[0, 4], &[4, 0, 3, 2], &[0, 0]] {
            let empty = init.fill(shape, Key::new(1)).unwrap();
            assert_eq!((empty.shape(), empty.len()), (shape, 0));
        }
    }
}

#[test]
fn what_cannot_be_filled_is_an_error() {
    let key = Key::new(1);
    for init in WITH_FANS {
        for shape in [&[][..], &[5]] {
            let result = init.fill(shape, key);
            assert!(
                matches!(result, Err(Error::Rank { expected: 2, .. })),
                "{init:?}"
            );
        }
        assert!(matches!(
            init.fill(&[usize::MAX, 2], key),
            Err(Error::Overflow(_))
        ));
        assert_eq!(init.fill(&[1; 9], key), Err(Error::RankLimit(9)));
    }
    let bad = [-1.0, f64::NAN, f64::INFINITY, 1e39];
    for init in bad
        .into_iter()
        .flat_map(|x| [Init::Uniform(x), Init::Normal(x)])
    {
        assert!(
            matches!(init.fill(&[2], key), Err(Error::Number { .. })),
            "{init:?}"
        );
    }
    for x in [f32::NAN, f32::INFINITY] {
        let result = Init::Constant(x).fill(&[2], key);
        assert!(matches!(result, Err(Error::Number { .. })));
    }
}
