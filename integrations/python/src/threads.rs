//! Pools of threads: one a `Threads`, and one for calls that are made outside of any.

use std::cell::RefCell;
use std::num::NonZero;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use pyo3::prelude::*;

use crate::fault::{Fault, Result};

/// A number of threads, and the pool of them once there is work for it.
pub(crate) struct Pool {
    threads: usize,
    /// The pool and the process that built it: a forked child has a copy of it, but not its threads.
    built: Mutex<Option<(u32, Arc<rayon::ThreadPool>)>>,
}

impl Pool {
    fn new(threads: usize) -> Arc<Self> {
        Arc::new(Self {
            threads,
            built: Mutex::new(None),
        })
    }

    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// Runs `f` on the pool's threads, which are started by its first work.
    pub(crate) fn install<R: Send>(&self, f: impl FnOnce() -> R + Send) -> Result<R> {
        Ok(self.pool()?.install(f))
    }

    fn pool(&self) -> Result<Arc<rayon::ThreadPool>> {
        let process = std::process::id();
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((owner, pool)) = built.as_ref()
            && *owner == process
        {
            return Ok(Arc::clone(pool));
        }
        let builder = rayon::ThreadPoolBuilder::new().num_threads(self.threads);
        let named = builder.thread_name(|i| format!("elision-{i}"));
        let pool = named
            .build()
            .map_err(|error| Fault::Panic(error.to_string()))?;
        let pool = Arc::new(pool);
        // The parent's pool is forgotten, not ended: there is nobody here to end.
        std::mem::forget(built.replace((process, Arc::clone(&pool))));
        Ok(pool)
    }
}

/// The pool of calls outside of any `with Threads(n)`.
static DEFAULT: RwLock<Option<Arc<Pool>>> = RwLock::new(None);

thread_local! {
    /// The pools of the `with` statements that this thread is in.
    static ENTERED: RefCell<Vec<Arc<Pool>>> = const { RefCell::new(Vec::new()) };
}

/// The pool of a call that this thread makes.
pub(crate) fn current() -> Arc<Pool> {
    let entered = ENTERED.with_borrow(|entered| entered.last().map(Arc::clone));
    entered.unwrap_or_else(default)
}

fn default() -> Arc<Pool> {
    if let Some(pool) = DEFAULT
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .as_ref()
    {
        return Arc::clone(pool);
    }
    let mut default = DEFAULT.write().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(default.get_or_insert_with(|| Pool::new(usual_threads())))
}

/// As many threads as the process may run on, or as rayon's own variable says.
fn usual_threads() -> usize {
    let asked = std::env::var("RAYON_NUM_THREADS");
    let asked = asked.ok().and_then(|word| word.parse().ok());
    asked
        .filter(|&n| (1..=MOST).contains(&n))
        .unwrap_or_else(|| {
            std::thread::available_parallelism()
                .map_or(1, NonZero::get)
                .min(MOST)
        })
}

/// More threads than any machine has processors: beyond it lies a mistake.
const MOST: usize = 4096;

fn check_count(n: usize) -> Result<usize> {
    match n {
        1..=MOST => Ok(n),
        _ => Err(Fault::value(format!(
            "n = {n} threads are not between 1 and {MOST}"
        ))),
    }
}

/// Work outside of a pool never looks for threads: rayon's own pool, which counts for it, has one.
pub(crate) fn limit_ambient() {
    // An error means that there is one already, which serves as well.
    let _ = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build_global();
}

/// A pool of n threads, used within a `with` statement by the calls of the thread that is in it; its threads are started
/// by the first work that is worth them. The number of threads changes no bit of a result.
///
/// >>> import elision
/// >>> with elision.Threads(2):
/// ...     elision.get_threads()
/// 2
#[pyclass(frozen, module = "elision")]
pub(crate) struct Threads(Arc<Pool>);

#[pymethods]
impl Threads {
    #[new]
    fn new(n: usize) -> Result<Self> {
        Ok(Self(Pool::new(check_count(n)?)))
    }

    /// The number of threads.
    #[getter]
    fn n(&self) -> usize {
        self.0.threads()
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        let pool = Arc::clone(&slf.get().0);
        ENTERED.with_borrow_mut(|entered| entered.push(pool));
        slf
    }

    #[pyo3(signature = (*_error))]
    fn __exit__(&self, _error: &Bound<'_, pyo3::types::PyTuple>) {
        ENTERED.with_borrow_mut(|entered| {
            if let Some(at) = entered.iter().rposition(|pool| Arc::ptr_eq(pool, &self.0)) {
                entered.remove(at);
            }
        });
    }

    fn __repr__(&self) -> String {
        format!("Threads({})", self.0.threads())
    }
}

/// Sets the number of threads of calls outside of any `with Threads(n)`; `None` is one for each processor.
#[pyfunction]
#[pyo3(signature = (n, /))]
pub(crate) fn set_threads(n: Option<usize>) -> Result<()> {
    let pool = Pool::new(n.map_or_else(|| Ok(usual_threads()), check_count)?);
    let mut default = DEFAULT.write().unwrap_or_else(PoisonError::into_inner);
    *default = Some(pool);
    Ok(())
}

/// The number of threads of a call that is made here.
#[pyfunction]
pub(crate) fn get_threads() -> usize {
    current().threads()
}
