//! From a configuration to a model: shapes are inferred layer by layer.

use std::fmt;

use elision::Key;
use elision::nn::{self, Init, Sequential};
use elision::ops::Window;

use crate::config::{Config, Conv, Dense, Kind, Layer, Method, Place};
use crate::dropout_method::{self, Learned};

/// A gigabyte of weights, of which training holds some four copies: a slip of the keyboard should be an error, not
/// an exhausted machine.
const MOST_PARAMETERS: usize = 1 << 28;

/// What is wrong with a model, and where.
#[derive(Debug)]
pub(crate) struct Misfit {
    /// The path of the layer.
    layer: String,
    fault: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "layer {:?}: {}", self.layer, self.fault)
    }
}

/// The model for samples of this shape, with weights of its own key; `rows` is the number of training rows, which
/// matters in training alone.
pub(crate) fn build(
    config: &Config,
    input: &[usize],
    classes: usize,
    rows: usize,
) -> Result<Sequential, Misfit> {
    let mut builder = Builder {
        rows,
        key: config.key().named("init"),
        init: config.model.init.0,
        method: config.model.dropout_method,
        classes,
        shape: input.to_vec(),
        parameters: 0,
    };
    let model = builder.sequence(&config.model.layers, "")?;
    match (builder.shape.as_slice(), config.model.layers.last()) {
        (&[last], _) if last == classes => Ok(model),
        (shape, last) => Err(Misfit {
            layer: last.map_or(String::new(), |layer| layer.name.clone()),
            fault: format!(
                "the model ends with {}, expected {classes}, the number of classes",
                shown(shape)
            ),
        }),
    }
}

/// A shape as people write it.
fn shown(shape: &[usize]) -> String {
    let axes: Vec<String> = shape.iter().map(usize::to_string).collect();
    match axes.is_empty() {
        true => "nothing".to_owned(),
        false => axes.join("x"),
    }
}

/// The layers so far.
struct Builder {
    key: Key,
    init: Init,
    /// Of layers that do not say it.
    method: Method,
    classes: usize,
    /// Training rows.
    rows: usize,
    /// The shape of a sample after them.
    shape: Vec<usize>,
    /// The number of their weights.
    parameters: usize,
}

/// A fault within a layer whose path is known further up.
type Fault = String;

fn text(error: elision::Error) -> Fault {
    error.to_string()
}

impl Builder {
    fn sequence(&mut self, layers: &[Layer], path: &str) -> Result<Sequential, Misfit> {
        let mut model = Sequential::new();
        for layer in layers {
            let path = match path {
                "" => layer.name.clone(),
                outer => format!("{outer}.{}", layer.name),
            };
            model = match &layer.kind {
                Kind::Residual(inner) => {
                    let before = self.shape.clone();
                    // The name under which the library keeps a residual branch.
                    let branch = self.sequence(inner, &format!("{path}.branch"))?;
                    let shapes = [before, self.shape.clone()];
                    residual(model, &layer.name, branch, shapes)
                }
                _ => self.layer(model, layer, self.key.named(&path)),
            }
            .map_err(|fault| Misfit { layer: path, fault })?;
        }
        Ok(model)
    }

    fn layer(&mut self, model: Sequential, layer: &Layer, key: Key) -> Result<Sequential, Fault> {
        let (name, method) = (layer.name.as_str(), self.method(layer)?);
        match &layer.kind {
            Kind::Linear(dense) if Learned::has(method) => {
                let learned = self.learned(dense, method, key)?;
                learned.with(model, name, method, dense.dropout)
            }
            Kind::Linear(dense) => {
                if dense.residual
                    && !matches!(
                        method,
                        Method::Element | Method::Unit | Method::InputBlock(_)
                    )
                {
                    return Err(format!(
                        "a residual linear layer has no dropout_method {method}"
                    ));
                }
                let (linear, p) = (self.linear(dense, key)?, dense.dropout.unwrap_or(0.0));
                dropout_method::linear(model, name, linear, (method, p), self.rows)
            }
            Kind::Dropout(rate) => {
                self.check_blocks(method)?;
                dropout_method::alone(model, name, method, *rate)
            }
            Kind::Conv2d(conv) => {
                let (layer, p) = (self.conv(conv, key)?, conv.dropout);
                self.check_blocks(method)?;
                dropout_method::conv(model, name, layer, method, p.unwrap_or(0.0))
            }
            Kind::MaxPool2d(window) => {
                self.slide(window)?;
                model.with(name, nn::MaxPool2d(*window))
            }
            Kind::AvgPool2d(window) => {
                self.slide(window)?;
                model.with(name, nn::AvgPool2d(*window))
            }
            Kind::Flatten => {
                let features = self.shape.iter().product();
                self.shape = vec![features];
                model.with(name, nn::Flatten)
            }
            Kind::LayerNorm => {
                model.with(name, nn::LayerNorm::new(self.features(2)?).map_err(text)?)
            }
            Kind::RmsNorm => model.with(name, nn::RmsNorm::new(self.features(1)?).map_err(text)?),
            Kind::BatchNorm => {
                model.with(name, nn::BatchNorm::new(self.features(2)?).map_err(text)?)
            }
            Kind::Activation(activation) => model.with(name, *activation),
            Kind::Residual(_) => return Err("a residual within itself".to_owned()),
        }
        .map_err(text)
    }

    /// How a layer drops: as it says, or as the model does where the layer drops and the method is for it.
    fn method(&self, layer: &Layer) -> Result<Method, Fault> {
        let place = match &layer.kind {
            Kind::Linear(_) => Place::Linear,
            Kind::Conv2d(_) => Place::Conv,
            _ if self.shape.len() > 1 => Place::Maps,
            _ => Place::Rows,
        };
        match layer.method {
            Some(method) if method.fits(place) => Ok(method),
            Some(method) => Err(format!(
                "dropout_method: {method} is not for this kind of layer"
            )),
            None if layer.kind.rate().is_some() && self.method.fits(place) => Ok(self.method),
            None => Ok(Method::Element),
        }
    }

    /// Whether blocks fit into the maps at hand.
    fn check_blocks(&self, method: Method) -> Result<(), Fault> {
        let Method::DropBlock(size) = method else {
            return Ok(());
        };
        let shape = [&[1], self.shape.as_slice()].concat();
        let blocks = elision::DropBlock::new(size).map_err(text)?;
        blocks.noise_shape(&shape).map(|_| ()).map_err(text)
    }

    /// A linear layer that is made by its method.
    fn learned(&mut self, dense: &Dense, method: Method, key: Key) -> Result<Learned, Fault> {
        if dense.residual || !dense.bias {
            return Err(format!("a layer of {method} has a bias and no residual"));
        }
        let shape = self.features_and_units(dense)?;
        Ok(Learned {
            shape,
            activation: dense.activation,
            init: self.init,
            key,
            rows: self.rows,
        })
    }

    /// What comes in and goes out, which is counted.
    fn features_and_units(&mut self, dense: &Dense) -> Result<[usize; 2], Fault> {
        let units = dense.units.unwrap_or(self.classes);
        let Some((&inputs, rest)) = self.shape.split_last() else {
            return Err("a sample has no axis".to_owned());
        };
        if !rest.is_empty() {
            let shape = shown(&self.shape);
            return Err(format!(
                "a linear layer takes rows of features, found samples of {shape}: put a flatten before it"
            ));
        }
        if dense.residual && units != inputs {
            return Err(format!(
                "a residual layer has as many units as inputs: {units} units, {inputs} inputs"
            ));
        }
        self.count(inputs.checked_add(1).and_then(|all| all.checked_mul(units)))?;
        self.shape = vec![units];
        Ok([inputs, units])
    }

    fn linear(&mut self, dense: &Dense, key: Key) -> Result<nn::Linear, Fault> {
        let [inputs, units] = self.features_and_units(dense)?;
        let layer = nn::Linear::new(inputs, units, key).map_err(text)?;
        let layer = match self.init {
            Init::KaimingUniform => layer,
            init => layer.init(init, key).map_err(text)?,
        };
        let layer = layer.activation(dense.activation);
        let layer = if dense.residual {
            layer.residual()
        } else {
            layer
        };
        Ok(if dense.bias {
            layer
        } else {
            layer.without_bias()
        })
    }

    fn conv(&mut self, conv: &Conv, key: Key) -> Result<nn::Conv2d, Fault> {
        let inputs = self.slide(&conv.window)?;
        let [kh, kw] = conv.window.kernel;
        let weights = [kh, kw, inputs / conv.groups.max(1), conv.channels];
        let count = weights
            .iter()
            .try_fold(1usize, |all, &size| all.checked_mul(size));
        self.count(count)?;
        if let Some(channels) = self.shape.last_mut() {
            *channels = conv.channels;
        }
        let layer = nn::Conv2d::grouped([inputs, conv.channels], conv.window, conv.groups, key);
        let layer = match self.init {
            Init::KaimingUniform => layer,
            init => layer.and_then(|layer| layer.init(init, key)),
        };
        layer
            .map(|layer| layer.activation(conv.activation))
            .map_err(text)
    }

    /// What a window makes of the rows and columns; the number of channels.
    fn slide(&mut self, window: &Window) -> Result<usize, Fault> {
        let &[height, width, channels] = self.shape.as_slice() else {
            let shape = shown(&self.shape);
            return Err(format!(
                "a window slides over images, found samples of {shape}: give model.input = [height, width, channels]"
            ));
        };
        let [rows, columns] = window.output([height, width]).map_err(text)?;
        self.shape = vec![rows, columns, channels];
        Ok(channels)
    }

    /// Features of the last axis, each with so many parameters.
    fn features(&mut self, each: usize) -> Result<usize, Fault> {
        let features = self.shape.last().copied().unwrap_or(0);
        self.count(features.checked_mul(each))?;
        Ok(features)
    }

    /// Counts the weights of a layer before they are allocated.
    fn count(&mut self, weights: Option<usize>) -> Result<(), Fault> {
        let sum = weights.and_then(|weights| weights.checked_add(self.parameters));
        match sum {
            Some(sum) if sum <= MOST_PARAMETERS => {
                self.parameters = sum;
                Ok(())
            }
            _ => Err(format!("more than {MOST_PARAMETERS} parameters")),
        }
    }
}

fn residual(
    model: Sequential,
    name: &str,
    branch: Sequential,
    [before, after]: [Vec<usize>; 2],
) -> Result<Sequential, Fault> {
    if before != after {
        let [before, after] = [before, after].map(|shape| shown(&shape));
        return Err(format!(
            "the branch makes {after} of {before}; they cannot be added"
        ));
    }
    model.with(name, nn::Residual::new(branch)).map_err(text)
}

#[cfg(test)]
mod tests {
    use elision::nn::Layer as _;

    use super::*;

    fn model(layers: &str, input: &[usize]) -> Result<Sequential, String> {
        let config = Config::parse(layers).map_err(|fault| fault.to_string())?;
        build(&config, input, 10, 100).map_err(|misfit| misfit.to_string())
    }

    const CNN: &str = "
        [[model.layers]]
        name = 'conv'
        kind = 'conv2d'
        channels = 8
        kernel = 3
        padding = 1
        [[model.layers]]
        name = 'block'
        kind = 'residual'
        layers = [{ name = 'norm', kind = 'batch-norm' }, { name = 'again', kind = 'conv2d', channels = 8, kernel = [1, 1] }]
        [[model.layers]]
        name = 'pool'
        kind = 'max-pool2d'
        kernel = 2
        [[model.layers]]
        name = 'flat'
        kind = 'flatten'
        [[model.layers]]
        name = 'output'
        kind = 'linear'";

    #[test]
    fn shapes_follow_from_the_layers() {
        let model = model(CNN, &[8, 6, 1]).expect("it fits");
        let names: Vec<_> = model.named_parameters();
        let shape = |path: &str| {
            let found = names.iter().find(|(name, _)| name == path);
            found.map(|(_, own)| own.value().shape().to_vec())
        };
        assert_eq!(shape("output.weight"), Some(vec![10, 4 * 3 * 8]));
        assert_eq!(shape("block.branch.again.weight"), Some(vec![8, 1, 1, 8]));
    }

    #[test]
    fn a_misfit_names_its_layer() {
        for (layers, input, words) in [
            (
                CNN,
                &[48][..],
                "layer \"conv\": a window slides over images",
            ),
            (CNN, &[1, 1, 1], "layer \"pool\""),
            (
                "[[model.layers]]\nname = 'a'\nkind = 'linear'\nunits = 3",
                &[4],
                "layer \"a\": the model ends with 3, expected 10",
            ),
            (
                "[[model.layers]]\nname = 'a'\nkind = 'linear'\nunits = 999999999999",
                &[4],
                "layer \"a\": more than",
            ),
            (
                "[[model.layers]]\nname = 'a'\nkind = 'linear'",
                &[2, 2, 1],
                "put a flatten before it",
            ),
        ] {
            let fault = model(layers, input).expect_err("it does not fit");
            assert!(fault.contains(words), "{fault}");
        }
    }

    #[test]
    fn a_layer_more_leaves_the_weights_of_the_others() {
        let [short, long] = [
            "",
            "[[model.layers]]\nname = 'more'\nkind = 'linear'\nunits = 10\n",
        ]
        .map(|more| {
            let output = "[[model.layers]]\nname = 'output'\nkind = 'linear'";
            model(&format!("{more}{output}"), &[10]).expect("it fits")
        });
        let last = |model: &Sequential| {
            let all = model.named_parameters();
            let found = all.iter().find(|(name, _)| name == "output.weight");
            found.map(|(_, own)| own.value().clone())
        };
        assert_eq!(last(&short), last(&long));
    }
}
