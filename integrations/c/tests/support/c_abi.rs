//! Random calls from C, with pointers that hold, against the library: either both succeed, with the same bits in the
//! same places, or the call fails and memory is as it was.
#![allow(unsafe_code, reason = "it calls functions of C")]

use std::ptr::null_mut;

use elision::{Dropout, Form, Isa, Key, Mask, Tensor, ops};
use elision_c::{
    CDropout, CSharedDropout, Status, elision_dropout_backward, elision_dropout_forward,
    elision_dropout_inference, elision_key_from_seed, elision_mask_free, elision_mask_from_words,
    elision_mask_words, elision_shared_dropout_backward, elision_shared_dropout_forward,
    elision_use_isa,
};

use super::bytes::Bytes;
use super::layers;
use super::tensors::{MEMORY, Place, bits, numbers};

/// One call of one function.
pub(crate) fn run(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let isa = Isa::available()[bytes.below(Isa::available().len())];
    assert_eq!(elision_use_isa(isa.level() as i32), Status::Ok);
    let (c, rust) = dropout(&mut bytes);
    isa.install(|| match bytes.below(6) {
        5 => layers::run(&mut bytes, &c, rust),
        which => {
            let x = Place::any(&mut bytes);
            let out = x.as_ref().and_then(|x| Place::like(x, &mut bytes));
            if let (Some(x), Some(out)) = (x, out) {
                Call {
                    which,
                    x,
                    out,
                    c,
                    rust,
                }
                .check(&mut bytes);
            }
        }
    });
}

/// The same dropout on both sides; none where C's must be refused.
fn dropout(bytes: &mut Bytes<'_>) -> (CDropout, Option<Dropout>) {
    let p = match bytes.byte() {
        255 => f64::NAN,
        254 => -1.0,
        253 => 1.0,
        byte => f64::from(byte) / 245.0,
    };
    let (seed, offset) = (u64::from(bytes.byte()), bytes.wild(5000) as u64);
    let form = bytes.below(20) as i32 / 9;
    let key = elision_key_from_seed(seed);
    let rust = Dropout::new(Key::new(seed), p).ok().filter(|_| form < 2);
    let with_form = |dropout: Dropout| match form {
        0 => dropout.with_offset(offset),
        _ => dropout.with_offset(offset).with_form(Form::Original),
    };
    (
        CDropout {
            key,
            p,
            offset,
            form,
        },
        rust.map(with_form),
    )
}

struct Call {
    /// Which function.
    which: usize,
    x: Place,
    out: Place,
    c: CDropout,
    rust: Option<Dropout>,
}

impl Call {
    fn check(&self, bytes: &mut Bytes<'_>) {
        let noise = self.noise_shape(bytes);
        let mask = self.mask(bytes, &noise);
        let before = numbers(MEMORY);
        let mut memory = before.clone();
        let handle = mask.as_ref().map_or(null_mut(), handle);
        let status = self.call(memory.as_mut_ptr(), &noise, handle);
        let expected = self.expected(&before, &noise, mask.clone());
        assert_eq!(
            status == Status::Ok,
            expected.is_some(),
            "{status:?}: {:?}, {:?}",
            self.x,
            self.out
        );
        let (mut after, kept) = (
            before,
            expected.as_ref().map_or(mask, |(_, kept)| kept.clone()),
        );
        if let Some((values, _)) = &expected {
            self.out.write(&mut after, values);
        }
        assert_eq!(bits(&memory), bits(&after), "function {}", self.which);
        if let Some(kept) = kept {
            assert_eq!(words(handle, &kept), kept.as_words());
            // SAFETY: the handle is not used any more.
            unsafe { elision_mask_free(handle) };
        }
    }

    /// For the functions of groups: some sizes of the input's shape, or what does not fit it.
    fn noise_shape(&self, bytes: &mut Bytes<'_>) -> Vec<usize> {
        match bytes.below(10) {
            0 => bytes.list(9, |bytes| bytes.wild(5)),
            _ => self
                .x
                .shape
                .iter()
                .map(|&n| if bytes.below(2) == 0 { n } else { 1 })
                .collect(),
        }
    }

    /// No mask, or one that mostly has the right length.
    fn mask(&self, bytes: &mut Bytes<'_>, noise: &[usize]) -> Option<Mask> {
        let shape = if self.which >= 3 {
            noise
        } else {
            &self.x.shape
        };
        let len = shape.iter().copied().try_fold(1, usize::checked_mul)?;
        let kind = bytes.below(8);
        if kind < 3 || len > 1 << 12 {
            return None;
        }
        let len = len + usize::from(kind == 7);
        let kept: Vec<bool> = (0..len).map(|_| bytes.below(2) == 1).collect();
        Some(Mask::from_bools(&kept))
    }

    fn call(&self, memory: *mut f32, noise: &[usize], mask: *mut Mask) -> Status {
        let (x, out) = (self.x.view(memory), self.out.view_mut(memory));
        let shared = CSharedDropout {
            dropout: self.c,
            noise_shape: noise.as_ptr(),
            noise_rank: noise.len(),
        };
        // SAFETY: the tensors lie in the memory, and the mask is a handle or null.
        unsafe {
            match self.which {
                0 => elision_dropout_forward(&x, &self.c, &out, mask),
                1 => elision_dropout_backward(&x, &self.c, mask, &out),
                2 => elision_dropout_inference(&x, &self.c, &out),
                3 => elision_shared_dropout_forward(&x, &shared, &out, mask),
                _ => elision_shared_dropout_backward(&x, &shared, mask, &out),
            }
        }
    }

    /// The values and the mask that the library has; none where the call must fail.
    fn expected(
        &self,
        memory: &[f32],
        noise: &[usize],
        mask: Option<Mask>,
    ) -> Option<(Tensor, Option<Mask>)> {
        let in_place = self.which < 3 && self.out.is(&self.x);
        let apart = in_place || !self.out.meets(&self.x);
        let fits = self.x.is_readable() && self.out.is_writable() && apart;
        if !fits || self.x.shape != self.out.shape {
            return None;
        }
        let (x, dropout) = (self.x.read(memory), self.rust?);
        let mut kept = mask;
        let mut y = Tensor::zeros(x.shape()).ok()?;
        let done = match self.which {
            0 => ops::dropout_into(&x, &dropout, &mut y, kept.as_mut()),
            1 => ops::dropout_backward_into(&x, &dropout, kept.as_ref(), &mut y),
            2 => ops::dropout_inference(&x, &dropout).map(|copy| y = copy),
            3 => ops::dropout_shared_into(&x, noise, &dropout, &mut y, kept.as_mut()),
            _ => ops::dropout_shared_backward_into(&x, noise, &dropout, kept.as_ref(), &mut y),
        };
        done.ok().map(|()| (y, kept))
    }
}

/// A mask of C with the same bits.
fn handle(mask: &Mask) -> *mut Mask {
    let (words, mut made) = (mask.as_words(), null_mut());
    // SAFETY: the words are a slice, and there is a place for the handle.
    let status =
        unsafe { elision_mask_from_words(words.as_ptr(), words.len(), mask.len(), &mut made) };
    assert_eq!(status, Status::Ok);
    made
}

/// The words of a handle, which has as many as the mask.
fn words(handle: *mut Mask, like: &Mask) -> Vec<u64> {
    if like.is_empty() {
        return Vec::new();
    }
    // SAFETY: the handle has not been freed, and has as many words.
    unsafe { std::slice::from_raw_parts(elision_mask_words(handle), like.as_words().len()) }
        .to_vec()
}
