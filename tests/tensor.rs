//! Tensors and views: constructors, layouts, and bad input.

use elision::{Dims, Error, MAX_RANK, Tensor, View, ViewMut, broadcast_shapes};
use proptest::prelude::*;

fn iota(shape: &[usize]) -> Tensor {
    let len = shape.iter().product::<usize>();
    Tensor::from_vec((0..len).map(|i| i as f32).collect(), shape).unwrap()
}

#[test]
fn constructors_agree() {
    let data: Vec<f32> = (0..35).map(|i| i as f32).collect();
    let adopted = Tensor::from_vec(data.clone(), &[5, 7]).unwrap();
    let copied = Tensor::from_slice(&data, &[5, 7]).unwrap();
    assert_eq!(adopted, copied);
    assert_eq!(copied.as_slice().as_ptr().align_offset(64), 0);
    assert_eq!(Tensor::full(&[3], 2.5).unwrap().as_slice(), [2.5; 3]);
    assert_eq!(
        Tensor::zeros(&[17])
            .unwrap()
            .as_slice()
            .as_ptr()
            .align_offset(64),
        0
    );
    assert_eq!(copied.into_vec(), data);
}

#[test]
fn a_vector_goes_in_and_out_without_a_copy() {
    let data = vec![1.0; 6];
    let address = data.as_ptr();
    let tensor = Tensor::from_vec(data, &[6])
        .unwrap()
        .reshape(&[2, 3])
        .unwrap();
    assert_eq!(tensor.as_slice().as_ptr(), address);
    let data = tensor.into_vec();
    assert_eq!(data.as_ptr(), address);
}

#[test]
fn scalars_and_empty_tensors_are_legal() {
    let scalar = Tensor::full(&[], 3.0).unwrap();
    assert_eq!((scalar.rank(), scalar.len()), (0, 1));
    assert_eq!(scalar.view().get(&[]), Some(3.0));
    assert_eq!(scalar.view().iter().collect::<Vec<_>>(), [3.0]);
    assert_eq!(scalar.view().reshape(&[1, 1]).unwrap().shape(), [1, 1]);
    let empty = Tensor::zeros(&[2, 0, 3]).unwrap();
    assert!(empty.is_empty());
    assert_eq!(empty.view().iter().count(), 0);
    assert_eq!(empty.view().as_slice(), Some(&[][..]));
    let ends = empty.view().slice(0, 2..2).unwrap().slice(2, 3..3).unwrap();
    assert_eq!(ends.to_tensor().unwrap().shape(), [0, 0, 0]);
    assert_eq!(empty.reshape(&[0]).unwrap().shape(), [0]);
}

#[test]
fn sizes_that_overflow_are_errors() {
    let huge = usize::MAX;
    for shape in [
        &[huge, 2][..],
        &[huge],
        &[1 << 61],
        &[1 << 60],
        &[huge, huge, 0],
    ] {
        assert!(
            matches!(Tensor::zeros(shape), Err(Error::Overflow(_))),
            "{shape:?}"
        );
    }
    assert!(matches!(
        View::new(&[1.0], &[huge, 2], &[0, 0]),
        Err(Error::Overflow(_))
    ));
    assert!(matches!(
        View::new(&[1.0], &[3], &[huge]),
        Err(Error::Overflow(_))
    ));
    assert!(matches!(
        View::new(&[1.0], &[2, 2], &[huge, 1]),
        Err(Error::Overflow(_))
    ));
    let one = Tensor::zeros(&[1]).unwrap();
    let long = one.view().broadcast_to(&[huge]).unwrap();
    assert!(matches!(long.to_tensor(), Err(Error::Overflow(_))));
    assert!(matches!(
        long.broadcast_to(&[2, huge]),
        Err(Error::Overflow(_))
    ));
}

#[test]
fn ranks_lengths_and_axes_are_checked() {
    let nine = [1; MAX_RANK + 1];
    assert_eq!(Tensor::zeros(&nine).err(), Some(Error::RankLimit(9)));
    assert_eq!(Dims::new(&nine).err(), Some(Error::RankLimit(9)));
    assert!(matches!(
        Tensor::from_vec(vec![0.0; 5], &[2, 3]),
        Err(Error::Length {
            expected: 6,
            found: 5,
            ..
        })
    ));
    assert!(matches!(
        Tensor::from_slice(&[0.0; 5], &[]),
        Err(Error::Length {
            expected: 1,
            found: 5,
            ..
        })
    ));
    assert!(matches!(
        iota(&[6]).reshape(&[4]),
        Err(Error::Length {
            expected: 4,
            found: 6,
            ..
        })
    ));
    assert!(matches!(
        View::new(&[0.0; 5], &[2, 3], &[3, 1]),
        Err(Error::Length {
            expected: 6,
            found: 5,
            ..
        })
    ));
    assert!(matches!(
        View::contiguous(&[0.0; 7], &[2, 3]),
        Err(Error::Length {
            expected: 6,
            found: 7,
            ..
        })
    ));
    assert!(matches!(
        View::new(&[0.0], &[1], &[]),
        Err(Error::Rank {
            expected: 1,
            found: 0,
            ..
        })
    ));

    let tensor = iota(&[2, 3]);
    let view = tensor.view();
    assert_eq!(
        view.slice(2, 0..1).err(),
        Some(Error::Axis { axis: 2, rank: 2 })
    );
    #[allow(
        clippy::reversed_empty_ranges,
        reason = "the reversed range is what is tested"
    )]
    let reversed = view.slice(1, 2..1);
    assert!(matches!(
        reversed,
        Err(Error::Range {
            start: 2,
            end: 1,
            length: 3,
            ..
        })
    ));
    assert!(matches!(
        view.slice(1, 2..4),
        Err(Error::Range {
            start: 2,
            end: 4,
            length: 3,
            ..
        })
    ));
    assert_eq!(
        view.transpose(0, 5).err(),
        Some(Error::Axis { axis: 5, rank: 2 })
    );
    assert!(matches!(
        view.permute(&[0]),
        Err(Error::Rank {
            expected: 2,
            found: 1,
            ..
        })
    ));
    assert_eq!(view.permute(&[1, 1]).err(), Some(Error::RepeatedAxis(1)));
    assert_eq!(
        view.permute(&[1, 2]).err(),
        Some(Error::Axis { axis: 2, rank: 2 })
    );
    assert!(matches!(view.reshape(&[7]), Err(Error::Length { .. })));
    assert!(matches!(
        view.transpose(0, 1).unwrap().reshape(&[6]),
        Err(Error::Reshape { .. })
    ));
    assert!(matches!(
        view.broadcast_to(&[3]),
        Err(Error::Broadcast { .. })
    ));
    assert!(matches!(
        view.broadcast_to(&[4, 3]),
        Err(Error::Broadcast { .. })
    ));
    assert_eq!(view.broadcast_to(&nine).err(), Some(Error::RankLimit(9)));
    assert_eq!(
        (view.get(&[2, 0]), view.get(&[1]), view.get(&[1, 2])),
        (None, None, Some(5.0))
    );
}

#[test]
fn mutable_views_refuse_overlap() {
    let mut data = [0.0; 16];
    for (shape, strides) in [
        (&[2][..], &[0][..]),
        (&[3, 2], &[1, 1]),
        (&[2, 3], &[2, 1]),
        (&[4, 4], &[4, 0]),
    ] {
        assert_eq!(
            ViewMut::new(&mut data, shape, strides).err(),
            Some(Error::Overlap("view")),
            "{shape:?}"
        );
    }
    for (shape, strides) in [
        (&[1][..], &[0][..]),
        (&[2, 3], &[3, 1]),
        (&[3, 2], &[1, 3]),
        (&[0, 5], &[0, 0]),
        (&[], &[]),
    ] {
        assert!(ViewMut::new(&mut data, shape, strides).is_ok(), "{shape:?}");
    }
    assert!(matches!(
        ViewMut::new(&mut data, &[2], &[16]),
        Err(Error::Length { expected: 17, .. })
    ));
    assert!(matches!(
        ViewMut::contiguous(&mut data, &[2]),
        Err(Error::Length { .. })
    ));
}

#[test]
fn a_mutable_view_writes_where_the_view_reads() {
    let mut tensor = iota(&[3, 4]);
    let mut view = tensor
        .view_mut()
        .slice(1, 1..3)
        .unwrap()
        .transpose(0, 1)
        .unwrap();
    assert_eq!(view.as_mut_slice(), None);
    *view.get_mut(&[1, 2]).unwrap() = -1.0;
    assert_eq!(
        view.reborrow()
            .permute(&[1, 0])
            .unwrap()
            .as_view()
            .get(&[2, 1]),
        Some(-1.0)
    );
    assert_eq!(View::from(view).get(&[1, 2]), Some(-1.0));
    assert_eq!(tensor.as_slice()[10], -1.0);
}

#[test]
fn debug_output_is_short() {
    let text = format!("{:?}", Tensor::zeros(&[1000, 1000]).unwrap());
    assert_eq!(
        text,
        "Tensor([1000, 1000]: [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, …])"
    );
    assert_eq!(format!("{:?}", iota(&[2]).view()), "View([2]: [0.0, 1.0])");
}

#[test]
fn shapes_broadcast() {
    for (a, b, shape) in [
        (&[2, 3][..], &[3][..], &[2, 3][..]),
        (&[4, 1], &[3], &[4, 3]),
        (&[], &[5, 0], &[5, 0]),
        (&[1], &[0], &[0]),
        (&[2, 1, 4], &[3, 1], &[2, 3, 4]),
    ] {
        assert_eq!(&broadcast_shapes(a, b).unwrap()[..], shape);
        assert_eq!(&broadcast_shapes(b, a).unwrap()[..], shape);
    }
    assert!(matches!(
        broadcast_shapes(&[2], &[3]),
        Err(Error::Broadcast { .. })
    ));
    assert!(matches!(
        broadcast_shapes(&[2], &[0]),
        Err(Error::Broadcast { .. })
    ));
    assert_eq!(
        broadcast_shapes(&[1; 9], &[1]).err(),
        Some(Error::RankLimit(9))
    );
}

/// The oracle: a shape and the value at each index in row-major order, all written out.
#[derive(Clone, Debug)]
struct Listed {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl Listed {
    fn index(&self, mut flat: usize) -> Vec<usize> {
        let mut index = vec![0; self.shape.len()];
        for (i, dim) in index.iter_mut().zip(&self.shape).rev() {
            *i = flat % dim;
            flat /= dim;
        }
        index
    }

    fn at(&self, index: &[usize]) -> f32 {
        let flat = index
            .iter()
            .zip(&self.shape)
            .fold(0, |flat, (i, dim)| flat * dim + i);
        self.values[flat]
    }

    /// The listing of `shape` whose value at each index is this one's at `f(index)`.
    fn map(&self, shape: Vec<usize>, f: impl Fn(&[usize]) -> Vec<usize>) -> Self {
        let len = shape.iter().product();
        let mut listed = Self {
            shape,
            values: vec![0.0; len],
        };
        for flat in 0..len {
            listed.values[flat] = self.at(&f(&listed.index(flat)));
        }
        listed
    }
}

/// One step from a view to another, decided by random numbers.
#[derive(Clone, Debug)]
enum Step {
    Slice(usize, usize, usize),
    Permute(u64),
    Broadcast(usize, usize),
    Reshape(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (any::<usize>(), any::<usize>(), any::<usize>()).prop_map(|(a, b, c)| Step::Slice(a, b, c)),
        any::<u64>().prop_map(Step::Permute),
        (any::<usize>(), 1_usize..4).prop_map(|(a, b)| Step::Broadcast(a, b)),
        (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Step::Reshape(a, b)),
    ]
}

fn permutation(rank: usize, mut seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rank).collect();
    for i in (1..rank).rev() {
        order.swap(i, (seed % (i as u64 + 1)) as usize);
        seed /= i as u64 + 1;
    }
    order
}

/// Another shape of the same size: neighbouring axes merged, or one split at a divisor.
fn other_shape(shape: &[usize], which: usize, how: usize) -> Vec<usize> {
    let mut shape = shape.to_vec();
    if shape.is_empty() {
        return vec![1];
    }
    let axis = which % shape.len();
    if how.is_multiple_of(2) && axis + 1 < shape.len() {
        shape[axis] *= shape.remove(axis + 1);
    } else if shape[axis] > 0 && shape.len() < 5 {
        let divisor = (1..=shape[axis])
            .filter(|d| shape[axis].is_multiple_of(*d))
            .nth(how % 3)
            .unwrap_or(1);
        shape[axis] /= divisor;
        shape.insert(axis, divisor);
    }
    shape
}

fn apply<'a>(view: View<'a>, listed: Listed, step: Step) -> (View<'a>, Listed) {
    let rank = view.rank();
    match step {
        Step::Slice(axis, a, b) if rank > 0 => {
            let axis = axis % rank;
            let (a, b) = (a % (view.shape()[axis] + 1), b % (view.shape()[axis] + 1));
            let (start, end) = (a.min(b), a.max(b));
            let mut shape = listed.shape.clone();
            shape[axis] = end - start;
            let sliced = listed.map(shape, |index| {
                let mut index = index.to_vec();
                index[axis] += start;
                index
            });
            (view.slice(axis, start..end).unwrap(), sliced)
        }
        Step::Permute(seed) => {
            let order = permutation(rank, seed);
            let shape = order.iter().map(|&axis| listed.shape[axis]).collect();
            let permuted = listed.map(shape, |index| {
                let mut source = vec![0; rank];
                for (&axis, &i) in order.iter().zip(index) {
                    source[axis] = i;
                }
                source
            });
            (view.permute(&order).unwrap(), permuted)
        }
        Step::Broadcast(axis, times) if rank < 5 && view.len() < 500 => {
            let mut shape = listed.shape.clone();
            if rank > 0 && shape[axis % rank] == 1 {
                shape[axis % rank] = times;
            }
            shape.insert(0, times);
            let source = listed.shape.clone();
            let repeated = listed.map(shape.clone(), |index| {
                index[1..]
                    .iter()
                    .zip(&source)
                    .map(|(&i, &dim)| if dim == 1 { 0 } else { i })
                    .collect()
            });
            (view.broadcast_to(&shape).unwrap(), repeated)
        }
        Step::Reshape(which, how) => {
            let shape = other_shape(&listed.shape, which, how);
            match view.reshape(&shape) {
                Ok(view) => (view, Listed { shape, ..listed }),
                Err(error) => {
                    assert!(matches!(error, Error::Reshape { .. }), "{error}");
                    assert!(
                        view.as_slice().is_none(),
                        "a contiguous view can always be reshaped"
                    );
                    (view, listed)
                }
            }
        }
        _ => (view, listed),
    }
}

proptest! {
    #[test]
    fn views_read_what_the_listing_says(
        shape in prop::collection::vec(0_usize..5, 0..5),
        steps in prop::collection::vec(step(), 0..8),
    ) {
        let tensor = iota(&shape);
        let (mut view, mut listed) = (tensor.view(), Listed { shape, values: tensor.as_slice().to_vec() });
        for step in steps {
            (view, listed) = apply(view, listed, step);
            prop_assert_eq!(view.shape(), &listed.shape);
            prop_assert_eq!(view.iter().collect::<Vec<_>>(), &listed.values[..]);
            prop_assert_eq!(view.iter().len(), listed.values.len());
            let copy = view.to_tensor().unwrap();
            prop_assert_eq!(copy.as_slice(), &listed.values[..]);
            for flat in 0..listed.values.len() {
                prop_assert_eq!(view.get(&listed.index(flat)), Some(listed.values[flat]));
            }
            if let Some(slice) = view.as_slice() {
                prop_assert_eq!(slice, &listed.values[..]);
            }
        }
    }

    /// What a mutable view accepts, checked by visiting every offset.
    #[test]
    fn accepted_layouts_never_overlap(axes in prop::collection::vec((0_usize..4, 0_usize..12), 0..5)) {
        let (shape, strides): (Vec<_>, Vec<_>) = axes.into_iter().unzip();
        let mut data: Vec<f32> = (0..256).map(|i| i as f32).collect();
        if let Ok(view) = ViewMut::new(&mut data, &shape, &strides) {
            let mut seen: Vec<f32> = view.as_view().iter().collect();
            seen.sort_by(f32::total_cmp);
            prop_assert!(seen.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
