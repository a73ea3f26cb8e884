//! The section `[model]`.

use serde::{Deserialize, Serialize};

use elision::nn::path_matches;

use super::{InitWord, Kind, Layer, Method, words};

/// What learns: layers one after the other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The shape of a sample, `[height, width, channels]` for images; a flat row of features if it is not said.
    pub input: Option<Vec<usize>>,
    /// How the weights begin.
    #[serde(default, with = "words")]
    pub init: InitWord,
    /// How layers drop that do not say it themselves.
    #[serde(default, with = "words", alias = "dropout-method")]
    pub dropout_method: Method,
    /// The layers, in their order.
    pub layers: Vec<Layer>,
}

impl Model {
    /// The drop probabilities that are given, in the order of the layers.
    pub(crate) fn rates(&self) -> Vec<f64> {
        let mut rates = Vec::new();
        collect(&self.layers, &mut rates);
        rates
    }

    /// Calls `f` with each of them.
    pub(crate) fn for_each_rate_mut(&mut self, f: &mut dyn FnMut(&mut f64)) {
        change(&mut self.layers, f);
    }

    /// Gives a drop probability to all layers that can have one and whose path matches; whether there are such.
    pub(crate) fn set_rates(&mut self, pattern: &str, p: f64) -> bool {
        set_matching(&mut self.layers, "", (pattern, p))
    }

    /// Makes elements of what layers drop, whatever they say.
    pub(crate) fn drop_elements(&mut self) {
        self.dropout_method = Method::Element;
        forget_methods(&mut self.layers);
    }

    /// Whether a layer says that it drops in a way that takes no probability.
    pub(crate) fn has_noise_without_rate(&self) -> bool {
        says_noise_without_rate(&self.layers)
    }

    /// The drop probability of the input, if the model begins with a layer of dropout.
    pub(crate) fn input_rate_mut(&mut self) -> Option<&mut f64> {
        match self.layers.first_mut() {
            Some(Layer {
                kind: Kind::Dropout(rate),
                ..
            }) => Some(rate),
            _ => None,
        }
    }

    /// Whether the model begins with a layer of dropout, whose rate is then the first.
    pub(crate) fn drops_input(&self) -> bool {
        let first = self.layers.first();
        first.is_some_and(|layer| matches!(layer.kind, Kind::Dropout(_)))
    }
}

fn collect(layers: &[Layer], rates: &mut Vec<f64>) {
    for layer in layers {
        rates.extend(layer.kind.rate());
        if let Kind::Residual(inner) = &layer.kind {
            collect(inner, rates);
        }
    }
}

fn change(layers: &mut [Layer], f: &mut dyn FnMut(&mut f64)) {
    for layer in layers {
        if let Some(rate) = layer.kind.rate_mut() {
            f(rate);
        }
        if let Kind::Residual(inner) = &mut layer.kind {
            change(inner, f);
        }
    }
}

fn set_matching(layers: &mut [Layer], outer: &str, (pattern, p): (&str, f64)) -> bool {
    let mut found = false;
    for layer in layers {
        let path = format!("{outer}{}", layer.name);
        found |= path_matches(pattern, &path) && layer.kind.set_rate(p);
        if let Kind::Residual(inner) = &mut layer.kind {
            found |= set_matching(inner, &format!("{path}.branch."), (pattern, p));
        }
    }
    found
}

fn says_noise_without_rate(layers: &[Layer]) -> bool {
    layers.iter().any(|layer| match &layer.kind {
        Kind::Residual(inner) => says_noise_without_rate(inner),
        _ => layer.method.is_some_and(Method::has_no_rate),
    })
}

fn forget_methods(layers: &mut [Layer]) {
    for layer in layers {
        layer.method = None;
        if let Kind::Residual(inner) = &mut layer.kind {
            forget_methods(inner);
        }
    }
}
