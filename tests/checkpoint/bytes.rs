//! What is written is what is read, and what nobody wrote is refused.

use std::collections::BTreeMap;

use elision::train::Checkpoint;
use elision::{CheckpointFault, Error, Tensor};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

/// Bits that a careless copy changes: quiet and signalling not-a-numbers with payloads, both zeros, a subnormal.
const ODD: [u32; 8] = [
    0x7fc0_0001,
    0xffc1_2345,
    0x7f80_0001,
    0xffa0_0000,
    0x8000_0000,
    0,
    1,
    0xff80_0000,
];

pub(crate) fn bits(checkpoint: &Checkpoint) -> BTreeMap<&str, (Vec<usize>, Vec<u32>)> {
    let tensors = checkpoint.tensors.iter();
    let bits = |x: &Tensor| x.as_slice().iter().map(|x| x.to_bits()).collect();
    tensors
        .map(|(name, x)| (name.as_str(), (x.shape().to_vec(), bits(x))))
        .collect()
}

/// Every kind of tensor and of name.
pub(crate) fn sample() -> Checkpoint {
    let odd: Vec<f32> = ODD.iter().map(|&bits| f32::from_bits(bits)).collect();
    let tensors = [
        ("model.weight", Tensor::from_slice(&odd, &[2, 4])),
        ("model.scale", Tensor::full(&[], -0.0)),
        ("model.nothing", Tensor::zeros(&[3, 0, 2])),
        ("", Tensor::full(&[1; 8], 1.5)),
        ("\"quoted\"\n\u{1f600}", Tensor::full(&[17], 0.1)),
    ];
    let tensors = tensors.map(|(name, x)| (name.to_owned(), x.expect("the shape is sound")));
    let metadata = [
        ("elision.step", "7"),
        ("__metadata__", ""),
        ("", "\\ \u{0} é"),
    ];
    Checkpoint {
        tensors: tensors.into(),
        metadata: metadata
            .map(|(name, word)| (name.to_owned(), word.to_owned()))
            .into(),
    }
}

/// A file with this header.
fn file(header: &str, data: &[u8]) -> Vec<u8> {
    let length = (header.len() as u64).to_le_bytes();
    [&length[..], header.as_bytes(), data].concat()
}

fn entry(name: &str, shape: &str, (start, end): (u64, u64)) -> String {
    format!(r#""{name}":{{"dtype":"F32","shape":{shape},"data_offsets":[{start},{end}]}}"#)
}

/// The words of the fault of a file that is not in the format.
fn fault(bytes: &[u8]) -> String {
    match Checkpoint::from_bytes(bytes) {
        Err(Error::Checkpoint(CheckpointFault::Format(fault))) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_bit_comes_back() {
    for checkpoint in [sample(), Checkpoint::default()] {
        let bytes = checkpoint.to_bytes().expect("it can be written");
        let read = Checkpoint::from_bytes(&bytes).expect("it can be read");
        assert_eq!(bits(&read), bits(&checkpoint));
        assert_eq!(read.metadata, checkpoint.metadata);
        assert_eq!(read.to_bytes().expect("it can be written"), bytes);
    }
}

#[test]
fn data_are_aligned() {
    let bytes = sample().to_bytes().expect("it can be written");
    let (length, _) = bytes.split_first_chunk().expect("there is a length");
    assert_eq!(u64::from_le_bytes(*length) % 8, 0);
}

#[test]
fn the_formats_own_crate_reads_what_is_written() {
    let ours = sample();
    let bytes = ours.to_bytes().expect("it can be written");
    let theirs = SafeTensors::deserialize(&bytes).expect("the crate reads it");
    assert_eq!(theirs.len(), ours.tensors.len());
    for (name, x) in &ours.tensors {
        let found = theirs.tensor(name).expect("the tensor is there");
        assert_eq!((found.dtype(), found.shape()), (Dtype::F32, x.shape()));
        let data: Vec<u8> = x.as_slice().iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(found.data(), data);
    }
}

#[test]
fn what_the_formats_own_crate_writes_is_read() {
    let data = ODD.map(u32::to_le_bytes).concat();
    let view = |shape: &[usize], data| TensorView::new(Dtype::F32, shape.to_vec(), data);
    let tensors = [
        ("a", view(&[4, 2], &data).expect("the sizes agree")),
        ("b", view(&[], &data[4..8]).expect("the sizes agree")),
    ];
    let metadata = [("format".to_owned(), "pt".to_owned())];
    let bytes = safetensors::serialize(tensors, Some(metadata.clone().into_iter().collect()));
    let read = Checkpoint::from_bytes(&bytes.expect("the crate writes it")).expect("it is read");
    let expected = [
        ("a", (vec![4, 2], ODD.to_vec())),
        ("b", (vec![], vec![ODD[1]])),
    ];
    assert_eq!(bits(&read), expected.into());
    assert_eq!(read.metadata, metadata.into());
}

#[test]
fn every_truncation_is_an_error() {
    let bytes = sample().to_bytes().expect("it can be written");
    for end in 0..bytes.len() {
        fault(&bytes[..end]);
    }
    fault(&[&bytes[..], &[0]].concat());
}

#[test]
fn flipped_bits_never_panic() {
    let bytes = sample().to_bytes().expect("it can be written");
    let mut refused = 0;
    for bit in 0..8 * bytes.len() {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        match Checkpoint::from_bytes(&bytes) {
            Ok(read) => assert!(read.to_bytes().is_ok()),
            Err(Error::Checkpoint(_)) => refused += 1,
            Err(other) => panic!("bit {bit}: {other}"),
        }
    }
    assert!(refused > 64, "only {refused} were refused");
}

#[test]
fn foreign_files_are_refused() {
    for bytes in [&b"PK\x03\x04 a zip archive of some length"[..], &[0; 64]] {
        fault(bytes);
    }
    for header in ["", "[]", "null", "{", "{}}", "\u{0}", r#"{"a":1}"#] {
        fault(&file(header, &[]));
    }
    fault(&[&8_u64.to_le_bytes()[..], &[0xff; 8]].concat());
    fault(&file(r#"{"__metadata__":{"a":1}}"#, &[]));
    fault(&file(&"[".repeat(1 << 20), &[]));
    let unknown = entry("a", "[1]", (0, 4)).replace("F32", "F33");
    assert!(fault(&file(&format!("{{{unknown}}}"), &[0; 4])).contains("F33"));
}

#[test]
fn other_types_are_refused_by_name() {
    let header = format!("{{{}}}", entry("x", "[2]", (0, 4)).replace("F32", "BF16"));
    let expected = CheckpointFault::Dtype {
        tensor: "x".to_owned(),
        dtype: "BF16".to_owned(),
    };
    assert_eq!(
        Checkpoint::from_bytes(&file(&header, &[0; 4])),
        Err(Error::Checkpoint(expected))
    );
}

#[test]
fn headers_that_lie_are_refused() {
    let lies = [
        // The shape, the place and the data disagree.
        (entry("a", "[2]", (0, 4)), 4),
        (entry("a", "[1]", (0, 4)), 8),
        (entry("a", "[1]", (4, 8)), 8),
        (entry("a", "[1]", (4, 0)), 4),
        (entry("a", "[-1]", (0, 4)), 4),
        (entry("a", "[1.0]", (0, 4)), 4),
        (entry("a", "[1e30]", (0, 4)), 4),
        // Two tensors share elements.
        (
            entry("a", "[2]", (0, 8)) + "," + &entry("b", "[1]", (4, 8)),
            8,
        ),
        // Too large for a number, for memory, or for this crate.
        (entry("a", "[4294967296,4294967296]", (0, 0)), 0),
        (entry("a", "[0,4294967296,4294967296]", (0, 0)), 0),
        (entry("a", "[1099511627776]", (0, 1 << 42)), 4),
        (entry("a", "[1,1,1,1,1,1,1,1,1]", (0, 4)), 4),
    ];
    for (entries, data) in lies {
        fault(&file(&format!("{{{entries}}}"), &vec![0; data]));
    }
    for length in [3, 1 << 32, 1 << 63, u64::MAX - 7, u64::MAX] {
        fault(&[&length.to_le_bytes()[..], b"{}"].concat());
    }
}

#[test]
fn sizes_that_add_up_to_overflow_are_refused() {
    let most = (1_u64 << 59) - 1;
    let start = |i: u64| 4 * most * i;
    let mut entries: Vec<String> = (0..8)
        .map(|i| {
            let place = (start(i), start(i + 1));
            entry(&i.to_string(), &format!("[{most}]"), place)
        })
        .collect();
    let left = (u64::MAX - start(8)) / 4;
    let place = (start(8), start(8) + 4 * left);
    entries.push(entry("8", &format!("[{left}]"), place));
    fault(&file(&format!("{{{}}}", entries.join(",")), &[0; 4]));
}

#[test]
fn names_that_are_given_twice_are_refused() {
    let a = entry("a", "[1]", (0, 4));
    let escaped = entry("\\u0061", "[1]", (0, 4));
    let words = |words: &str| format!(r#""__metadata__":{{{words}}}"#);
    let twice = [
        (format!("{{{a},{a}}}"), 4),
        (format!("{{{a},{escaped}}}"), 4),
        (format!("{{{}}}", words(r#""a":"1","a":"1""#)), 0),
        (format!("{{{},{}}}", words(""), words("")), 0),
    ];
    for (header, data) in twice {
        assert!(fault(&file(&header, &vec![0; data])).contains("named twice"));
    }
}

#[test]
fn the_formats_own_name_is_refused() {
    let mut checkpoint = Checkpoint::default();
    let name = "__metadata__".to_owned();
    checkpoint.tensors.insert(name, Tensor::default());
    let written = checkpoint.to_bytes();
    assert!(matches!(
        written,
        Err(Error::Checkpoint(CheckpointFault::Format(_)))
    ));
}
