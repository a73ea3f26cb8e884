//! Masks against vectors of bools.

use elision::Mask;

use super::bytes::Bytes;

/// The most elements of a mask: several words, and a tail.
const MOST: usize = 255;

/// Makes a mask and changes it step by step, in the library and in the model.
pub(crate) fn run(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let mut model = bools(&mut bytes);
    let mut mask = Mask::from_bools(&model);
    check(&mask, &model);
    while !bytes.is_empty() {
        (mask, model) = step(&mut bytes, mask, model);
        check(&mask, &model);
    }
}

fn bools(bytes: &mut Bytes) -> Vec<bool> {
    let n = bytes.below(MOST + 1);
    let packed: Vec<u8> = (0..n.div_ceil(8)).map(|_| bytes.byte()).collect();
    (0..n).map(|i| packed[i / 8] >> (i % 8) & 1 == 1).collect()
}

fn step(bytes: &mut Bytes, mask: Mask, model: Vec<bool>) -> (Mask, Vec<bool>) {
    match bytes.below(6) {
        0 => slice(bytes, mask, model),
        1 => (mask.not(), model.iter().map(|kept| !kept).collect()),
        2 => zip(bytes, mask, model, Mask::and, |a, b| a & b),
        3 => zip(bytes, mask, model, Mask::or, |a, b| a | b),
        4 => zip(bytes, mask, model, Mask::xor, |a, b| a ^ b),
        _ => (dirty_round_trip(bytes, &mask), model),
    }
}

fn slice(bytes: &mut Bytes, mask: Mask, model: Vec<bool>) -> (Mask, Vec<bool>) {
    let (start, end) = (bytes.wild(model.len()), bytes.wild(model.len()));
    let part = mask.slice(start..end);
    assert_eq!(
        part.is_ok(),
        start <= end && end <= model.len(),
        "{start}..{end} of {}",
        model.len()
    );
    match part {
        Ok(part) => (part, model[start..end].to_vec()),
        Err(_) => (mask, model),
    }
}

fn zip(
    bytes: &mut Bytes,
    mask: Mask,
    model: Vec<bool>,
    op: fn(&Mask, &Mask) -> elision::Result<Mask>,
    expected: fn(bool, bool) -> bool,
) -> (Mask, Vec<bool>) {
    let mut other = bools(bytes);
    if other.len() != model.len() {
        assert!(op(&mask, &Mask::from_bools(&other)).is_err());
        other.resize(model.len(), true);
    }
    let result = op(&mask, &Mask::from_bools(&other)).expect("the lengths agree");
    (
        result,
        model
            .iter()
            .zip(other)
            .map(|(&a, b)| expected(a, b))
            .collect(),
    )
}

/// Through bytes and words, with rubbish in the bits past the end.
fn dirty_round_trip(bytes: &mut Bytes, mask: &Mask) -> Mask {
    let (len, rubbish) = (mask.len(), bytes.byte());
    let mut packed = mask.to_bytes();
    if let (1.., Some(last)) = (len % 8, packed.last_mut()) {
        *last |= rubbish << (len % 8);
    }
    let back = Mask::from_bytes(&packed, len).expect("the length agrees");
    assert_eq!(&back, mask);
    packed.push(rubbish);
    assert!(Mask::from_bytes(&packed, len).is_err());
    let mut words = mask.as_words().to_vec();
    if let (1.., Some(last)) = (len % 64, words.last_mut()) {
        *last |= u64::from(rubbish).wrapping_mul(0x0101_0101_0101_0101) << (len % 64);
    }
    Mask::from_words(words, len).expect("the length agrees")
}

fn check(mask: &Mask, model: &[bool]) {
    assert_eq!(mask.to_bools(), model);
    assert_eq!(
        (mask.len(), mask.is_empty()),
        (model.len(), model.is_empty())
    );
    let kept: Vec<usize> = (0..model.len()).filter(|&i| model[i]).collect();
    assert_eq!(mask.count_kept(), kept.len());
    assert_eq!(mask.kept().len(), kept.len());
    assert_eq!(mask.kept().collect::<Vec<_>>(), kept);
    assert!((0..model.len()).all(|i| mask.get(i) == Some(model[i])));
    assert_eq!((mask.get(model.len()), mask.get(usize::MAX)), (None, None));
    assert_eq!(mask.as_words().len(), model.len().div_ceil(64));
    let ones: u32 = mask.as_words().iter().map(|word| word.count_ones()).sum();
    assert_eq!(ones as usize, kept.len(), "bits past the end are zero");
}
