//! Views against lists of elements: a model holds a shape and, in row-major order, what every index
//! should find.

use elision::{MAX_RANK, Tensor, View, ViewMut, ops};

use super::bytes::Bytes;

/// Elements that the views look at.
const DATA: usize = 96;
/// The most elements of a model: broadcasts that ask for more are skipped.
const MOST: usize = 4096;

#[derive(Clone, Debug, PartialEq)]
struct Model {
    shape: Vec<usize>,
    elements: Vec<f32>,
}

/// Makes a view of any layout, follows a program of steps, and then writes through a layout.
pub(crate) fn run(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let numbers: Vec<f32> = (0..DATA as u16).map(f32::from).collect();
    let (shape, strides) = layout(&mut bytes);
    if let Ok(view) = View::new(&numbers, &shape, &strides)
        && let Some(model) = gather(&numbers, &shape, &strides)
    {
        follow(&mut bytes, view, model);
    }
    let shape = bytes.list(4, |bytes| bytes.below(7));
    let len = shape.iter().product::<usize>();
    if let Some(whole) = numbers.get(..len) {
        let view = View::contiguous(whole, &shape).expect("the length agrees");
        follow(
            &mut bytes,
            view,
            Model {
                shape,
                elements: whole.to_vec(),
            },
        );
    }
    write_through(&mut bytes);
}

/// A shape and strides, not always as many and not always small.
fn layout(bytes: &mut Bytes) -> (Vec<usize>, Vec<usize>) {
    let shape = bytes.list(MAX_RANK + 1, |bytes| bytes.wild(5));
    let n = if bytes.byte() == 255 {
        shape.len() + 1
    } else {
        shape.len()
    };
    (shape, (0..n).map(|_| bytes.wild(20)).collect())
}

/// Every index of a shape, in row-major order.
fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    shape.iter().fold(vec![vec![]], |indices, &dim| {
        let extend = |index: Vec<usize>| (0..dim).map(move |i| [index.as_slice(), &[i]].concat());
        indices.into_iter().flat_map(extend).collect()
    })
}

/// Whether a shape is small enough for a model.
fn is_small(shape: &[usize]) -> bool {
    let count = shape
        .iter()
        .filter(|&&dim| dim > 0)
        .try_fold(1usize, |n, &dim| n.checked_mul(dim));
    count.is_some_and(|count| count <= MOST)
}

fn gather(data: &[f32], shape: &[usize], strides: &[usize]) -> Option<Model> {
    if !is_small(shape) {
        return None;
    }
    let at = |index: Vec<usize>| {
        data[index
            .iter()
            .zip(strides)
            .map(|(i, stride)| i * stride)
            .sum::<usize>()]
    };
    let elements = indices(shape).into_iter().map(at).collect();
    Some(Model {
        shape: shape.to_vec(),
        elements,
    })
}

fn follow<'a>(bytes: &mut Bytes, mut view: View<'a>, mut model: Model) {
    check(view, &model);
    for _ in 0..bytes.below(12) {
        (view, model) = step(bytes, view, model);
        check(view, &model);
    }
}

fn check(view: View<'_>, model: &Model) {
    assert_eq!(
        (view.shape(), view.len()),
        (&model.shape[..], model.elements.len())
    );
    assert_eq!(view.iter().len(), model.elements.len());
    assert_eq!(view.iter().collect::<Vec<_>>(), model.elements);
    for (index, &element) in indices(&model.shape).iter().zip(&model.elements) {
        assert_eq!(view.get(index), Some(element), "{index:?}");
    }
    assert_eq!(
        view.get(&model.shape),
        (model.shape.is_empty()).then(|| model.elements[0])
    );
    if let Some(slice) = view.as_slice() {
        assert_eq!(slice, model.elements);
    }
    assert_eq!(
        view.to_tensor().expect("it is small").as_slice(),
        model.elements
    );
}

fn step<'a>(bytes: &mut Bytes, view: View<'a>, model: Model) -> (View<'a>, Model) {
    let changed = match bytes.below(5) {
        0 => slice(bytes, view, &model),
        1 => transpose(bytes, view, &model),
        2 => permute(bytes, view, &model),
        3 => reshape(bytes, view, &model),
        _ => broadcast(bytes, view, &model),
    };
    changed.unwrap_or((view, model))
}

/// The model whose element at each index of `shape` is the old one at `from(index)`.
fn remap(model: &Model, shape: Vec<usize>, from: impl Fn(&[usize]) -> Vec<usize>) -> Model {
    let flat = |index: Vec<usize>| {
        index
            .iter()
            .zip(&model.shape)
            .fold(0, |flat, (i, dim)| flat * dim + i)
    };
    let elements = indices(&shape)
        .iter()
        .map(|index| model.elements[flat(from(index))])
        .collect();
    Model { shape, elements }
}

fn slice<'a>(bytes: &mut Bytes, view: View<'a>, model: &Model) -> Option<(View<'a>, Model)> {
    let axis = bytes.wild(model.shape.len());
    let dim = model.shape.get(axis).copied().unwrap_or(0);
    let (start, end) = (bytes.wild(dim), bytes.wild(dim));
    let sliced = view.slice(axis, start..end);
    assert_eq!(
        sliced.is_ok(),
        axis < model.shape.len() && start <= end && end <= dim
    );
    let sliced = sliced.ok()?;
    let mut shape = model.shape.clone();
    shape[axis] = end - start;
    let from = |index: &[usize]| {
        let mut index = index.to_vec();
        index[axis] += start;
        index
    };
    Some((sliced, remap(model, shape, from)))
}

fn transpose<'a>(bytes: &mut Bytes, view: View<'a>, model: &Model) -> Option<(View<'a>, Model)> {
    let rank = model.shape.len();
    let (a, b) = (bytes.wild(rank), bytes.wild(rank));
    let transposed = view.transpose(a, b);
    assert_eq!(transposed.is_ok(), a < rank && b < rank);
    let transposed = transposed.ok()?;
    let swapped = |dims: &[usize]| {
        let mut dims = dims.to_vec();
        dims.swap(a, b);
        dims
    };
    Some((transposed, remap(model, swapped(&model.shape), swapped)))
}

fn permute<'a>(bytes: &mut Bytes, view: View<'a>, model: &Model) -> Option<(View<'a>, Model)> {
    let rank = model.shape.len();
    let mut order: Vec<usize> = (0..rank).collect();
    for i in 1..rank {
        order.swap(i, bytes.below(i + 1));
    }
    if bytes.byte() == 255 {
        order.push(bytes.wild(rank));
        order.swap_remove(0);
    }
    let sound = (0..rank).all(|axis| order.contains(&axis)) && order.len() == rank;
    let permuted = view.permute(&order);
    assert_eq!(permuted.is_ok(), sound, "{order:?}");
    let permuted = permuted.ok()?;
    let shape = order.iter().map(|&axis| model.shape[axis]).collect();
    let from = |index: &[usize]| {
        let mut old = index.to_vec();
        (0..rank).for_each(|i| old[order[i]] = index[i]);
        old
    };
    Some((permuted, remap(model, shape, from)))
}

fn reshape<'a>(bytes: &mut Bytes, view: View<'a>, model: &Model) -> Option<(View<'a>, Model)> {
    let shape = bytes.list(MAX_RANK + 1, |bytes| bytes.wild(5));
    let shape = if bytes.byte() < 64 {
        vec![model.elements.len()]
    } else {
        shape
    };
    let reshaped = view.reshape(&shape);
    if !is_small(&shape) {
        // Sizes such as 0 x 2^63 have no list of indices; they must not panic.
        return None;
    }
    let same = shape.len() <= MAX_RANK && shape.iter().product::<usize>() == model.elements.len();
    // A view of any strides may refuse; one that is contiguous has no reason to.
    assert!(reshaped.is_err() || same, "{shape:?}");
    assert!(
        reshaped.is_ok() || !same || view.as_slice().is_none(),
        "{shape:?}"
    );
    let elements = model.elements.clone();
    Some((reshaped.ok()?, Model { shape, elements }))
}

fn broadcast<'a>(bytes: &mut Bytes, view: View<'a>, model: &Model) -> Option<(View<'a>, Model)> {
    let mut shape = bytes.list(3, |bytes| bytes.wild(3));
    let grown = |dim: &usize| if *dim == 1 { bytes.wild(3) } else { *dim };
    shape.extend(model.shape.iter().map(grown));
    if !is_small(&shape) {
        // Whether it is refused or a view of many elements, it must not panic.
        drop(view.broadcast_to(&shape));
        return None;
    }
    let repeated = view.broadcast_to(&shape);
    assert_eq!(repeated.is_ok(), shape.len() <= MAX_RANK, "{shape:?}");
    let repeated = repeated.ok()?;
    let missing = shape.len() - model.shape.len();
    let from = |index: &[usize]| {
        let clamp = |(&i, &dim): (&usize, &usize)| if dim == 1 { 0 } else { i };
        index[missing..]
            .iter()
            .zip(&model.shape)
            .map(clamp)
            .collect()
    };
    Some((repeated, remap(model, shape, from)))
}

/// A view that is accepted for writing has an element of its own for every index, and an operation that
/// writes through it touches those and no others.
fn write_through(bytes: &mut Bytes) {
    let (shape, strides) = layout(bytes);
    let mut data = [-1.0; DATA];
    let Ok(mut view) = ViewMut::new(&mut data, &shape, &strides) else {
        return;
    };
    let indices = if is_small(&shape) {
        indices(&shape)
    } else {
        vec![]
    };
    for (n, index) in (0u16..).zip(&indices) {
        *view.get_mut(index).expect("the index is inside") = n.into();
    }
    for (n, index) in (0u16..).zip(&indices) {
        assert_eq!(
            view.as_view().get(index),
            Some(n.into()),
            "{index:?} has an element of its own"
        );
    }
    let fresh: Vec<f32> = (1000u16..).take(view.len()).map(f32::from).collect();
    let fresh = Tensor::from_vec(fresh, &shape).expect("the length agrees");
    ops::copy_into(&fresh, view.reborrow()).expect("the shapes agree");
    assert_eq!(view.as_view().iter().collect::<Vec<_>>(), fresh.as_slice());
    assert_eq!(data.iter().filter(|&&x| x >= 1000.0).count(), fresh.len());
    assert_eq!(
        data.iter().filter(|&&x| x == -1.0).count(),
        DATA - fresh.len()
    );
}
