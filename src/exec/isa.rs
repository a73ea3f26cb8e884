//! The instruction set of the current call.

use std::cell::Cell;

use crate::error::Result;
use crate::simd::Isa;

thread_local! {
    static INSTALLED: Cell<Option<Isa>> = const { Cell::new(None) };
}

/// The instruction set that [`Isa::install`] put on this thread, else [`Isa::best`].
pub(crate) fn current_isa() -> Result<Isa> {
    INSTALLED.get().map_or_else(Isa::best, Ok)
}

/// Puts the former choice back, also when the closure panics.
struct Restore(Option<Isa>);

impl Drop for Restore {
    fn drop(&mut self) {
        INSTALLED.set(self.0);
    }
}

impl Isa {
    /// Runs `f` with this instruction set in place of [`Isa::best`] for the operations that `f` calls on
    /// this thread. Meant for tests and comparisons; inside a rayon pool, call it within `install`.
    ///
    /// ```
    /// use elision::{Dropout, Isa, Key, Mask};
    /// let dropout = Dropout::new(Key::new(1), 0.3)?;
    /// let best = Mask::draw(&dropout, 1000)?;
    /// for isa in Isa::available() {
    ///     assert_eq!(isa.install(|| Mask::draw(&dropout, 1000))?, best);
    /// }
    /// # Ok::<(), elision::Error>(())
    /// ```
    pub fn install<R>(self, f: impl FnOnce() -> R) -> R {
        let _restore = Restore(INSTALLED.replace(Some(self)));
        f()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn install_nests_and_restores() {
        let isas = Isa::available();
        let (low, high) = (isas[0], isas[isas.len() - 1]);
        low.install(|| {
            assert_eq!(current_isa(), Ok(low));
            high.install(|| assert_eq!(current_isa(), Ok(high)));
            assert_eq!(current_isa(), Ok(low));
        });
        assert!(std::panic::catch_unwind(|| low.install(|| panic!("on purpose"))).is_err());
        assert_eq!(current_isa(), Isa::best());
    }
}
