//! Layers that drop groups of elements.

mod support;
#[path = "support/zoo.rs"]
mod zoo;

use elision::nn::{DropBlock, DropHead, Dropout, Embedding, Layer, Mode, Pass};
use elision::{Channels, DropBlock as Blocks, Error, Key, Tensor, Where, ops};
use support::{bits, noise};
use zoo::{RUN, forward, pass};

fn key() -> Key {
    pass(Mode::Train, 3).key()
}

#[test]
fn dropout_of_elements_is_what_it_was() {
    let x = noise(&[30, 50], 1);
    let d = elision::Dropout::new(key(), 0.4).unwrap();
    let (y, _) = ops::dropout(&x, &d).unwrap();
    for layer in [
        Dropout::new(0.4).unwrap(),
        Dropout::new(0.4).unwrap().over(Where::Element),
        Dropout::new(0.4).unwrap().over(Where::axes(&[]).unwrap()),
    ] {
        let found = forward(&layer, &x, &pass(Mode::Train, 3));
        assert_eq!(bits(found.as_slice()), bits(y.as_slice()));
    }
}

#[test]
fn a_layer_draws_the_mask_of_its_geometry() {
    let x = noise(&[6, 4, 5, 7], 1);
    for place in [
        Where::Unit,
        Where::Row,
        Where::Sample,
        Where::Channel(Channels::Last),
        Where::Channel(Channels::First),
        Where::Locked { time: 1 },
        Where::axes(&[0, 2]).unwrap(),
    ] {
        let layer = Dropout::new(0.4).unwrap().over(place);
        assert_eq!(layer.place(), place);
        let d = elision::Dropout::new(key(), 0.4).unwrap();
        let noise_shape = place.noise_shape(x.shape()).unwrap();
        let (y, _) = ops::dropout_shared(&x, &noise_shape, &d).unwrap();
        for mode in [Mode::Train, Mode::Mc] {
            let found = forward(&layer, &x, &pass(mode, 3));
            assert_eq!(bits(found.as_slice()), bits(y.as_slice()), "{place:?}");
        }
    }
}

#[test]
fn evaluation_is_the_identity_even_where_training_is_an_error() {
    let layers: [Box<dyn Layer>; 5] = [
        Box::new(Dropout::spatial(0.5).unwrap()),
        Box::new(Dropout::locked(0.5, 7).unwrap()),
        Box::new(DropBlock::new(0.5, Blocks::new(9).unwrap()).unwrap()),
        Box::new(DropHead::new(0.5).unwrap()),
        Box::new(Dropout::units(0.5).unwrap()),
    ];
    let x = Tensor::full(&[6], f32::NAN).unwrap();
    for layer in &layers[..4] {
        let tape = elision::autograd::Tape::new();
        let v = tape.constant(x.clone());
        assert!(
            layer.forward(&v, &Pass::train(RUN, 0)).is_err(),
            "{layer:?}"
        );
    }
    for layer in layers {
        let y = forward(&*layer, &x, &Pass::eval());
        assert_eq!(bits(y.as_slice()), bits(x.as_slice()), "{layer:?}");
    }
}

#[test]
fn kinds_show_the_geometry() {
    let kind = |place| Dropout::new(0.1).unwrap().over(place).kind();
    assert_eq!(kind(Where::Element), "Dropout");
    assert_eq!(kind(Where::Unit), "Dropout of units");
    assert_eq!(kind(Where::Channel(Channels::Last)), "Dropout of channels");
    assert_eq!(
        kind(Where::Channel(Channels::First)),
        "Dropout of channels on axis 1"
    );
    assert_eq!(kind(Where::Row), "Dropout of rows");
    assert_eq!(kind(Where::Sample), "Dropout of samples");
    assert_eq!(
        kind(Where::Locked { time: 1 }),
        "Dropout locked along axis 1"
    );
    assert_eq!(
        kind(Where::axes(&[1, 2]).unwrap()),
        "Dropout shared along axes [1, 2]"
    );
    let block = Blocks::new(7).unwrap();
    assert_eq!(DropBlock::new(0.1, block).unwrap().kind(), "DropBlock 7");
    assert_eq!(
        DropBlock::new(0.1, block.coupled()).unwrap().kind(),
        "DropBlock 7, all channels"
    );
    assert_eq!(DropHead::new(0.1).unwrap().kind(), "DropHead");
    let words = Embedding::new(5, 2, RUN).unwrap();
    assert_eq!(words.kind(), "Embedding 5 x 2");
    assert_eq!(
        words.word_dropout(0.1).unwrap().kind(),
        "Embedding 5 x 2, dropout of words"
    );
}

#[test]
fn rates_are_values_of_the_run() {
    let mut layers: [Box<dyn Layer>; 4] = [
        Box::new(Dropout::rows(0.5).unwrap()),
        Box::new(DropBlock::new(0.5, Blocks::new(2).unwrap()).unwrap()),
        Box::new(DropHead::new(0.5).unwrap()),
        Box::new(
            Embedding::new(5, 2, RUN)
                .unwrap()
                .word_dropout(0.5)
                .unwrap(),
        ),
    ];
    for layer in &mut layers {
        assert_eq!(layer.rate(), Some(0.5));
        assert!(layer.set_rate(0.25).is_ok());
        assert_eq!(layer.set_rate(1.5), Err(Error::Probability(1.5)));
        assert_eq!(layer.rate(), Some(0.25), "{layer:?}");
    }
    let mut heads = DropHead::new(0.5).unwrap();
    assert!(matches!(heads.set_rate(1.0), Err(Error::Number { .. })));
    assert_eq!(heads.rate(), Some(0.5));
    let mut plain = Embedding::new(5, 2, RUN).unwrap();
    assert!(plain.set_rate(0.5).is_ok());
    assert_eq!(
        plain.rate(),
        None,
        "a table without dropout of words stays so"
    );
}

#[test]
fn a_word_shares_its_fate_across_the_batch() {
    let table = Embedding::new(50, 4, RUN)
        .unwrap()
        .word_dropout(0.5)
        .unwrap();
    let words = Tensor::from_vec((0..200).map(|i| (i % 50) as f32).collect(), &[4, 50]).unwrap();
    let y = forward(&table, &words, &pass(Mode::Train, 3));
    let rows: Vec<_> = y.as_slice().chunks(200).map(bits).collect();
    assert!(rows.iter().all(|row| row == &rows[0]));
    let dropped = |row: &&[f32]| row.iter().all(|&y| y == 0.0);
    let count = y.as_slice()[..200].chunks(4).filter(dropped).count();
    assert!((10..40).contains(&count), "{count} of 50");
}
