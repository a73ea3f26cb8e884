//! What an operation keeps for its backward pass, and how it is counted.

use std::collections::HashMap;

use super::pool::{KeptState, State};
use super::value::Value;
use crate::mask::{Mask, SharedMask};

/// What an operation may keep for its backward pass: something whose memory can be told.
pub trait Saves {
    /// Adds the memory of this to a count.
    fn count(&self, kept: &mut KeptBytes);
}

/// A count of memory that is kept for backward passes. A value that several operations keep counts once.
#[derive(Clone, Debug, Default)]
pub struct KeptBytes {
    values: HashMap<usize, usize>,
    own: usize,
}

impl KeptBytes {
    /// Counts a value.
    pub fn value(&mut self, value: &Value) {
        let (place, bytes) = value.memory();
        self.values.insert(place, bytes);
    }

    /// Counts bytes that are not a value: masks, indices, statistics.
    pub fn own(&mut self, bytes: usize) {
        self.own += bytes;
    }

    /// Bytes outside of values.
    #[must_use]
    pub fn own_bytes(&self) -> usize {
        self.own
    }

    /// Bytes of distinct values: activations that are not freed because of a backward pass to come. Parameters
    /// and the caller's tensors are not counted.
    #[must_use]
    pub fn value_bytes(&self) -> usize {
        self.values.values().sum()
    }
}

impl Saves for () {
    fn count(&self, _: &mut KeptBytes) {}
}

impl Saves for Value {
    fn count(&self, kept: &mut KeptBytes) {
        kept.value(self);
    }
}

impl Saves for Mask {
    fn count(&self, kept: &mut KeptBytes) {
        kept.own(size_of_val(self.as_words()));
    }
}

impl Saves for SharedMask {
    fn count(&self, kept: &mut KeptBytes) {
        self.mask().count(kept);
    }
}

impl<T: State> Saves for KeptState<T> {
    fn count(&self, kept: &mut KeptBytes) {
        kept.own(State::bytes(&**self));
    }
}

impl<T: Copy> Saves for Vec<T> {
    fn count(&self, kept: &mut KeptBytes) {
        kept.own(size_of_val(self.as_slice()));
    }
}

impl<T: Saves> Saves for Option<T> {
    fn count(&self, kept: &mut KeptBytes) {
        if let Some(saved) = self {
            saved.count(kept);
        }
    }
}

impl<T: Saves, const N: usize> Saves for [T; N] {
    fn count(&self, kept: &mut KeptBytes) {
        self.iter().for_each(|saved| saved.count(kept));
    }
}

macro_rules! tuples {
    ($($name:ident)+) => {
        impl<$($name: Saves),+> Saves for ($($name,)+) {
            fn count(&self, kept: &mut KeptBytes) {
                #[allow(non_snake_case, reason = "one identifier names a type and its value")]
                let ($($name,)+) = self;
                $($name.count(kept);)+
            }
        }
    };
}

tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
