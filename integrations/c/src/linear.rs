//! The fused linear layer.

use elision::ops::{self, LinearGradsInto, Saved};
use elision::{Activation, Dropout, Epilogue, View, ViewMut};

use crate::dropout::CDropout;
use crate::fault::{Fault, Status, call};
use crate::memory;
use crate::settings::run;
use crate::views::{CView, CViewMut, Region};

/// `elision_linear`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct CLinear {
    /// The input.
    pub x: *const CView,
    /// The weights.
    pub w: *const CView,
    /// The bias, or null.
    pub bias: *const CView,
    /// The number of an activation.
    pub activation: i32,
    /// The dropout, or null.
    pub dropout: *const CDropout,
}

/// `elision_linear_output`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct CLinearOutput {
    /// The gradient of the output.
    pub g: *const CView,
    /// What the forward pass left.
    pub saved: *const Saved,
    /// The output, or null.
    pub y: *const CView,
}

/// `elision_linear_grads`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct CLinearGrads {
    /// Where the gradient of the input goes, or null.
    pub x: *const CViewMut,
    /// Where that of the weights goes, or null.
    pub w: *const CViewMut,
    /// Where that of the bias goes, or null.
    pub bias: *const CViewMut,
}

/// A layer whose tensors are described.
struct Layer {
    x: Region,
    w: Region,
    bias: Option<Region>,
    activation: Activation,
    dropout: Option<Dropout>,
}

/// The activations, by their numbers.
const ACTIVATIONS: [Activation; 6] = [
    Activation::Identity,
    Activation::Relu,
    Activation::GeluTanh,
    Activation::GeluErf,
    Activation::Tanh,
    Activation::Sigmoid,
];

impl Layer {
    /// # Safety
    /// A pointer that is not null points to a layer as the header describes it.
    unsafe fn read(layer: *const CLinear) -> Result<Self, Fault> {
        // SAFETY: by the contract.
        unsafe {
            let layer = memory::copy("layer", layer)?;
            Ok(Self {
                x: Region::input("x", layer.x)?,
                w: Region::input("w", layer.w)?,
                bias: optional(layer.bias, |bias| Region::input("bias", bias))?,
                activation: activation(layer.activation)?,
                dropout: optional(layer.dropout, |dropout| CDropout::read(dropout))?,
            })
        }
    }

    fn regions(&self) -> impl Iterator<Item = &Region> {
        [&self.x, &self.w].into_iter().chain(&self.bias)
    }

    /// The input, the weights and what follows the product.
    ///
    /// # Safety
    /// The memory is as the header says, and nobody writes it for `'a`.
    unsafe fn views<'a>(&self) -> Result<(View<'a>, View<'a>, Epilogue<'a>), Fault> {
        // SAFETY: by the contract.
        unsafe {
            let epilogue = Epilogue {
                bias: self.bias.map(|bias| bias.view()).transpose()?,
                activation: self.activation,
                dropout: self.dropout,
            };
            Ok((self.x.view()?, self.w.view()?, epilogue))
        }
    }
}

/// What `read` makes of a pointer that is not null.
fn optional<P, T>(
    pointer: *const P,
    read: impl FnOnce(*const P) -> Result<T, Fault>,
) -> Result<Option<T>, Fault> {
    match pointer.is_null() {
        true => Ok(None),
        false => read(pointer).map(Some),
    }
}

fn activation(number: i32) -> Result<Activation, Fault> {
    let known = usize::try_from(number).ok();
    let known = known.and_then(|i| ACTIVATIONS.get(i)).copied();
    known.ok_or_else(|| {
        let why = format_args!("there is no activation {number}");
        Fault::new(Status::Value, "activation", why)
    })
}

/// Room for what a backward pass needs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elision_saved_new(recompute: i32, saved: *mut *mut Saved) -> Status {
    let make = || match recompute {
        0 => Ok(Saved::default()),
        _ => Ok(Saved::recomputing()),
    };
    // SAFETY: by the header.
    call(|| unsafe { memory::give("saved", saved, make) })
}

/// Frees it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elision_saved_free(saved: *mut Saved) {
    // SAFETY: by the header.
    unsafe { memory::free(saved) };
}

/// The bytes of what is saved.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elision_saved_bytes(saved: *const Saved) -> usize {
    // SAFETY: by the header.
    unsafe { saved.as_ref() }.map_or(0, Saved::bytes)
}

/// The layer's output.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elision_linear_forward(
    layer: *const CLinear,
    out: *const CViewMut,
    saved: *mut Saved,
) -> Status {
    call(|| {
        // SAFETY: by the header.
        let (layer, out) = unsafe { (Layer::read(layer)?, Region::output("out", out)?) };
        let saved = match saved.is_null() {
            true => None,
            // SAFETY: by the header.
            false => Some(unsafe { memory::handle_mut("saved", saved)? }),
        };
        out.apart_from(layer.regions())?;
        // SAFETY: by the header, and what is written overlaps nothing.
        let ((x, w, epilogue), out) = unsafe { (layer.views()?, out.view_mut()?) };
        Ok(run(|| ops::linear_into(x, w, &epilogue, out, saved))?)
    })
}

/// The gradients of a layer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elision_linear_backward(
    layer: *const CLinear,
    output: *const CLinearOutput,
    grads: *const CLinearGrads,
) -> Status {
    call(|| {
        // SAFETY: by the header.
        let (layer, output) = unsafe { (Layer::read(layer)?, Output::read(output)?) };
        // SAFETY: by the header.
        let grads = unsafe { Grads::read(grads)? };
        grads.apart_from(|| layer.regions().chain(output.regions()))?;
        // SAFETY: by the header, and what is written overlaps nothing.
        let ((x, w, epilogue), grads) = unsafe { (layer.views()?, grads.views()?) };
        // SAFETY: by the header.
        let (g, y) = unsafe { (output.g.view()?, output.y.map(|y| y.view()).transpose()?) };
        let saved = output.saved;
        run(|| match y {
            Some(y) => ops::linear_backward_into(g, x, w, &epilogue, saved.with_output(y), grads),
            None => ops::linear_backward_into(g, x, w, &epilogue, saved, grads),
        })?;
        Ok(())
    })
}

/// What a backward pass is given, described.
struct Output<'a> {
    g: Region,
    saved: &'a Saved,
    y: Option<Region>,
}

impl Output<'_> {
    /// # Safety
    /// A pointer that is not null points to what the header describes.
    unsafe fn read(output: *const CLinearOutput) -> Result<Self, Fault> {
        // SAFETY: by the contract.
        unsafe {
            let output = memory::copy("output", output)?;
            Ok(Self {
                g: Region::input("g", output.g)?,
                saved: memory::handle("saved", output.saved)?,
                y: optional(output.y, |y| Region::input("y", y))?,
            })
        }
    }

    fn regions(&self) -> impl Iterator<Item = &Region> {
        std::iter::once(&self.g).chain(&self.y)
    }
}

/// Where gradients go, described.
struct Grads([Option<Region>; 3]);

impl Grads {
    /// # Safety
    /// A pointer that is not null points to what the header describes.
    unsafe fn read(grads: *const CLinearGrads) -> Result<Self, Fault> {
        // SAFETY: by the contract.
        unsafe {
            let grads = memory::copy("grads", grads)?;
            Ok(Self([
                optional(grads.x, |x| Region::output("gradient of x", x))?,
                optional(grads.w, |w| Region::output("gradient of w", w))?,
                optional(grads.bias, |bias| Region::output("gradient of bias", bias))?,
            ]))
        }
    }

    /// An error if one of them shares memory with another or with what is read.
    fn apart_from<'r, R: Iterator<Item = &'r Region>>(
        &self,
        read: impl Fn() -> R,
    ) -> Result<(), Fault> {
        let outputs = || self.0.iter().flatten();
        for (i, grad) in outputs().enumerate() {
            grad.apart_from(read())?;
            grad.apart_from(outputs().skip(i + 1))?;
        }
        Ok(())
    }

    /// # Safety
    /// The memory is as the header says, and nobody else uses it for `'a`.
    unsafe fn views<'a>(&self) -> Result<LinearGradsInto<'a>, Fault> {
        let view = |grad: Option<Region>| -> Result<Option<ViewMut<'a>>, Fault> {
            // SAFETY: by the contract, and they do not overlap.
            grad.map(|grad| unsafe { grad.view_mut() }).transpose()
        };
        let [x, w, bias] = self.0;
        Ok(LinearGradsInto {
            x: view(x)?,
            w: view(w)?,
            bias: view(bias)?,
        })
    }
}
