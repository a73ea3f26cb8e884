//! A model as a table.

use std::fmt;

use super::layer::Layer;
use super::pass::Pass;
use crate::autograd::Tape;
use crate::error::Result;
use crate::tensor::Tensor;

/// A model as a table of layers, shapes, parameters and rates; print it.
///
/// ```
/// use elision::nn::{Linear, Sequential, Summary};
/// use elision::{Activation, Key};
/// let key = Key::new(1);
/// let model = Sequential::new()
///     .with("hidden", Linear::new(784, 100, key.named("hidden"))?.activation(Activation::Relu).dropout(0.5)?)?
///     .with("output", Linear::new(100, 10, key.named("output"))?)?;
/// let table = Summary::new(&model, &[1, 784])?.to_string();
/// assert!(table.contains("hidden") && table.contains("78500"), "{table}");
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Summary {
    rows: Vec<Row>,
    parameters: usize,
}

/// A layer in the table.
#[derive(Clone, Debug)]
pub(super) struct Row {
    path: String,
    kind: String,
    pub(super) shape: Vec<usize>,
    parameters: usize,
    rate: Option<f64>,
}

impl Row {
    pub(super) fn new(path: &str, layer: &dyn Layer) -> Self {
        let own = layer.parameters().into_iter();
        let trained = own.filter(|(_, own)| own.is_trainable());
        Self {
            path: path.to_owned(),
            kind: layer.kind(),
            shape: Vec::new(),
            parameters: trained.map(|(_, own)| own.value().len()).sum(),
            rate: layer.rate(),
        }
    }

    fn cells(&self) -> [String; 5] {
        let shape: Vec<String> = self.shape.iter().map(usize::to_string).collect();
        [
            self.path.clone(),
            self.kind.clone(),
            shape.join("x"),
            self.parameters.to_string(),
            self.rate.map_or(String::new(), |rate| rate.to_string()),
        ]
    }
}

const TITLES: [&str; 5] = ["layer", "kind", "output", "parameters", "rate"];

impl Summary {
    /// Runs the model once, in evaluation, on zeros of that shape, and notes what each layer makes.
    ///
    /// # Errors
    /// Those of the model if it does not take the shape.
    pub fn new(model: &dyn Layer, input: &[usize]) -> Result<Self> {
        let (tape, pass) = (Tape::new(), Pass::traced());
        let x = tape.constant(Tensor::zeros(input)?);
        tape.no_grad(|| model.forward(&x, &pass))?;
        let parameters = model.parameter_count();
        let rows = pass.into_rows();
        Ok(Self { rows, parameters })
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[String; 5]> = self.rows.iter().map(Row::cells).collect();
        let width = |column: usize| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.chain([TITLES[column].len()]).max().unwrap_or(0)
        };
        let widths: [usize; 5] = std::array::from_fn(width);
        let mut line = |cells: [&str; 5]| -> fmt::Result {
            let [a, b, c, d, e] = widths;
            let text = format!(
                "{:a$}  {:b$}  {:>c$}  {:>d$}  {:>e$}",
                cells[0], cells[1], cells[2], cells[3], cells[4]
            );
            writeln!(f, "{}", text.trim_end())
        };
        line(TITLES)?;
        for row in &rows {
            line(std::array::from_fn(|column| row[column].as_str()))?;
        }
        write!(f, "{} parameters", self.parameters)
    }
}
