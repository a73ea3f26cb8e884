//! Stream v1: the library, the naive reference, the page and the golden digests agree.

mod support;

use elision::reference::stream;
use elision::{Dropout, Error, Key, Mask};
use support::{fnv1a, key, on_every_isa};

const RATES: [f64; 14] = [
    0.0,
    5e-324,
    8.673617379884035e-19, // 2^-60
    9.094947017729282e-13, // 2^-40
    0.001,
    0.1,
    0.25,
    0.3,
    0.5,
    0.75,
    0.9,
    1.0 - 5.960464477539063e-8,   // 1 - 2^-24
    1.0 - 1.1102230246251565e-16, // 1 - 2^-53
    1.0,
];
const LENGTHS: [usize; 21] = [
    0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 255, 256, 257, 511, 512, 513, 4095, 4096, 4097,
    100_003,
];
const OFFSETS: [u64; 11] = [0, 1, 7, 63, 64, 511, 512, 4095, 4096, 5000, (1 << 40) + 3];

#[test]
fn every_isa_draws_what_the_reference_draws() {
    let key = key(11, &[3, 5]);
    let longest = LENGTHS[LENGTHS.len() - 1];
    let mut cases = Vec::new();
    for p in RATES {
        for offset in OFFSETS {
            let naive = stream::keep_bits(key.to_u128(), p, offset, longest);
            cases.push((p, offset, naive.expect("the case is valid")));
        }
    }
    on_every_isa("stream", |isa| {
        for (p, offset, naive) in &cases {
            let dropout = Dropout::new(key, *p)
                .expect("p is a probability")
                .with_offset(*offset);
            for len in LENGTHS {
                let mask = Mask::draw(&dropout, len).expect("the case is valid");
                // Not assert_eq: the two masks would fill the terminal.
                assert!(
                    mask == Mask::from_bools(&naive[..len]),
                    "{isa}: p = {p:e}, offset {offset}, length {len}"
                );
            }
        }
    });
}

#[test]
fn redrawing_forgets_what_was_there() {
    on_every_isa("redraw", |_| {
        let dropout = Dropout::new(Key::new(4), 0.9)
            .expect("p is a probability")
            .with_offset(77);
        for len in [0, 1, 100, 5000] {
            let mut mask = Mask::all(len);
            assert_eq!(mask.redraw(&dropout), Ok(()));
            assert_eq!(Ok(mask), Mask::draw(&dropout, len));
        }
    });
}

#[test]
fn the_last_index_is_usable_and_the_next_is_an_error() {
    let key = Key::new(9);
    let len = 5000;
    let last = u64::MAX - len as u64;
    for p in [0.0, 0.1, 0.5, 1.0] {
        let dropout = Dropout::new(key, p).expect("p is a probability");
        let naive = stream::keep_bits(key.to_u128(), p, last, len).expect("the indices fit");
        on_every_isa("last index", |_| {
            let mask = Mask::draw(&dropout.with_offset(last), len);
            assert_eq!(mask.map(|mask| mask.to_bools()), Ok(naive.clone()));
            let past = dropout.with_offset(last + 1);
            assert!(matches!(Mask::draw(&past, len), Err(Error::Overflow(_))));
            let mut kept = Mask::all(len);
            assert!(matches!(kept.redraw(&past), Err(Error::Overflow(_))));
            assert_eq!(kept, Mask::all(len), "an error changes nothing");
        });
        let naive = stream::keep_bits(key.to_u128(), p, last + 1, len);
        assert!(matches!(naive, Err(Error::Overflow(_))));
    }
}

#[test]
fn lengths_beyond_memory_are_errors() {
    let dropout = Dropout::new(Key::new(0), 0.5).expect("p is a probability");
    for len in [usize::MAX, usize::MAX / 2] {
        assert!(
            matches!(Mask::draw(&dropout, len), Err(Error::Overflow(_))),
            "{len} bits"
        );
    }
    let naive = stream::keep_bits(0, 0.5, 0, usize::MAX);
    assert!(matches!(naive, Err(Error::Overflow(_))));
}

#[test]
fn the_reference_rejects_what_is_no_probability() {
    for p in [
        f64::NAN,
        -0.1,
        1.5,
        f64::INFINITY,
        f64::NEG_INFINITY,
        -5e-324,
    ] {
        assert!(matches!(
            stream::keep_bits(0, p, 0, 10),
            Err(Error::Probability(_))
        ));
        assert!(matches!(
            Dropout::new(Key::new(0), p),
            Err(Error::Probability(_))
        ));
    }
}

#[test]
fn keys_agree_with_the_reference() {
    for seed in [0, 1, 7, u64::MAX] {
        assert_eq!(Key::new(seed).to_u128(), stream::key(seed));
        for n in [0, 1, 4095, u64::MAX] {
            let naive = stream::fold_in(stream::key(seed), n);
            assert_eq!(Key::new(seed).fold_in(n).to_u128(), naive);
        }
    }
}

#[test]
fn the_golden_digests_hold() {
    let golden = include_str!("golden/stream-v1.txt");
    let cases: Vec<&str> = golden
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert!(cases.len() > 40, "only {} golden lines", cases.len());
    for line in &cases {
        let naive = Case::parse(line).naive();
        assert_eq!(
            Case::parse(line).digest,
            fnv1a(&naive.to_bytes()),
            "reference: {line}"
        );
    }
    on_every_isa("golden digests", |isa| {
        for line in &cases {
            let case = Case::parse(line);
            assert_eq!(case.digest, fnv1a(&case.draw().to_bytes()), "{isa}: {line}");
        }
    });
}

/// One line of the golden file.
struct Case {
    seed: u64,
    folds: Vec<u64>,
    p: f64,
    offset: u64,
    len: usize,
    digest: u64,
}

impl Case {
    fn parse(line: &str) -> Self {
        let mut fields = line.split(' ');
        let mut next = || fields.next().expect("a golden line has six fields");
        let number = |field: &str| field.parse::<u64>().expect("a whole number");
        Self {
            seed: number(next()),
            folds: next()
                .split(',')
                .filter(|field| *field != "-")
                .map(number)
                .collect(),
            p: next().parse().expect("a probability"),
            offset: number(next()),
            len: number(next()) as usize,
            digest: u64::from_str_radix(next(), 16).expect("a digest in hexadecimal"),
        }
    }

    fn draw(&self) -> Mask {
        let dropout = Dropout::new(key(self.seed, &self.folds), self.p);
        let dropout = dropout
            .expect("p is a probability")
            .with_offset(self.offset);
        Mask::draw(&dropout, self.len).expect("the indices fit")
    }

    fn naive(&self) -> Mask {
        let fold = |key, &n| stream::fold_in(key, n);
        let key = self.folds.iter().fold(stream::key(self.seed), fold);
        let naive = stream::keep_bits(key, self.p, self.offset, self.len);
        Mask::from_bools(&naive.expect("the indices fit"))
    }
}

const PAGE: &str = include_str!("../docs/determinism.md");

/// Asserts that the page has a table row with these cells.
fn assert_row(name: &str, cells: &[u64]) {
    let cells: Vec<String> = cells.iter().map(|cell| format!("`{cell:016x}`")).collect();
    let row = format!("| {name} | {} |", cells.join(" | "));
    assert!(PAGE.contains(&row), "the page has no row {row}");
}

#[test]
fn the_page_lists_these_keys() {
    let zero = Key::new(0);
    for (name, key) in [
        ("`new(0)`", zero),
        ("`new(1)`", Key::new(1)),
        ("`new(2^64 - 1)`", Key::new(u64::MAX)),
        ("`fold_in(new(0), 0)`", zero.fold_in(0)),
        ("`fold_in(new(0), 1)`", zero.fold_in(1)),
        ("`fold_in(new(0), 2^64 - 1)`", zero.fold_in(u64::MAX)),
        ("`fold_in(fold_in(new(7), 3), 100)`", key(7, &[3, 100])),
    ] {
        let bits = key.to_u128();
        assert_row(name, &[bits as u64, (bits >> 64) as u64]);
    }
}

#[test]
fn the_page_lists_these_states_and_draws() {
    for (block, lane) in [(0, 0), (0, 1), (0, 7), (1, 0)] {
        let state = stream::lane_state(stream::key(0), block, lane);
        assert_row(&format!("{block}, {lane}"), &state);
    }
    // With p = 0.5 the keep bits of a group are one draw of the eight lanes.
    let dropout = Dropout::new(Key::new(0), 0.5).expect("p is a probability");
    let mask = Mask::draw(&dropout, 1024).expect("the indices fit");
    let (first, second) = mask.as_words().split_at(8);
    for lane in 0..8 {
        assert_row(&lane.to_string(), &[first[lane], second[lane]]);
    }
}

#[test]
fn the_page_lists_these_keep_bits() {
    for p in [0.1, 0.25, 0.3, 0.5, 0.75, 0.9] {
        let words = [0, 512, 4096, 1 << 40].map(|offset| {
            let dropout = Dropout::new(Key::new(0), p).expect("p is a probability");
            Mask::draw(&dropout.with_offset(offset), 64)
                .expect("the indices fit")
                .as_words()[0]
        });
        assert_row(&p.to_string(), &words);
    }
}
