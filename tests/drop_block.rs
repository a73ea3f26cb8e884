//! `DropBlock` against the specification and its identities.

mod support;

use elision::reference::{shared, stream};
use elision::{Channels, DropBlock, Dropout, Error, Key, Mask, SharedMask, Tensor, ops};
use support::{bits, noise, on_every_isa, on_threads};

fn dropout(p: f64) -> Dropout {
    Dropout::new(Key::new(3).named("block"), p).unwrap()
}

fn blocks(size: usize) -> DropBlock {
    DropBlock::new(size).unwrap()
}

/// The mask and the factor, naively.
fn expected(block: &DropBlock, dropout: &Dropout, shape: &[usize]) -> (Vec<bool>, f32) {
    let noise_shape = block.noise_shape(shape).unwrap();
    let axes = match block.channels() {
        Channels::Last => 1..shape.len() - 1,
        Channels::First => 2..shape.len(),
    };
    let gamma = block.gamma(dropout.p(), shape).unwrap();
    let seeds = block.seed_shape(shape).unwrap().iter().product();
    let n: usize = noise_shape.iter().product();
    let kept = stream::keep_bits(dropout.key().to_u128(), gamma, dropout.offset(), seeds).unwrap();
    let seeds: Vec<bool> = kept.iter().map(|kept| !kept).collect();
    let kept = shared::drop_blocks(&seeds, &noise_shape, axes, block.block()).unwrap();
    let count = kept.iter().filter(|&&kept| kept).count();
    let scale = if count == 0 {
        1.0
    } else {
        (n as f64 / count as f64) as f32
    };
    (kept, scale)
}

fn check(block: &DropBlock, p: f64, shape: &[usize]) {
    let dropout = dropout(p).with_offset(77);
    let x = noise(shape, 1);
    let (small, scale) = expected(block, &dropout, shape);
    let (y, mask) = ops::drop_block(&x, block, &dropout).unwrap();
    let what = format!("{block:?} p = {p} over {shape:?}");
    assert!(mask.mask() == &Mask::from_bools(&small), "{what}");
    assert_eq!(mask.scale(), scale, "{what}");
    let kept = shared::broadcast(&small, mask.noise_shape(), shape).unwrap();
    for ((x, y), kept) in x.as_slice().iter().zip(y.as_slice()).zip(kept) {
        let want = if kept { x * scale } else { 0.0 };
        assert_eq!(y.to_bits(), want.to_bits(), "{what}");
    }
}

#[test]
fn every_geometry_is_the_reference() {
    on_every_isa("DropBlock", |_| {
        for size in [1, 2, 3, 4, 5] {
            for shape in [
                &[3, 5, 6, 64][..],
                &[2, 7, 5, 3],
                &[2, 5, 5, 5, 2],
                &[4, 9, 5],
                &[0, 5, 5, 3],
                &[2, 5, 5, 0],
            ] {
                check(&blocks(size), 0.3, shape);
                check(&blocks(size).coupled(), 0.3, shape);
            }
            for shape in [
                &[3, 4, 14, 13][..],
                &[2, 3, 5, 6, 5],
                &[3, 70, 9],
                &[5, 1, 5, 5],
            ] {
                let first = blocks(size).with_channels(Channels::First);
                check(&first, 0.2, shape);
                check(&first.coupled(), 0.2, shape);
            }
        }
        check(&blocks(13), 0.4, &[2, 14, 15, 70]);
        check(&blocks(7), 0.1, &[8, 14, 14, 64]);
        check(&blocks(2), 1.0, &[2, 4, 4, 3]);
        check(&blocks(3), 0.0, &[2, 4, 4, 3]);
    });
}

#[test]
fn a_block_of_one_is_dropout_of_elements() {
    for p in [0.0, 0.1, 0.5, 0.9, 1.0] {
        let shape = [4, 9, 7, 5];
        let mask = SharedMask::draw_blocks(&blocks(1), &dropout(p), &shape).unwrap();
        assert_eq!(
            mask.mask(),
            &Mask::draw(&dropout(p), 4 * 9 * 7 * 5).unwrap()
        );
    }
}

#[test]
fn a_block_as_large_as_the_map_drops_whole_maps() {
    let (samples, channels) = (500, 8);
    let mask = SharedMask::draw_blocks(&blocks(6), &dropout(0.3), &[samples, 6, 6, channels]);
    let mask = mask.unwrap();
    let mut dropped = 0;
    for sample in 0..samples {
        for channel in 0..channels {
            let at = |place: usize| mask.mask().get((sample * 36 + place) * channels + channel);
            assert!((1..36).all(|place| at(place) == at(0)));
            dropped += usize::from(at(0) == Some(false));
        }
    }
    // 4,000 maps: the standard deviation of the share is 0.0072.
    let share = dropped as f64 / 4000.0;
    assert!((share - 0.3).abs() < 5.0 * 0.0072, "{share}");
}

#[test]
fn gamma_is_that_of_the_paper() {
    let gamma = |block: usize, p, shape: &[usize]| blocks(block).gamma(p, shape).unwrap();
    assert_eq!(gamma(7, 0.1, &[1, 14, 14, 1]), 0.00625);
    assert_eq!(gamma(1, 0.1, &[1, 14, 10, 1]), 0.1);
    assert_eq!(gamma(7, 0.1, &[1, 7, 7, 1]), 0.1);
    assert_eq!(gamma(2, 0.5, &[1, 4, 1]), 0.5 * 4.0 / 6.0);
    let of_cube = 0.2 * (4.0 * 5.0 * 6.0) / (8.0 * 3.0 * 4.0 * 5.0);
    assert!((gamma(2, 0.2, &[1, 4, 5, 6, 3]) - of_cube).abs() < 1e-15);
    for n in 1..20 {
        for block in 1..=n {
            let gamma = gamma(block, 1.0, &[1, n, 20, 1]);
            assert!(gamma > 0.0 && gamma <= 1.0, "{block} of {n}: {gamma}");
        }
    }
}

/// The expected share of dropped elements, over all sets of seeds.
fn exact_share(height: usize, width: usize, block: usize, gamma: f64) -> f64 {
    let (rows, cols) = (height - block + 1, width - block + 1);
    let mut share = 0.0;
    for set in 0_u32..1 << (rows * cols) {
        let seeds: Vec<_> = (0..rows * cols)
            .map(|place| set >> place & 1 == 1)
            .collect();
        let kept = shared::drop_blocks(&seeds, &[height, width], 0..2, block).unwrap();
        let dropped = kept.iter().filter(|&&kept| !kept).count() as f64;
        let count = set.count_ones() as i32;
        let others = (rows * cols) as i32 - count;
        share += dropped * gamma.powi(count) * (1.0 - gamma).powi(others);
    }
    share / (height * width) as f64
}

#[test]
fn the_dropped_share_is_that_of_all_sets_of_seeds() {
    for (height, width, block) in [(3, 4, 2), (4, 4, 3), (5, 4, 2), (3, 3, 3)] {
        let samples = 40_000;
        let shape = [samples, height, width, 1];
        let gamma = blocks(block).gamma(0.3, &shape).unwrap();
        let exact = exact_share(height, width, block, gamma);
        let mask = SharedMask::draw_blocks(&blocks(block), &dropout(0.3), &shape).unwrap();
        let kept = mask.mask().count_kept() as f64;
        let share = 1.0 - kept / mask.mask().len() as f64;
        // A map's share has a standard deviation below a half.
        let error = 5.0 * 0.5 / (samples as f64).sqrt();
        assert!((share - exact).abs() < error, "{share} and {exact}");
        assert!(exact <= 0.3 + 1e-12, "overlaps make it smaller: {exact}");
    }
}

#[test]
fn where_nothing_is_kept_all_is_zero() {
    let x = Tensor::full(&[2, 3, 3, 2], f32::NAN).unwrap();
    let (y, mask) = ops::drop_block(&x, &blocks(3), &dropout(1.0)).unwrap();
    assert_eq!(bits(y.as_slice()), vec![0; 36]);
    assert_eq!((mask.mask().count_kept(), mask.scale()), (0, 1.0));
    let (y, mask) = ops::drop_block(&x, &blocks(3), &dropout(0.0)).unwrap();
    assert_eq!(bits(y.as_slice()), bits(x.as_slice()));
    assert_eq!(mask.scale(), 1.0);
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    for block in [blocks(5), blocks(4).coupled()] {
        let x = noise(&[64, 30, 30, 33], 1);
        let run = || {
            let (y, mask) = ops::drop_block(&x, &block, &dropout(0.2)).unwrap();
            (bits(y.as_slice()), mask)
        };
        let one = on_threads(1, run);
        for threads in [2, 3, 8] {
            assert!(on_threads(threads, run) == one, "{block:?} {threads}");
        }
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    assert!(matches!(DropBlock::new(0), Err(Error::Number { .. })));
    let x = noise(&[2, 4, 6, 3], 1);
    let run = |block: &DropBlock, x: &Tensor| ops::drop_block(x, block, &dropout(0.1));
    let error = run(&blocks(5), &x).unwrap_err();
    assert!(matches!(error, Error::Number { value: 5.0, .. }));
    assert!(error.to_string().contains("map"), "{error}");
    assert!(run(&blocks(4), &x).is_ok());
    assert!(run(&blocks(4).with_channels(Channels::First), &x).is_err());
    assert_eq!(
        run(&blocks(1), &noise(&[2, 3], 1)).unwrap_err(),
        Error::Axis { axis: 2, rank: 2 }
    );
    assert_eq!(
        blocks(1).gamma(1.5, &[1, 2, 2, 1]),
        Err(Error::Probability(1.5))
    );
    let late = dropout(0.1).with_offset(u64::MAX - 10);
    assert!(matches!(
        ops::drop_block(&x, &blocks(2), &late),
        Err(Error::Overflow(_))
    ));
}
