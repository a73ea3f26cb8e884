//! How a call ends: the one place that catches panics, and what a thread remembers of its last failure.

use std::any::Any;
use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char};
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};

use elision::Error;

/// The numbers of `elision_status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Status {
    /// It succeeded.
    Ok = 0,
    /// A pointer that is needed is null.
    Null = 1,
    /// A number or a word outside of what the parameter takes.
    Value = 2,
    /// Shapes that do not fit.
    Shape = 3,
    /// A mask or an array of another length.
    Length = 4,
    /// A pointer or a stride that cannot be used.
    Layout = 5,
    /// Memory that is written overlaps other memory.
    Overlap = 6,
    /// A size that fits neither the machine nor its memory.
    Overflow = 7,
    /// A combination that the operation does not have.
    Unsupported = 8,
    /// An instruction set that is unknown or absent.
    Isa = 9,
    /// No more threads.
    Threads = 10,
    /// A panic.
    Internal = 11,
}

impl Status {
    /// All of them, with their names in the header.
    pub const ALL: [(Self, &CStr); 12] = [
        (Self::Ok, c"ELISION_OK"),
        (Self::Null, c"ELISION_ERROR_NULL"),
        (Self::Value, c"ELISION_ERROR_VALUE"),
        (Self::Shape, c"ELISION_ERROR_SHAPE"),
        (Self::Length, c"ELISION_ERROR_LENGTH"),
        (Self::Layout, c"ELISION_ERROR_LAYOUT"),
        (Self::Overlap, c"ELISION_ERROR_OVERLAP"),
        (Self::Overflow, c"ELISION_ERROR_OVERFLOW"),
        (Self::Unsupported, c"ELISION_ERROR_UNSUPPORTED"),
        (Self::Isa, c"ELISION_ERROR_ISA"),
        (Self::Threads, c"ELISION_ERROR_THREADS"),
        (Self::Internal, c"ELISION_ERROR_INTERNAL"),
    ];

    /// What kind of fault an error of the library is.
    fn of(error: &Error) -> Self {
        match error {
            Error::Probability(_) | Error::Rate { .. } | Error::Number { .. } => Self::Value,
            Error::UnknownIsa(_) | Error::UnavailableIsa(_) => Self::Isa,
            Error::Shape { .. }
            | Error::Broadcast { .. }
            | Error::Rank { .. }
            | Error::RankLimit(_)
            | Error::Axis { .. }
            | Error::RepeatedAxis(_)
            | Error::Reshape { .. } => Self::Shape,
            Error::Length { .. } | Error::Range { .. } => Self::Length,
            Error::Overlap(_) => Self::Layout,
            Error::Overflow(_) => Self::Overflow,
            _ => Self::Unsupported,
        }
    }
}

/// Why a call fails.
#[derive(Debug)]
pub(crate) struct Fault {
    status: Status,
    message: String,
}

impl Fault {
    /// A fault of the parameter `what`.
    pub(crate) fn new(status: Status, what: impl Display, why: impl Display) -> Self {
        let message = format!("{what}: {why}");
        Self { status, message }
    }

    /// A fault that the library found in the parameter `what`.
    pub(crate) fn within(what: &str, error: &Error) -> Self {
        Self::new(Status::of(error), what, error)
    }

    fn panic(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let why = text.unwrap_or("a panic without words");
        Self::new(Status::Internal, "a fault of the library", why)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self {
            status: Status::of(&error),
            message: error.to_string(),
        }
    }
}

thread_local! {
    static LAST: RefCell<CString> = RefCell::default();
}

/// Runs the body of a function of the interface.
pub(crate) fn call(body: impl FnOnce() -> Result<(), Fault>) -> Status {
    // What a panic leaves half done is the caller's memory, which the header calls unspecified then.
    let fault = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return Status::Ok,
        Ok(Err(fault)) => fault,
        Err(payload) => Fault::panic(&*payload),
    };
    let Fault { status, message } = fault;
    let text = CString::new(message.replace('\0', " ")).unwrap_or_default();
    // A thread that is ending remembers nothing.
    let _ = LAST.try_with(|last| last.replace(text));
    status
}

/// The text of the calling thread's last failure.
#[unsafe(no_mangle)]
pub extern "C" fn elision_last_error() -> *const c_char {
    LAST.try_with(|last| last.borrow().as_ptr())
        .unwrap_or(c"".as_ptr())
}

/// The name of a status.
#[unsafe(no_mangle)]
pub extern "C" fn elision_status_name(status: i32) -> *const c_char {
    let found = Status::ALL
        .iter()
        .find(|(known, _)| *known as i32 == status);
    found.map_or(c"unknown status", |(_, name)| name).as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last() -> String {
        // SAFETY: the text is this thread's, and lives until its next failure.
        let text = unsafe { CStr::from_ptr(elision_last_error()) };
        text.to_string_lossy().into_owned()
    }

    #[test]
    fn a_panic_becomes_an_error() {
        assert_eq!(call(|| panic!("on {}", "purpose")), Status::Internal);
        assert_eq!(last(), "a fault of the library: on purpose");
        assert_eq!(call(|| panic!("on purpose, too")), Status::Internal);
        assert_eq!(last(), "a fault of the library: on purpose, too");
        assert_eq!(call(|| std::panic::panic_any(7)), Status::Internal);
        assert_eq!(last(), "a fault of the library: a panic without words");
    }

    #[test]
    fn success_leaves_the_text_alone() {
        let fail = || call(|| Err(Fault::new(Status::Value, "p", "not\0 so")));
        assert_eq!((fail(), call(|| Ok(()))), (Status::Value, Status::Ok));
        assert_eq!(last(), "p: not  so");
        let other = std::thread::spawn(last).join();
        assert_eq!(other.expect("the thread ends"), "", "threads share no text");
    }
}
