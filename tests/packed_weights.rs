//! Layers with packed weights give the bits of layers without.

mod support;

use elision::ops::{PackedWeights, linear, linear_packed, linear_packed_into};
use elision::{Activation, Blocking, Dropout, Epilogue, Error, Isa, Key, Tensor, View};
use support::{on_every_isa, on_threads, values};

fn tensor(rows: usize, cols: usize, seed: u64) -> Tensor {
    let values = values(rows * cols);
    let shift = (seed as usize * 31) % values.len().max(1);
    let data: Vec<f32> = (0..rows * cols)
        .map(|i| values[(i + shift) % values.len()].clamp(-2.0, 2.0))
        .collect();
    Tensor::from_slice(&data, &[rows, cols]).unwrap()
}

#[test]
fn same_bits_on_every_isa() {
    on_every_isa("same_bits_on_every_isa", |isa| {
        let Blocking { mr, nr, kc, nc, .. } = Blocking::of(isa.level());
        for (m, k, n) in [
            (1, 1, 1),
            (1, 70, nr + 3),
            (1, kc + 5, 40),
            (mr, 33, nr),
            (mr + 1, 2 * kc + 1, 2 * nr + 1),
            (3, 5, nc + 7),
            (40, 0, 9),
            (0, 4, 9),
        ] {
            let (x, w, bias) = (tensor(m, k, 1), tensor(n, k, 2), tensor(1, n, 3));
            let packed = PackedWeights::new(&w).unwrap();
            assert_eq!(packed.shape(), [n, k]);
            let fused = Epilogue {
                bias: Some(View::contiguous(bias.as_slice(), &[n]).unwrap()),
                activation: Activation::GeluTanh,
                dropout: Some(Dropout::new(Key::new(7), 0.3).unwrap()),
            };
            for epilogue in [Epilogue::default(), fused] {
                let expected = linear(&x, &w, &epilogue).unwrap().0;
                let found = linear_packed(&x, &packed, &epilogue).unwrap();
                assert_eq!(found, expected, "{m}x{k}x{n}");
                let threads = on_threads(3, || linear_packed(&x, &packed, &epilogue).unwrap());
                assert_eq!(threads, expected, "{m}x{k}x{n} on three threads");
            }
        }
    });
}

#[test]
fn any_strides() {
    let (x, w) = (tensor(20, 9, 1), tensor(20, 30, 2));
    let (x, w) = (
        x.view().transpose(0, 1).unwrap(),
        w.view().transpose(0, 1).unwrap(),
    );
    let packed = PackedWeights::new(w).unwrap();
    let expected = linear(x, w, &Epilogue::default()).unwrap().0;
    assert_eq!(
        linear_packed(x, &packed, &Epilogue::default()).unwrap(),
        expected
    );
    let mut out = Tensor::zeros(&[30, 9]).unwrap();
    let turned = out.view_mut().transpose(0, 1).unwrap();
    linear_packed_into(x, &packed, &Epilogue::default(), turned).unwrap();
    assert_eq!(
        out.view().transpose(0, 1).unwrap().to_tensor().unwrap(),
        expected
    );
}

#[test]
fn weights_keep_their_instruction_set() {
    for &isa in Isa::available() {
        let (x, w) = (tensor(5, 300, 1), tensor(40, 300, 2));
        let packed = isa.install(|| PackedWeights::new(&w).unwrap());
        assert_eq!(packed.isa(), isa);
        let expected = isa.install(|| linear(&x, &w, &Epilogue::default()).unwrap().0);
        assert_eq!(
            linear_packed(&x, &packed, &Epilogue::default()).unwrap(),
            expected
        );
    }
}

#[test]
fn what_does_not_fit_is_an_error_and_writes_nothing() {
    let packed = PackedWeights::new(&tensor(4, 6, 1)).unwrap();
    let run = |x: &Tensor, out: &[usize], bias: Option<usize>| {
        let mut out = Tensor::full(out, 9.0).unwrap();
        let bias = bias.map(|n| Tensor::zeros(&[n]).unwrap());
        let epilogue = Epilogue {
            bias: bias.as_ref().map(Tensor::view),
            ..Epilogue::default()
        };
        let error = linear_packed_into(x, &packed, &epilogue, &mut out).unwrap_err();
        assert!(out.as_slice().iter().all(|&x| x == 9.0));
        error
    };
    assert!(matches!(
        run(&tensor(3, 5, 1), &[3, 4], None),
        Error::Shape { .. }
    ));
    assert!(matches!(
        run(&tensor(3, 6, 1), &[4, 3], None),
        Error::Shape { .. }
    ));
    assert!(matches!(
        run(&tensor(3, 6, 1), &[3, 4], Some(3)),
        Error::Shape { .. }
    ));
    let cube = Tensor::zeros(&[1, 3, 6]).unwrap();
    assert!(matches!(run(&cube, &[3, 4], None), Error::Rank { .. }));
    assert!(matches!(PackedWeights::new(&cube), Err(Error::Rank { .. })));
}
