//! Layers as a file has them: one table with the settings of all kinds, of which each kind takes its own.

use std::fmt;

use elision::Activation;
use elision::ops::Window;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::{Conv, Dense, Kind, Layer, Method, number, words};

/// The table of a layer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LayerTable {
    name: String,
    kind: String,
    #[serde(default, deserialize_with = "number::maybe_count")]
    units: Option<usize>,
    #[serde(default, deserialize_with = "number::maybe_count")]
    channels: Option<usize>,
    kernel: Option<Pair>,
    stride: Option<Pair>,
    padding: Option<Pair>,
    dilation: Option<Pair>,
    #[serde(default, deserialize_with = "number::maybe_count")]
    groups: Option<usize>,
    #[serde(default, with = "words::maybe")]
    activation: Option<Activation>,
    #[serde(default, deserialize_with = "number::maybe_probability")]
    dropout: Option<f64>,
    #[serde(default, deserialize_with = "number::maybe_probability")]
    rate: Option<f64>,
    #[serde(alias = "dropout-method")]
    dropout_method: Option<Method>,
    residual: Option<bool>,
    bias: Option<bool>,
    layers: Option<Vec<Layer>>,
}

/// The settings that each kind takes.
const KINDS: [(&str, &[&str]); 11] = [
    (
        "linear",
        &[
            "units",
            "activation",
            "dropout",
            "dropout_method",
            "residual",
            "bias",
        ],
    ),
    ("dropout", &["rate", "dropout_method"]),
    (
        "conv2d",
        &[
            "channels",
            "kernel",
            "stride",
            "padding",
            "dilation",
            "groups",
            "activation",
            "dropout",
            "dropout_method",
        ],
    ),
    ("max-pool2d", &["kernel", "stride", "padding"]),
    ("avg-pool2d", &["kernel", "stride", "padding"]),
    ("flatten", &[]),
    ("layer-norm", &[]),
    ("rms-norm", &[]),
    ("batch-norm", &[]),
    ("activation", &["activation"]),
    ("residual", &["layers"]),
];

impl LayerTable {
    /// The settings that are there.
    fn given(&self) -> impl Iterator<Item = &'static str> {
        let settings = [
            ("units", self.units.is_some()),
            ("channels", self.channels.is_some()),
            ("kernel", self.kernel.is_some()),
            ("stride", self.stride.is_some()),
            ("padding", self.padding.is_some()),
            ("dilation", self.dilation.is_some()),
            ("groups", self.groups.is_some()),
            ("activation", self.activation.is_some()),
            ("dropout", self.dropout.is_some()),
            ("rate", self.rate.is_some()),
            ("dropout_method", self.dropout_method.is_some()),
            ("residual", self.residual.is_some()),
            ("bias", self.bias.is_some()),
            ("layers", self.layers.is_some()),
        ];
        let given = settings.into_iter().filter(|(_, given)| *given);
        given.map(|(name, _)| name)
    }

    fn check(&self) -> Result<(), String> {
        let Some((_, known)) = KINDS.iter().find(|(kind, _)| *kind == self.kind) else {
            let kinds = KINDS.map(|(kind, _)| kind).join(", ");
            return Err(format!(
                "unknown kind {:?}, expected one of {kinds}",
                self.kind
            ));
        };
        match self.given().find(|name| !known.contains(name)) {
            Some(name) => Err(format!("{name:?} is no setting of kind {:?}", self.kind)),
            None => Ok(()),
        }
    }

    fn kind(self) -> Result<Kind, String> {
        self.check()?;
        Ok(match self.kind.as_str() {
            "linear" => Kind::Linear(Dense {
                units: self.units,
                activation: self.activation.unwrap_or(Activation::Identity),
                dropout: self.dropout,
                residual: self.residual.unwrap_or(false),
                bias: self.bias.unwrap_or(true),
            }),
            "dropout" => Kind::Dropout(needed("rate", self.rate)?),
            "conv2d" => Kind::Conv2d(Conv {
                channels: needed("channels", self.channels)?,
                window: self.window(Pair([1, 1]))?,
                groups: self.groups.unwrap_or(1),
                activation: self.activation.unwrap_or(Activation::Identity),
                dropout: self.dropout,
            }),
            "max-pool2d" => Kind::MaxPool2d(self.pool()?),
            "avg-pool2d" => Kind::AvgPool2d(self.pool()?),
            "flatten" => Kind::Flatten,
            "layer-norm" => Kind::LayerNorm,
            "rms-norm" => Kind::RmsNorm,
            "batch-norm" => Kind::BatchNorm,
            "activation" => Kind::Activation(needed("activation", self.activation)?),
            _ => Kind::Residual(needed("layers", self.layers)?),
        })
    }

    /// Windows side by side, unless it is said otherwise.
    fn pool(&self) -> Result<Window, String> {
        self.window(needed("kernel", self.kernel)?)
    }

    fn window(&self, stride: Pair) -> Result<Window, String> {
        let or = |pair: Option<Pair>, other: Pair| pair.unwrap_or(other).0;
        let kernel = needed("kernel", self.kernel)?.0;
        Ok(Window::new(kernel)
            .stride(or(self.stride, stride))
            .padding(or(self.padding, Pair([0, 0])))
            .dilation(or(self.dilation, Pair([1, 1]))))
    }
}

fn needed<T>(name: &str, value: Option<T>) -> Result<T, String> {
    value.ok_or_else(|| format!("{name:?} is missing"))
}

impl TryFrom<LayerTable> for Layer {
    type Error = String;

    fn try_from(table: LayerTable) -> Result<Self, String> {
        let (name, method) = (table.name.clone(), table.dropout_method);
        match table.kind() {
            Ok(kind) => Ok(Self { name, kind, method }),
            Err(fault) => Err(format!("layer {name:?}: {fault}")),
        }
    }
}

impl From<Layer> for LayerTable {
    fn from(layer: Layer) -> Self {
        let base = Self {
            name: layer.name,
            kind: layer.kind.name().to_owned(),
            dropout_method: layer.method,
            ..Self::default()
        };
        match layer.kind {
            Kind::Linear(dense) => Self {
                units: dense.units,
                activation: Some(dense.activation),
                dropout: dense.dropout,
                residual: dense.residual.then_some(true),
                bias: (!dense.bias).then_some(false),
                ..base
            },
            Kind::Dropout(rate) => Self {
                rate: Some(rate),
                ..base
            },
            Kind::Conv2d(conv) => Self {
                channels: Some(conv.channels),
                groups: Some(conv.groups),
                activation: Some(conv.activation),
                dropout: conv.dropout,
                dilation: Some(Pair(conv.window.dilation)),
                ..base.with_window(conv.window)
            },
            Kind::MaxPool2d(window) | Kind::AvgPool2d(window) => base.with_window(window),
            Kind::Activation(activation) => Self {
                activation: Some(activation),
                ..base
            },
            Kind::Residual(layers) => Self {
                layers: Some(layers),
                ..base
            },
            Kind::Flatten | Kind::LayerNorm | Kind::RmsNorm | Kind::BatchNorm => base,
        }
    }
}

impl LayerTable {
    fn with_window(self, window: Window) -> Self {
        Self {
            kernel: Some(Pair(window.kernel)),
            stride: Some(Pair(window.stride)),
            padding: Some(Pair(window.padding)),
            ..self
        }
    }
}

/// A number for rows and columns: `3`, or `[3, 5]`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pair([usize; 2]);

impl Serialize for Pair {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            [rows, columns] if rows == columns => serializer.serialize_u64(rows as u64),
            both => both.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrTwo)
    }
}

struct OneOrTwo;

impl<'de> Visitor<'de> for OneOrTwo {
    type Value = Pair;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number from 0 on, or two of them: [rows, columns]")
    }

    fn visit_i64<E: Error>(self, both: i64) -> Result<Pair, E> {
        let both = usize::try_from(both).map_err(|_| E::custom("expected a number from 0 on"))?;
        Ok(Pair([both; 2]))
    }

    fn visit_u64<E: Error>(self, both: u64) -> Result<Pair, E> {
        let both = usize::try_from(both).map_err(|_| E::custom("the number is too large"))?;
        Ok(Pair([both; 2]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Pair, A::Error> {
        let mut next = |at| {
            let number = sequence.next_element::<usize>()?;
            number.ok_or_else(|| A::Error::invalid_length(at, &self))
        };
        let pair = Pair([next(0)?, next(1)?]);
        match sequence.next_element::<usize>()? {
            Some(_) => Err(A::Error::invalid_length(3, &self)),
            None => Ok(pair),
        }
    }
}
