//! Holes in images: what is cut, how much on average, and when.

mod support;

use elision::autograd::Tape;
use elision::nn::{Cutout, Layer, Pass, Sequential};
use elision::{Error, Key, Tensor};
use support::{bits, key, noise, on_every_isa, on_threads};

fn cut(cutout: Cutout, x: &Tensor, pass: &Pass) -> Tensor {
    let tape = Tape::new();
    let y = cutout.forward(&tape.constant(x.clone()), pass).unwrap();
    y.to_tensor().unwrap()
}

fn train(seed: u64) -> Pass {
    Pass::train(Key::new(seed), 0)
}

/// Which pixels of each image are cut, which are those of all channels.
fn holes(y: &Tensor) -> Vec<Vec<bool>> {
    let [n, height, width, channels] = y.shape().try_into().unwrap();
    let pixels: Vec<bool> = y
        .as_slice()
        .chunks(channels)
        .map(|pixel| {
            let cut = pixel[0] == 0.0;
            assert!(pixel.iter().all(|&x| (x == 0.0) == cut));
            cut
        })
        .collect();
    let images = pixels.chunks(height * width).map(<[bool]>::to_vec);
    assert_eq!(images.len(), n);
    images.collect()
}

/// Rows and columns of the smallest rectangle around what is cut.
fn around(image: &[bool], width: usize) -> [std::ops::Range<usize>; 2] {
    let cut: Vec<usize> = (0..image.len()).filter(|&i| image[i]).collect();
    let range = |at: &dyn Fn(usize) -> usize| {
        let all = || cut.iter().map(|&i| at(i));
        all().min().unwrap()..all().max().unwrap() + 1
    };
    [range(&|i| i / width), range(&|i| i % width)]
}

#[test]
fn a_hole_is_a_clipped_square() {
    let (height, width) = (9, 13);
    let x = Tensor::full(&[400, height, width, 3], 1.0).unwrap();
    for length in [1, 2, 3, 6, 7] {
        let y = cut(Cutout::new(1, length).unwrap(), &x, &train(length as u64));
        let mut corners = std::collections::HashSet::new();
        for image in holes(&y) {
            let [rows, columns] = around(&image, width);
            let count = image.iter().filter(|&&cut| cut).count();
            assert_eq!(count, rows.len() * columns.len(), "it is full");
            for (range, size) in [(&rows, height), (&columns, width)] {
                let inside = range.start > 0 && range.end < size;
                assert!(range.len() <= length && (range.len() == length || !inside));
            }
            corners.insert((rows.start, columns.start));
        }
        assert!(corners.len() > 20, "{length}: {} corners", corners.len());
    }
}

/// The expected number of covered rows: all of `length` but what the borders cut off, for holes no longer than the image.
fn covered(length: usize, size: usize) -> f64 {
    let (before, after) = (length / 2, length - length / 2 - 1);
    let lost = before * (before + 1) + after * (after + 1);
    length as f64 - lost as f64 / (2 * size) as f64
}

#[test]
fn the_mean_area_is_that_of_the_formula() {
    // The formula itself, against all centres.
    for (length, size) in [(1, 5), (4, 9), (5, 9), (9, 9)] {
        let covers = |centre: usize| {
            let rows =
                (0..size).filter(|row| (centre..centre + length).contains(&(row + length / 2)));
            rows.count()
        };
        let mean = (0..size).map(covers).sum::<usize>() as f64 / size as f64;
        assert!(
            (mean - covered(length, size)).abs() < 1e-12,
            "{length} {size}"
        );
    }
    let (height, width, images) = (16, 24, 20_000);
    let x = Tensor::full(&[images, height, width, 1], 1.0).unwrap();
    for length in [8, 9] {
        let y = cut(Cutout::new(1, length).unwrap(), &x, &train(3));
        let areas: Vec<f64> = y
            .as_slice()
            .chunks(height * width)
            .map(|image| image.iter().filter(|&&x| x == 0.0).count() as f64)
            .collect();
        let mean = areas.iter().sum::<f64>() / images as f64;
        let variance = areas.iter().map(|area| (area - mean).powi(2)).sum::<f64>() / images as f64;
        let expected = covered(length, height) * covered(length, width);
        let error = (variance / images as f64).sqrt();
        assert!(expected < (length * length) as f64);
        assert!(
            (mean - expected).abs() < 5.0 * error,
            "{length}: {mean}, expected {expected} +- {error}"
        );
    }
}

#[test]
fn centres_lie_everywhere_alike() {
    let (size, images) = (8, 40_000);
    let x = Tensor::full(&[images, size, size, 1], 1.0).unwrap();
    // A hole of one pixel is its centre.
    let y = cut(Cutout::new(1, 1).unwrap(), &x, &train(5));
    let mut counts = vec![0.0; size * size];
    for image in holes(&y) {
        counts[image.iter().position(|&cut| cut).unwrap()] += 1.0;
    }
    let expected = images as f64 / (size * size) as f64;
    let chi: f64 = counts
        .iter()
        .map(|count| (count - expected).powi(2) / expected)
        .sum();
    // 63 degrees of freedom: beyond 130 once in some million keys.
    assert!(chi < 130.0, "{chi}");
}

#[test]
fn more_holes_cut_more() {
    let x = Tensor::full(&[200, 32, 32, 1], 1.0).unwrap();
    let area = |holes| {
        let y = cut(Cutout::new(holes, 4).unwrap(), &x, &train(1));
        y.as_slice().iter().filter(|&&x| x == 0.0).count()
    };
    let areas = [1, 2, 5].map(area);
    assert!(areas[0] < areas[1] && areas[1] < areas[2] && areas[2] <= 200 * 5 * 16);
    // The first holes stay where they are.
    let [one, two] = [1, 2].map(|holes| cut(Cutout::new(holes, 4).unwrap(), &x, &train(1)));
    let mut both = one.as_slice().iter().zip(two.as_slice());
    assert!(both.all(|(one, two)| *one != 0.0 || *two == 0.0));
}

#[test]
fn it_is_for_training_only() {
    let mut x = noise(&[2, 5, 5, 2], 1);
    x.as_mut_slice()[0] = f32::NAN;
    let whole = Cutout::new(1, 20).unwrap();
    for pass in [Pass::eval(), Pass::mc(Key::new(1), 0)] {
        assert_eq!(bits(cut(whole, &x, &pass).as_slice()), bits(x.as_slice()));
    }
    // A hole larger than the image leaves nothing, not even what is no number.
    assert_eq!(bits(cut(whole, &x, &train(1)).as_slice()), [0; 100]);
    assert_eq!(whole.rate(), None);
}

#[test]
fn what_stays_is_unchanged_and_has_the_gradient() {
    on_every_isa("cutout", |_| {
        let x = noise(&[3, 7, 6, 5], 4);
        let cutout = Cutout::new(2, 3).unwrap();
        let mut expected = None;
        for threads in [1, 3] {
            let (y, dx) = on_threads(threads, || {
                let tape = Tape::new();
                let x = tape.variable(x.clone());
                let y = cutout.forward(&x, &train(2)).unwrap();
                let gradients = y
                    .backward_from(Tensor::full(x.shape(), 3.0).unwrap())
                    .unwrap();
                let dx = gradients.of(&x).unwrap().to_tensor().unwrap();
                (y.to_tensor().unwrap(), dx)
            });
            for ((x, y), dx) in x.as_slice().iter().zip(y.as_slice()).zip(dx.as_slice()) {
                let kept = *y != 0.0;
                assert_eq!((*y, *dx), if kept { (*x, 3.0) } else { (0.0, 0.0) });
            }
            let all = [bits(y.as_slice()), bits(dx.as_slice())];
            assert_eq!(*expected.get_or_insert(all.clone()), all);
        }
    });
}

#[test]
fn holes_are_functions_of_key_and_sample() {
    let cutout = Cutout::new(1, 4).unwrap();
    let x = Tensor::full(&[6, 10, 10, 1], 1.0).unwrap();
    let few = Tensor::full(&[2, 10, 10, 1], 1.0).unwrap();
    let [many, few] = [&x, &few].map(|x| holes(&cut(cutout, x, &train(1))));
    assert_eq!(
        many[..2],
        few[..],
        "another batch leaves a sample as it was"
    );
    assert_ne!(many, holes(&cut(cutout, &x, &train(2))));
    let model = Sequential::new().with("cutout", cutout).unwrap();
    let tape = Tape::new();
    let y = model.forward(&tape.constant(x.clone()), &train(1)).unwrap();
    let named = holes(&y.to_tensor().unwrap());
    assert_ne!(named, many);
    assert_eq!(key(1, &[0]).named("cutout"), train(1).child("cutout").key());
}

#[test]
fn what_is_wrong_is_an_error() {
    for [holes, length] in [[0, 3], [3, 0]] {
        assert!(matches!(
            Cutout::new(holes, length),
            Err(Error::Number { .. })
        ));
    }
    let (cutout, tape) = (Cutout::new(usize::MAX, usize::MAX).unwrap(), Tape::new());
    for pass in [train(1), Pass::eval()] {
        let flat = tape.constant(noise(&[3, 4], 1));
        let error = cutout.forward(&flat, &pass).unwrap_err();
        assert!(matches!(
            error,
            Error::Rank {
                expected: 4,
                found: 2,
                ..
            }
        ));
    }
    for shape in [[0, 3, 3, 1], [3, 0, 3, 1], [3, 3, 0, 1], [3, 3, 3, 0]] {
        let empty = Tensor::zeros(&shape).unwrap();
        assert_eq!(cut(cutout, &empty, &train(1)).shape(), shape);
    }
    let far = Cutout::new(1, usize::MAX).unwrap();
    let y = cut(far, &noise(&[1, 3, 3, 1], 1), &train(1));
    assert_eq!(bits(y.as_slice()), [0; 9]);
}
