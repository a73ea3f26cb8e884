//! Bodies of the fuzz targets of the readers; the library's stand in `tests/support/fuzz`.

pub(crate) mod config_reader;
pub(crate) mod csv_reader;
pub(crate) mod idx_reader;
pub(crate) mod npy_reader;
