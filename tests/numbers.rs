//! Normal and uniform numbers of a key: the reference, the digests, and what must not change a bit.

mod support;

use elision::reference::noise as naive;
use elision::{Error, Key, MAX_RANK, Result, Tensor, ops};
use support::{bits, fnv1a, key, on_every_isa, on_threads};

const LENGTHS: [usize; 13] = [0, 1, 15, 16, 17, 31, 32, 33, 63, 4095, 4096, 4097, 100_003];

/// How far a normal number may be from the reference's, in units of max(1, its size): the polynomials are
/// within 2^-20.7 of the radius and 2^-24 of the angle's sine and cosine.
const NORMAL_TOLERANCE: f64 = 1e-6;

/// Both laws: an operation, its naive twin and how far apart they may be.
struct Law {
    name: &'static str,
    draw: fn(Key, &[usize]) -> Result<Tensor>,
    fill: fn(Key, &mut Tensor) -> Result<()>,
    naive: fn(u128, u64) -> f64,
    tolerance: f64,
}

const LAWS: [Law; 2] = [
    Law {
        name: "normal",
        draw: ops::normal,
        fill: |key, out| ops::normal_into(key, out),
        naive: naive::normal,
        tolerance: NORMAL_TOLERANCE,
    },
    Law {
        name: "uniform",
        draw: ops::uniform,
        fill: |key, out| ops::uniform_into(key, out),
        naive: naive::uniform,
        tolerance: 0.0,
    },
];

#[test]
fn numbers_are_the_references() {
    let n = 4096 + 300;
    for law in &LAWS {
        for key in [Key::new(0), key(7, &[3, 5])] {
            let stream = key.named(law.name).to_u128();
            let expected: Vec<f64> = (0..n as u64).map(|i| (law.naive)(stream, i)).collect();
            on_every_isa(law.name, |isa| {
                let found = (law.draw)(key, &[n]).unwrap();
                let pairs = found.as_slice().iter().zip(&expected).enumerate();
                let mut worst = (0.0, 0);
                for (i, (&found, want)) in pairs {
                    let off = (f64::from(found) - want).abs() / want.abs().max(1.0);
                    worst = if off > worst.0 { (off, i) } else { worst };
                }
                println!("{}: worst {:e} at {}", law.name, worst.0, worst.1);
                assert!(worst.0 <= law.tolerance, "{} on {isa}: {worst:?}", law.name);
            });
        }
    }
}

#[test]
fn a_number_depends_on_its_index_alone() {
    let longest = LENGTHS[LENGTHS.len() - 1];
    for law in &LAWS {
        let key = key(1, &[2]);
        let all = bits((law.draw)(key, &[longest]).unwrap().as_slice());
        on_every_isa(law.name, |isa| {
            for len in LENGTHS {
                let found = bits((law.draw)(key, &[len]).unwrap().as_slice());
                assert!(found == all[..len], "{} on {isa}: length {len}", law.name);
            }
        });
        for threads in [1, 2, 3] {
            let found = on_threads(threads, || (law.draw)(key, &[longest]).unwrap());
            assert!(
                bits(found.as_slice()) == all,
                "{}: {threads} threads",
                law.name
            );
        }
        let matrix = (law.draw)(key, &[7, 11]).unwrap();
        assert_eq!(bits(matrix.as_slice()), all[..77], "{}", law.name);
        let mut filled = Tensor::full(&[4097], f32::NAN).unwrap();
        (law.fill)(key, &mut filled).unwrap();
        assert!(bits(filled.as_slice()) == all[..4097], "{}", law.name);
    }
}

#[test]
fn strides_do_not_matter() {
    let key = Key::new(3);
    let straight = ops::normal(key, &[6, 50]).unwrap();
    let mut turned = Tensor::full(&[50, 6], f32::NAN).unwrap();
    ops::normal_into(key, turned.view_mut().transpose(0, 1).unwrap()).unwrap();
    let turned = turned.view().transpose(0, 1).unwrap().to_tensor().unwrap();
    assert_eq!(turned, straight);
}

#[test]
fn keys_and_laws_differ() {
    let normal = |key| ops::normal(key, &[100]).unwrap();
    assert_ne!(normal(Key::new(1)), normal(Key::new(2)));
    assert_ne!(normal(Key::new(1)), normal(Key::new(1).fold_in(0)));
    // The streams of the laws and of masks have names of their own.
    let u = ops::uniform(Key::new(1), &[512]).unwrap();
    let same = ops::uniform(Key::new(1).named("normal"), &[512]).unwrap();
    assert_ne!(u, same);
}

#[test]
fn uniform_numbers_are_odd_multiples_of_2_to_the_minus_24() {
    let u = ops::uniform(Key::new(5), &[1 << 20]).unwrap();
    for &u in u.as_slice() {
        let steps = u * 16_777_216.0;
        assert!(
            u > 0.0 && u < 1.0 && steps as u32 % 2 == 1 && steps.fract() == 0.0,
            "{u}"
        );
    }
    let (least, most) = u
        .as_slice()
        .iter()
        .fold((1f32, 0f32), |(a, b), &u| (a.min(u), b.max(u)));
    assert!(least < 2e-5 && most > 1.0 - 2e-5, "{least} to {most}");
}

#[test]
fn the_golden_digests_hold() {
    let golden = include_str!("golden/numbers-v1.txt");
    let lines = golden.lines().filter(|line| !line.starts_with('#'));
    let lines: Vec<Vec<&str>> = lines.map(|line| line.split(' ').collect()).collect();
    assert_eq!(lines.len(), 8);
    on_every_isa("digests of numbers", |isa| {
        for line in &lines {
            let law = LAWS.iter().find(|law| law.name == line[0]).unwrap();
            let key = key(line[1].parse().unwrap(), &[line[2].parse().unwrap()]);
            let x = (law.draw)(key, &[line[3].parse().unwrap()]).unwrap();
            let bytes: Vec<u8> = x.as_slice().iter().flat_map(|x| x.to_le_bytes()).collect();
            let digest = format!("{:016x}", fnv1a(&bytes));
            assert_eq!(digest, line[4], "{isa}: {line:?}");
        }
    });
}

#[test]
fn the_page_lists_these_numbers() {
    let page = include_str!("../docs/determinism.md");
    let [normal, uniform] = LAWS.map(|law| (law.draw)(Key::new(0), &[5000]).unwrap());
    for (i, name) in [
        (0, "0"),
        (1, "1"),
        (16, "16"),
        (17, "17"),
        (4095, "4,095"),
        (4096, "4,096"),
    ] {
        let [normal, uniform] = [&normal, &uniform].map(|x| x.as_slice()[i].to_bits());
        let row = format!("| {name} | `{normal:08x}` | `{uniform:08x}` |");
        assert!(page.contains(&row), "the page has no row {row}");
    }
}

#[test]
fn shapes_that_no_tensor_has_are_errors() {
    let key = Key::new(0);
    for law in &LAWS {
        let found = (law.draw)(key, &[1; MAX_RANK + 1]);
        assert!(matches!(found, Err(Error::RankLimit(_))));
        let found = (law.draw)(key, &[usize::MAX, 2]);
        assert!(matches!(found, Err(Error::Overflow(_))));
        assert_eq!((law.draw)(key, &[3, 0]).unwrap().len(), 0);
    }
}
