//! Masks that keep an exact number of elements.

mod support;

use std::collections::HashMap;

use elision::{Error, Key, Mask};
use support::on_every_isa;

#[test]
fn the_number_kept_is_exact() {
    for len in [0, 1, 2, 63, 64, 65, 1000, 5000] {
        for kept in [0, 1, len / 3, len / 2, len / 2 + 1, len] {
            let kept = kept.min(len);
            let mask = Mask::draw_exact(Key::new(len as u64), kept, len).unwrap();
            assert_eq!((mask.len(), mask.count_kept()), (len, kept));
            assert!(mask.kept().all(|i| i < len));
        }
    }
}

#[test]
fn every_subset_is_equally_likely() {
    for (kept, len, subsets) in [(2, 5, 10), (3, 5, 10), (1, 7, 7), (3, 6, 20)] {
        let draws = 400 * subsets;
        let mut counts: HashMap<u64, usize> = HashMap::new();
        for i in 0..draws {
            let mask = Mask::draw_exact(Key::new(1).fold_in(i as u64), kept, len).unwrap();
            *counts.entry(mask.as_words()[0]).or_default() += 1;
        }
        assert_eq!(counts.len(), subsets);
        // Chi-squared with subsets - 1 degrees of freedom: mean subsets - 1, variance twice that.
        let square = |&count: &usize| (count as f64 - 400.0).powi(2) / 400.0;
        let statistic: f64 = counts.values().map(square).sum();
        let freedom = (subsets - 1) as f64;
        let error = (statistic - freedom) / (2.0 * freedom).sqrt();
        assert!(error.abs() < 5.0, "{kept} of {len}: {statistic}");
    }
}

#[test]
fn a_group_is_a_mask_of_its_own() {
    on_every_isa("exact masks", |_| {
        for (kept, group, groups) in [(2, 4, 100), (3, 7, 31), (0, 5, 3), (65, 130, 4), (1, 1, 64)]
        {
            let key = Key::new(9).fold_in(group as u64);
            let mask = Mask::draw_exact_in_groups(key, kept, group, groups).unwrap();
            assert_eq!(mask.len(), group * groups);
            for i in 0..groups {
                let found = mask.slice(i * group..(i + 1) * group).unwrap();
                let alone = Mask::draw_exact(key.fold_in(i as u64), kept, group).unwrap();
                assert_eq!(found, alone);
            }
        }
    });
}

#[test]
fn the_instruction_set_changes_no_bit() {
    let mut masks = Vec::new();
    on_every_isa("an exact mask", |_| {
        masks.push(Mask::draw_exact(Key::new(4), 300, 1000).unwrap());
    });
    assert!(masks.iter().all(|mask| mask == &masks[0]));
}

#[test]
fn what_cannot_be_kept_is_an_error() {
    let number = |result: elision::Result<Mask>| matches!(result, Err(Error::Number { .. }));
    assert!(number(Mask::draw_exact(Key::new(1), 3, 2)));
    assert!(number(Mask::draw_exact_in_groups(Key::new(1), 5, 4, 10)));
    assert!(matches!(
        Mask::draw_exact_in_groups(Key::new(1), 1, usize::MAX, 2),
        Err(Error::Overflow(_))
    ));
    assert!(matches!(
        Mask::draw_exact(Key::new(1), 1, usize::MAX / 2),
        Err(Error::Overflow(_))
    ));
    assert!(Mask::draw_exact_in_groups(Key::new(1), 0, 0, 10).is_ok());
}
