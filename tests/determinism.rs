//! The same bits on every instruction set, for every number of threads, however the work is cut.

mod support;

use elision::{Dropout, Isa, Key, Mask, Tensor, ops};
use support::{bits, on_every_isa, on_threads, values};

const THREADS: [usize; 4] = [1, 2, 3, 8];
/// Long enough to be shared among eight threads, and a multiple of nothing.
const LEN: usize = 300_007;
const RATES: [f64; 4] = [0.1, 0.5, 0.75, 1.0];

fn dropout(p: f64) -> Dropout {
    Dropout::new(Key::new(21).fold_in(4), p)
        .expect("p is a probability")
        .with_offset(12_345)
}

/// Everything that dropout can produce from one input, by every road.
#[derive(PartialEq)]
struct Outcome {
    mask: Vec<u8>,
    forward: Vec<u32>,
    without_mask: Vec<u32>,
    in_place: Vec<u32>,
    backward_stored: Vec<u32>,
    backward_recomputed: Vec<u32>,
    kept_in_place: Vec<u8>,
}

fn outcome(dropout: &Dropout, x: &Tensor, g: &Tensor) -> elision::Result<Outcome> {
    let (y, mask) = ops::dropout(x, dropout)?;
    let mut without_mask = Tensor::full(x.shape(), f32::NAN)?;
    ops::dropout_into(x, dropout, &mut without_mask, None)?;
    let mut in_place = Tensor::from_slice(x.as_slice(), x.shape())?;
    let mut kept = Mask::all(x.len());
    ops::dropout_in_place(&mut in_place, dropout, Some(&mut kept))?;
    Ok(Outcome {
        mask: mask.to_bytes(),
        forward: bits(y.as_slice()),
        without_mask: bits(without_mask.as_slice()),
        in_place: bits(in_place.as_slice()),
        backward_stored: bits(ops::dropout_backward(g, dropout, Some(&mask))?.as_slice()),
        backward_recomputed: bits(ops::dropout_backward(g, dropout, None)?.as_slice()),
        kept_in_place: kept.to_bytes(),
    })
}

fn tensors() -> (Tensor, Tensor) {
    let x = values(LEN);
    let g = x.iter().map(|x| 1.0 / (x + 0.123)).collect();
    let tensor = |data| Tensor::from_vec(data, &[LEN]).expect("the shape is right");
    (tensor(x), tensor(g))
}

#[test]
fn threads_and_instruction_sets_change_nothing() {
    let (x, g) = tensors();
    for p in RATES {
        let scalar = Isa::available()[0];
        let run = |isa: Isa, threads| {
            // The choice belongs to a thread, so it is made on the pool's.
            on_threads(threads, || isa.install(|| outcome(&dropout(p), &x, &g)))
        };
        let expected = run(scalar, 1).expect("the case is valid");
        assert!(expected.forward == expected.without_mask && expected.forward == expected.in_place);
        assert!(expected.backward_stored == expected.backward_recomputed);
        assert!(expected.mask == expected.kept_in_place);
        on_every_isa(&format!("determinism, p = {p}"), |isa| {
            for threads in THREADS {
                let found = run(isa, threads).expect("the case is valid");
                assert!(found == expected, "{isa}, {threads} threads, p = {p}");
            }
        });
    }
}

#[test]
fn masks_do_not_depend_on_threads() {
    // A mask costs a thirty-second of dropout, so it takes more elements before it is shared.
    let len = 40_000_003;
    for p in [0.3, 0.5] {
        let draw = |threads| on_threads(threads, || Mask::draw(&dropout(p), len));
        let one = draw(1).expect("the case is valid");
        for threads in [2, 3, 8] {
            assert!(
                draw(threads).as_ref() == Ok(&one),
                "{threads} threads, p = {p}"
            );
        }
    }
}

#[test]
fn pieces_are_slices_of_the_whole() {
    let (x, _) = tensors();
    let cuts = [
        0, 1, 2, 65, 512, 1000, 4096, 4097, 8192, 12_290, 100_000, 299_999, LEN,
    ];
    on_every_isa("pieces", |isa| {
        for p in RATES {
            let whole = dropout(p);
            let (y, mask) = ops::dropout(&x, &whole).expect("the case is valid");
            for (start, end) in cuts.iter().zip(&cuts[1..]) {
                let piece = whole.with_offset(whole.offset() + *start as u64);
                let drawn = Mask::draw(&piece, end - start);
                assert!(
                    drawn == mask.slice(*start..*end),
                    "{isa}: {start}..{end}, p = {p}"
                );
                let x = Tensor::from_slice(&x.as_slice()[*start..*end], &[end - start]);
                let (z, kept) =
                    ops::dropout(&x.expect("the shape is right"), &piece).expect("it is valid");
                assert!(
                    bits(z.as_slice()) == bits(&y.as_slice()[*start..*end]),
                    "{isa}: {start}"
                );
                assert!(Ok(kept) == drawn, "{isa}: {start}..{end}, p = {p}");
            }
        }
    });
}

#[test]
fn rows_spread_over_processes_meet_their_own_bits() {
    let (rows, columns) = (37, 1003);
    let whole = Dropout::new(Key::new(2), 0.3).expect("p is a probability");
    let mask = Mask::draw(&whole, rows * columns).expect("the case is valid");
    for process in 0..3 {
        let (first, last) = (rows * process / 3, rows * (process + 1) / 3);
        let own = whole.with_offset((first * columns) as u64);
        let drawn = Mask::draw(&own, (last - first) * columns);
        assert_eq!(drawn, mask.slice(first * columns..last * columns));
    }
}
