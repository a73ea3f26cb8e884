//! Checkpoints from arbitrary bytes: refused, or read as what they say.

use elision::train::Checkpoint;

/// The most data that follow a header made of the input.
const MOST: usize = 256;

/// Reads the input as a file, and as the header of a file whose first eight bytes are right. The input's first byte
/// is the number of bytes of data.
pub(crate) fn run(data: &[u8]) {
    check(data);
    let Some((&count, header)) = data.split_first() else {
        return;
    };
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    // Not-a-numbers with a payload, and ordinary numbers.
    file.extend((0..MOST).map(|i| i as u8 | 0x81).take(count.into()));
    check(&file);
}

/// What is read is no larger than the file, and the same once it has been written.
fn check(file: &[u8]) {
    let Ok(checkpoint) = Checkpoint::from_bytes(file) else {
        return;
    };
    let elements: usize = checkpoint.tensors.values().map(|x| x.len()).sum();
    assert!(elements * size_of::<f32>() <= file.len());
    let written = checkpoint.to_bytes().expect("what was read can be written");
    let again = Checkpoint::from_bytes(&written).expect("what was written can be read");
    assert_eq!(bits(&again), bits(&checkpoint));
    assert_eq!(again.metadata, checkpoint.metadata);
}

fn bits(checkpoint: &Checkpoint) -> Vec<(&str, &[usize], Vec<u32>)> {
    let tensors = checkpoint.tensors.iter();
    let tensors = tensors.map(|(name, x)| {
        let bits = x.as_slice().iter().map(|x| x.to_bits());
        (name.as_str(), x.shape(), bits.collect())
    });
    tensors.collect()
}
