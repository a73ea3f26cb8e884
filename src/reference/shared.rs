//! Decisions that elements share: broadcasting of bits, and the blocks of `DropBlock`.

use std::ops::Range;

use crate::error::{Error, Result};

/// The place of an element along each axis of a shape.
fn place(shape: &[usize], element: usize) -> Vec<usize> {
    let mut left = element;
    let mut place: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&size| {
            let at = left % size;
            left /= size;
            at
        })
        .collect();
    place.reverse();
    place
}

/// The index of an element at a place.
fn index(shape: &[usize], place: &[usize]) -> usize {
    let axes = shape.iter().zip(place);
    axes.fold(0, |index, (&size, &at)| index * size + at)
}

fn check(bits: &[bool], shape: &[usize]) -> Result<()> {
    let (what, expected, found) = ("bits", shape.iter().product(), bits.len());
    match expected == found {
        true => Ok(()),
        false => Err(Error::Length {
            what,
            expected,
            found,
        }),
    }
}

/// One bit an element of `shape` from one bit an element of `noise_shape`, which has as many axes and the size 1 where
/// elements share their fate.
///
/// # Errors
/// [`Error::Length`] if there is not one bit an element of `noise_shape`.
pub fn broadcast(bits: &[bool], noise_shape: &[usize], shape: &[usize]) -> Result<Vec<bool>> {
    check(bits, noise_shape)?;
    let group = |element| {
        let mut place = place(shape, element);
        for (at, &noise) in place.iter_mut().zip(noise_shape) {
            *at = if noise == 1 { 0 } else { *at };
        }
        index(noise_shape, &place)
    };
    let elements = shape.iter().product();
    Ok((0..elements).map(|element| bits[group(element)]).collect())
}

/// Whether each element is kept if a seed drops the block that begins there: `block` elements along each of `axes`. There
/// is a seed for each place where a whole block lies on the map, in row-major order.
///
/// # Errors
/// [`Error::Length`] if there is not one seed a place.
pub fn drop_blocks(
    seeds: &[bool],
    shape: &[usize],
    axes: Range<usize>,
    block: usize,
) -> Result<Vec<bool>> {
    let mut places = shape.to_vec();
    for axis in axes.clone() {
        places[axis] = (places[axis] + 1).saturating_sub(block);
    }
    check(seeds, &places)?;
    let mut kept = vec![true; shape.iter().product()];
    let box_of: Vec<usize> = axes.clone().map(|_| block).collect();
    for seed in (0..seeds.len()).filter(|&seed| seeds[seed]) {
        let corner = place(&places, seed);
        for step in 0..box_of.iter().product() {
            let mut at = corner.clone();
            for (axis, step) in axes.clone().zip(place(&box_of, step)) {
                at[axis] += step;
            }
            kept[index(shape, &at)] = false;
        }
    }
    Ok(kept)
}
