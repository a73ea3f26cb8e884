//! What a run leaves: a page of tables and a picture.

mod axis;
mod figures;
mod markdown;
mod svg;

pub(crate) use markdown::markdown;
pub(crate) use svg::svg;
