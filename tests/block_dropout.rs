//! A linear layer whose input is dropped in blocks is the plain layer on the masked input, forward and backward.

mod support;

use elision::autograd::Tape;
use elision::nn::{Layer, Linear, Mode, Pass};
use elision::{Activation, BlockMask, Dropout, Error, Key, Tensor, ops};
use support::{close, noise, on_every_isa};

const RUN: Key = Key::new(5);
const ROWS: usize = 50;

/// Output and the gradients of input, weights and bias of the sum of the squares.
fn step(layer: &Linear, x: &Tensor, pass: &Pass) -> Vec<Tensor> {
    let tape = Tape::new();
    let x = tape.variable(x.clone());
    let y = layer.forward(&x, pass).unwrap();
    let made = y.to_tensor().unwrap();
    let loss = y.mul(&y).unwrap().sum().unwrap();
    let gradients = loss.backward().unwrap();
    let own = layer.parameters().into_iter().map(|(_, own)| own);
    let own = own.map(|own| gradients.get(own).unwrap().to_tensor().unwrap());
    let dx = gradients.of(&x).unwrap().to_tensor().unwrap();
    [made, dx].into_iter().chain(own).collect()
}

fn masked(x: &Tensor, mask: &BlockMask) -> Tensor {
    let mut seen = Tensor::zeros(x.shape()).unwrap();
    ops::select_into(x, mask.elements(), mask.scale(), &mut seen).unwrap();
    seen
}

#[test]
fn blocks_of_the_input_are_dropped() {
    on_every_isa("block dropout", |isa| {
        for block in [[1, 1], [7, 5], [42, 32], [100, 100]] {
            for p in [0.0, 0.4, 1.0] {
                let plain = Linear::new(70, 9, RUN)
                    .unwrap()
                    .activation(Activation::Tanh);
                let layer = plain.clone().input_block_dropout(p, block).unwrap();
                for (mode, pass) in [
                    (Mode::Train, Pass::train(RUN, 3)),
                    (Mode::Mc, Pass::mc(RUN, 3)),
                ] {
                    let x = noise(&[ROWS, 70], 1);
                    let dropout = Dropout::new(pass.key(), p).unwrap();
                    let mask = BlockMask::draw(&dropout, [ROWS, 70], block).unwrap();
                    let found = step(&layer, &x, &pass);
                    let mut wanted = step(&plain, &masked(&x, &mask), &Pass::eval());
                    wanted[1] = masked(&wanted[1], &mask);
                    for (found, wanted) in found.iter().zip(&wanted) {
                        close(&format!("{isa} {block:?} {p} {mode}"), found, wanted);
                    }
                }
            }
        }
    });
}

#[test]
fn axes_before_the_last_are_rows_and_a_residual_is_added() {
    let plain = Linear::new(12, 12, RUN).unwrap();
    let layer = plain.clone().input_block_dropout(0.5, [3, 4]).unwrap();
    let flat = noise(&[30, 12], 2);
    let deep = Tensor::from_slice(flat.as_slice(), &[5, 6, 12]).unwrap();
    let [y, flat_y] = [&deep, &flat].map(|x| step(&layer, x, &Pass::train(RUN, 0)).remove(0));
    assert_eq!(y.as_slice(), flat_y.as_slice());
    let residual = step(&layer.residual(), &flat, &Pass::train(RUN, 0)).remove(0);
    close("residual", &residual, &ops::add(&flat_y, &flat).unwrap());
}

#[test]
fn evaluation_drops_nothing_and_faults_are_named() {
    let plain = Linear::new(12, 5, RUN).unwrap();
    let layer = plain.clone().input_block_dropout(0.5, [3, 4]).unwrap();
    let x = noise(&[6, 12], 2);
    let [found, wanted] = [&layer, &plain].map(|layer| step(layer, &x, &Pass::eval()).remove(0));
    assert_eq!(found, wanted);
    let fault = |p, block| plain.clone().input_block_dropout(p, block).unwrap_err();
    assert_eq!(fault(1.5, [3, 4]), Error::Probability(1.5));
    assert_eq!(fault(0.5, [3, 0]), Error::Empty("a block of a mask"));
}
