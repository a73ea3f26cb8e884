//! What a library must offer to be measured.

use std::rc::Rc;
use std::time::Instant;

use crate::failure::Failure;
use crate::inputs::Inputs;
use crate::work::Work;

/// The arrays that a call left behind, in the order of [`Work::answer_lengths`].
pub(crate) type Answer = Vec<Vec<f32>>;

/// The name of our own column, with which the others are compared.
pub(crate) const OURS: &str = "elision";

/// A library that can do some of the work.
pub(crate) trait Peer {
    /// The column's heading.
    fn name(&self) -> &'static str;

    /// The version that was loaded, as the library itself reports it where it can.
    fn version(&self) -> String;

    /// The work made ready to run, or `None` if the library does not offer it.
    fn prepare(&self, work: Work, inputs: &Rc<Inputs>) -> Result<Option<Box<dyn Run>>, Failure>;
}

/// Work that is ready to run.
pub(crate) trait Run {
    /// Seconds that `calls` calls take together.
    fn seconds(&mut self, calls: u32) -> Result<f64, Failure>;

    /// What the last call left.
    fn answer(&mut self) -> Result<Answer, Failure>;
}

/// Work in this process: the memory it keeps, one call, and a way to read the outcome.
pub(crate) struct Local<S, C, A> {
    state: S,
    call: C,
    answer: A,
}

impl<S, C, A> Local<S, C, A>
where
    S: 'static,
    C: FnMut(&mut S) -> Result<(), Failure> + 'static,
    A: FnMut(&mut S) -> Result<Answer, Failure> + 'static,
{
    /// The three together, as [`Peer::prepare`] hands them out.
    pub(crate) fn boxed(state: S, call: C, answer: A) -> Option<Box<dyn Run>> {
        Some(Box::new(Self {
            state,
            call,
            answer,
        }))
    }
}

impl<S, C, A> Run for Local<S, C, A>
where
    C: FnMut(&mut S) -> Result<(), Failure>,
    A: FnMut(&mut S) -> Result<Answer, Failure>,
{
    fn seconds(&mut self, calls: u32) -> Result<f64, Failure> {
        let start = Instant::now();
        for _ in 0..calls {
            (self.call)(&mut self.state)?;
        }
        Ok(start.elapsed().as_secs_f64())
    }

    fn answer(&mut self) -> Result<Answer, Failure> {
        (self.answer)(&mut self.state)
    }
}
