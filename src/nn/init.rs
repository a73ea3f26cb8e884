//! stub
use crate::error::Result;
use crate::key::Key;
use crate::tensor::Tensor;
/// Stub.
#[derive(Clone, Copy, Debug)]
pub enum Init {
    /// Kaiming.
    KaimingUniform,
    /// Normal.
    Normal(f32),
}
impl Init {
    /// Fill.
    ///
    /// # Errors
    /// None.
    pub fn fill(self, shape: &[usize], _key: Key) -> Result<Tensor> {
        Tensor::full(shape, 0.1)
    }
}
