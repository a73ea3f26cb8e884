//! Pictures: grey, and as large as those that the model has seen.

use image::imageops::FilterType;
use image::{ImageReader, Limits};

use crate::args::PredictArgs;
use crate::data::Preparation;
use crate::saved::Trained;

/// Pixels of a side of a picture; more are a slip, or an attack on memory.
const MOST: u32 = 16_384;

/// The pixels as the training files had them.
pub(super) fn read(args: &PredictArgs, trained: &Trained) -> Result<Vec<f32>, String> {
    let Preparation::Divided { by: white, .. } = trained.preparation else {
        return Err("the model's data are no images".to_owned());
    };
    let [height, width] = size(&trained.input)?;
    let reader = ImageReader::open(&args.file).map_err(|error| error.to_string())?;
    let mut reader = reader
        .with_guessed_format()
        .map_err(|error| error.to_string())?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MOST);
    limits.max_image_height = Some(MOST);
    reader.limits(limits);
    let grey = reader
        .decode()
        .map_err(|error| error.to_string())?
        .into_luma8();
    let grey = match grey.dimensions() == (width, height) {
        true => grey,
        false => image::imageops::resize(&grey, width, height, FilterType::Triangle),
    };
    let shade = |&pixel: &u8| {
        let share = f32::from(pixel) / 255.0;
        white * if args.invert { 1.0 - share } else { share }
    };
    Ok(grey.as_raw().iter().map(shade).collect())
}

/// Height and width: those of the input, or of a square if it is flat.
fn size(input: &[usize]) -> Result<[u32; 2], String> {
    let sides = match *input {
        [height, width, 1] => Some([height, width]),
        [pixels] => {
            let side = pixels.isqrt();
            (side * side == pixels).then_some([side, side])
        }
        _ => None,
    };
    let sides = sides.and_then(|[height, width]| {
        Some([u32::try_from(height).ok()?, u32::try_from(width).ok()?])
    });
    sides.ok_or_else(|| format!("the model's samples of {input:?} are no grey pictures"))
}
