//! Masks on reduced shapes, blocks of maps and exact counts, of any small shape, against naive forms.

use elision::{Channels, DropBlock, Dropout, Isa, Key, Mask, Tensor, ops};

use super::bytes::Bytes;

/// Draws a mask on a reduced shape, one of blocks and one of an exact count.
pub(crate) fn run(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let shape = bytes.list(5, |bytes| bytes.below(9));
    let p = match bytes.below(4) {
        0 => f64::from(bytes.byte()) / 240.0,
        which => [0.0, 1.0 - f64::EPSILON, 1.0][which - 1],
    };
    let Ok(dropout) = Dropout::new(Key::new(bytes.byte().into()), p) else {
        assert!(p > 1.0, "a probability is refused");
        return;
    };
    let dropout = dropout.with_offset(bytes.wild(300) as u64);
    let isas = Isa::available();
    let isa = isas[bytes.below(isas.len())];
    let x = Tensor::full(&shape, 1.0).expect("it is small");
    isa.install(|| {
        groups(&mut bytes, &x, &dropout);
        blocks(&mut bytes, &x, &dropout);
        exact(&mut bytes);
    });
}

fn groups(bytes: &mut Bytes, x: &Tensor, dropout: &Dropout) {
    let noise_shape: Vec<usize> = match bytes.below(8) {
        0 => bytes.list(6, |bytes| bytes.wild(9)),
        _ => x
            .shape()
            .iter()
            .map(|&n| if bytes.below(2) == 0 { n } else { 1 })
            .collect(),
    };
    let Ok((y, mask)) = ops::dropout_shared(x, &noise_shape, dropout) else {
        return;
    };
    let kept = mask.to_bools();
    for (element, &y) in y.as_slice().iter().enumerate() {
        let expected = match kept[group(element, &noise_shape, x.shape())] {
            true => dropout.scale(),
            false => 0.0,
        };
        assert_eq!(
            y,
            expected,
            "element {element} of {:?} under {noise_shape:?}",
            x.shape()
        );
    }
    let again = ops::dropout_shared_backward(x, &noise_shape, dropout, None).expect("as before");
    assert_eq!(again, y, "the bits are drawn again");
}

/// The group that an element belongs to.
fn group(element: usize, noise_shape: &[usize], shape: &[usize]) -> usize {
    let (mut left, mut index, mut step) = (element, 0, 1);
    for (&noise, &size) in noise_shape.iter().rev().zip(shape.iter().rev()) {
        index += if noise == 1 { 0 } else { left % size * step };
        step *= noise;
        left /= size;
    }
    index
}

fn blocks(bytes: &mut Bytes, x: &Tensor, dropout: &Dropout) {
    let Ok(block) = DropBlock::new(bytes.wild(5)) else {
        return;
    };
    let block = if bytes.below(2) == 0 {
        block
    } else {
        block.coupled()
    };
    let block = match bytes.below(2) {
        0 => block,
        _ => block.with_channels(Channels::First),
    };
    let Ok((y, mask)) = ops::drop_block(x, &block, dropout) else {
        return;
    };
    let kept = y.as_slice().iter().filter(|&&y| y != 0.0);
    let count = kept.clone().count();
    assert!(kept.clone().all(|&y| y == mask.scale()), "one scale");
    if count > 0 {
        let sum = count as f64 * f64::from(mask.scale());
        let off = (sum / x.len() as f64 - 1.0).abs();
        assert!(off < 1e-6, "the mean of ones is {off} off");
    }
}

fn exact(bytes: &mut Bytes) {
    let (kept, len) = (bytes.wild(200), bytes.below(200));
    match Mask::draw_exact(Key::new(7), kept, len) {
        Ok(mask) => assert_eq!((mask.len(), mask.count_kept()), (len, kept)),
        Err(_) => assert!(kept > len, "{kept} of {len}"),
    }
}
