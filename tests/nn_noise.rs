//! Layers of noise: modes, keys, rates.

mod support;
#[path = "support/zoo.rs"]
mod zoo;

use elision::autograd::Tape;
use elision::nn::{
    AlphaDropout, GaussianDropout, GaussianNoise, Layer, Mode, Pass, Sequential, UniformDropout,
};
use elision::{Error, Noise, Tensor, Where, ops};
use support::{SPECIAL, bits, noise as values};
use zoo::{RUN, forward, output};

/// One of each, at a size that draws.
fn layers() -> Vec<Box<dyn Layer>> {
    vec![
        Box::new(GaussianDropout::new(0.5).unwrap()),
        Box::new(UniformDropout::new(0.1).unwrap()),
        Box::new(GaussianNoise::new(0.1).unwrap()),
        Box::new(AlphaDropout::new(0.5).unwrap()),
        Box::new(AlphaDropout::new(0.5).unwrap().features()),
    ]
}

#[test]
fn evaluation_is_the_identity_and_training_is_not() {
    let special = Tensor::from_slice(&SPECIAL, &[12]).unwrap();
    let x = values(&[40, 3], 1);
    for layer in layers() {
        assert_eq!(output(&*layer, &special, Mode::Eval, 0), bits(&SPECIAL));
        for mode in [Mode::Train, Mode::Mc] {
            let first = output(&*layer, &x, mode, 0);
            assert_ne!(first, bits(x.as_slice()), "{}", layer.kind());
            assert_eq!(first, output(&*layer, &x, mode, 0), "{}", layer.kind());
            assert_ne!(first, output(&*layer, &x, mode, 1), "{}", layer.kind());
        }
    }
}

#[test]
fn nothing_at_the_size_0() {
    let layers: [Box<dyn Layer>; 4] = [
        Box::new(GaussianDropout::new(0.0).unwrap()),
        Box::new(UniformDropout::new(0.0).unwrap()),
        Box::new(GaussianNoise::new(0.0).unwrap()),
        Box::new(AlphaDropout::new(0.0).unwrap()),
    ];
    let x = Tensor::from_slice(&SPECIAL, &[12]).unwrap();
    for layer in layers {
        assert_eq!(output(&*layer, &x, Mode::Train, 0), bits(&SPECIAL));
    }
}

#[test]
fn layers_do_what_operations_do_with_the_keys_of_their_names() {
    let x = values(&[40, 3], 1);
    let model = Sequential::new()
        .with("noise", GaussianDropout::new(0.2).unwrap())
        .unwrap();
    let noise = Noise::gaussian_dropout(RUN.fold_in(5).named("noise"), 0.2).unwrap();
    let found = forward(&model, &x, &Pass::train(RUN, 5));
    assert_eq!(found, ops::noise(&x, &noise).unwrap());
}

#[test]
fn rates_are_read_and_set() {
    let mut gaussian = GaussianDropout::new(0.5).unwrap();
    gaussian.set_rate(0.2).unwrap();
    assert_eq!(gaussian.rate(), Some(0.2));
    let one = gaussian.set_rate(1.0);
    assert!(matches!(one, Err(Error::Number { value: 1.0, .. })));
    assert!(matches!(gaussian.set_rate(1.5), Err(Error::Probability(_))));
    assert_eq!(gaussian.rate(), Some(0.2), "a failed call changes nothing");
    let mut alpha = AlphaDropout::new(0.5).unwrap().features();
    alpha.set_rate(1.0).unwrap();
    assert_eq!(alpha.rate(), Some(1.0));
    assert!(alpha.set_rate(f64::NAN).is_err());
    for layer in [
        Box::new(UniformDropout::new(0.1).unwrap()) as Box<dyn Layer>,
        Box::new(GaussianNoise::new(0.1).unwrap()),
    ] {
        assert_eq!(layer.rate(), None);
    }
}

#[test]
fn features_of_images_and_rows() {
    let layer = AlphaDropout::new(0.5).unwrap().features();
    let x = Tensor::full(&[3, 4, 4, 20], 1.0).unwrap();
    let y = forward(&layer, &x, &Pass::train(RUN, 0));
    let samples: Vec<&[f32]> = y.as_slice().chunks(4 * 4 * 20).collect();
    for sample in &samples {
        assert!(sample.chunks(20).all(|pixel| pixel == &sample[..20]));
    }
    assert_ne!(samples[0], samples[1]);
    // Of rows each element is a feature; a vector has no features.
    let rows = values(&[40, 3], 1);
    let plain = AlphaDropout::new(0.5).unwrap();
    let pass = Pass::train(RUN, 0);
    assert_eq!(forward(&layer, &rows, &pass), forward(&plain, &rows, &pass));
    let vector = Tape::new().constant(Tensor::full(&[3], 1.0).unwrap());
    let found = layer.forward(&vector, &pass).map(|_| ());
    assert!(
        matches!(found, Err(Error::Axis { axis: 1, rank: 1 })),
        "{found:?}"
    );
}

#[test]
fn noise_of_groups_is_the_operation_on_the_noise_shape() {
    let x = values(&[3, 4, 5], 1);
    let pass = Pass::train(RUN, 0);
    for (place, shape) in [
        (Where::Unit, [1, 1, 5]),
        (Where::Row, [3, 4, 1]),
        (Where::Locked { time: 1 }, [3, 1, 5]),
    ] {
        let noises = [
            Noise::gaussian_dropout(pass.key(), 0.5).unwrap(),
            Noise::uniform(pass.key(), 0.1).unwrap(),
            Noise::gaussian(pass.key(), 0.1).unwrap().added(),
        ];
        let layers: [Box<dyn Layer>; 3] = [
            Box::new(GaussianDropout::new(0.5).unwrap().over(place)),
            Box::new(UniformDropout::new(0.1).unwrap().over(place)),
            Box::new(GaussianNoise::new(0.1).unwrap().over(place)),
        ];
        for (noise, layer) in noises.iter().zip(layers) {
            let expected = ops::noise_shared(&x, &shape, noise).unwrap();
            assert_eq!(forward(&*layer, &x, &pass), expected, "{}", layer.kind());
            assert_eq!(output(&*layer, &x, Mode::Eval, 0), bits(x.as_slice()));
        }
    }
    let kind = GaussianDropout::new(0.5).unwrap().over(Where::Row).kind();
    assert_eq!(kind, "GaussianDropout of rows");
}

#[test]
fn wrong_arguments_are_errors() {
    for bad in [-0.1, f64::NAN, f64::INFINITY] {
        assert!(GaussianDropout::new(bad).is_err());
        assert!(UniformDropout::new(bad).is_err());
        assert!(GaussianNoise::new(bad).is_err());
        assert!(AlphaDropout::new(bad).is_err());
    }
    assert!(GaussianDropout::new(1.0).is_err());
}
