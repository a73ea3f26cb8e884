//! Masks on a reduced shape, broadcast.

use elision::{Error, Mask};

/// The index of the bit that an element reads.
fn read(noise: &[usize], shape: &[usize], element: usize) -> usize {
    let (mut left, mut index, mut step) = (element, 0, 1);
    for (i, &size) in shape.iter().rev().enumerate() {
        let noise = noise.iter().rev().nth(i).copied().unwrap_or(1);
        index += if noise == 1 { 0 } else { left % size * step };
        step *= noise;
        left /= size;
    }
    index
}

fn pattern(len: usize) -> Mask {
    let kept = (0..len).map(|i| (i as u32).wrapping_mul(2_654_435_761) >> 9 & 1 == 1);
    Mask::from_bools(&kept.collect::<Vec<_>>())
}

fn check(noise: &[usize], shape: &[usize]) {
    let small = pattern(noise.iter().product());
    let expected: Vec<bool> = (0..shape.iter().product())
        .map(|i| small.get(read(noise, shape, i)).unwrap())
        .collect();
    let found = small.broadcast(noise, shape).unwrap();
    assert!(
        found == Mask::from_bools(&expected),
        "{noise:?} over {shape:?}"
    );
}

#[test]
fn an_element_has_the_bit_of_its_group() {
    for shape in [[2, 3, 5, 7], [3, 64, 1, 65], [2, 130, 3, 1], [5, 1, 2, 300]] {
        for bits in 0..16 {
            let size = |axis: usize| {
                if bits >> axis & 1 == 1 {
                    1
                } else {
                    shape[axis]
                }
            };
            let noise: Vec<_> = (0..4).map(size).collect();
            check(&noise, &shape);
        }
    }
    for noise in [&[][..], &[7], &[1], &[5, 7], &[1, 7], &[3, 1, 7]] {
        check(noise, &[2, 3, 5, 7]);
    }
    check(&[], &[]);
    check(&[1, 1, 1, 64], &[32, 14, 14, 64]);
    check(&[4, 64, 1, 1], &[4, 64, 14, 14]);
    check(&[1, 0], &[3, 0]);
    check(&[1, 5], &[0, 5]);
}

#[test]
fn shapes_that_do_not_fit_are_errors() {
    let broadcast = |len, noise: &[usize], shape: &[usize]| Mask::all(len).broadcast(noise, shape);
    for (noise, shape) in [
        (&[2, 3][..], &[3][..]),
        (&[2], &[3]),
        (&[3, 1], &[2, 3]),
        (&[3], &[1]),
        (&[0], &[3]),
    ] {
        let len = noise.iter().product();
        let found = broadcast(len, noise, shape);
        assert!(
            matches!(found, Err(Error::Broadcast { .. })),
            "{noise:?} over {shape:?}: {found:?}"
        );
    }
    let found = broadcast(2, &[3], &[2, 3]);
    assert!(matches!(
        found,
        Err(Error::Length {
            expected: 3,
            found: 2,
            ..
        })
    ));
    let huge = [1 << 40, 1 << 40];
    assert!(matches!(
        broadcast(1, &[1, 1], &huge),
        Err(Error::Overflow(_))
    ));
    assert!(matches!(
        broadcast(1, &[1], &[1 << 62]),
        Err(Error::Overflow(_))
    ));
    assert!(matches!(
        broadcast(1, &[1; 9], &[1; 9]),
        Err(Error::RankLimit(9))
    ));
}
