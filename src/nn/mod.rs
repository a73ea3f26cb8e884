//! Neural networks: the beginnings of their parameters.

mod init;

pub use init::Init;
