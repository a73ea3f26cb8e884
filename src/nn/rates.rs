//! The drop probabilities of a whole model.

use super::layer::Layer;
use super::pass::join;
use crate::dropout::check_probability;
use crate::error::{Error, Result};

/// The drop probability of inputs that Srivastava et al. 2014 advise (<https://jmlr.org/papers/v15/srivastava14a.html>).
pub const INPUT_RATE: f64 = 0.2;

/// The drop probability of hidden layers that they advise.
pub const HIDDEN_RATE: f64 = 0.5;

/// The layers of a model that have a drop probability, by their paths, and what it is. The path of the model itself is
/// empty.
///
/// ```
/// use elision::nn::{Dropout, Linear, Sequential, rates};
/// use elision::Key;
/// let model = Sequential::new()
///     .with("input", Dropout::new(0.2)?)?
///     .with("output", Linear::new(3, 2, Key::new(1))?)?;
/// assert_eq!(rates(&model), [("input".to_owned(), 0.2)]);
/// # Ok::<(), elision::Error>(())
/// ```
#[must_use]
pub fn rates(model: &dyn Layer) -> Vec<(String, f64)> {
    let mut rates = Vec::new();
    walk(model, "", &mut |path, layer| {
        rates.extend(layer.rate().map(|p| (path.to_owned(), p)));
    });
    rates
}

/// The layers whose drop probability can be set, which is 0 of those that have none yet.
pub(crate) fn settable_rates(model: &dyn Layer) -> Vec<(String, f64)> {
    let mut rates = Vec::new();
    walk(model, "", &mut |path, layer| {
        if is_settable(layer) {
            rates.push((path.to_owned(), layer.rate().unwrap_or(0.0)));
        }
    });
    rates
}

/// Whether a clone, which shares the memory of the parameters, has the rate that it is given.
fn is_settable(layer: &dyn Layer) -> bool {
    let mut clone = layer.boxed();
    clone.set_rate(HIDDEN_RATE).is_ok() && clone.rate() == Some(HIDDEN_RATE)
}

fn walk(layer: &dyn Layer, path: &str, f: &mut dyn FnMut(&str, &dyn Layer)) {
    f(path, layer);
    for (name, child) in layer.children() {
        walk(child, &join(path, name), f);
    }
}

/// Calls `f` with the model itself, whose path is empty, and with all layers within.
pub(crate) fn for_each_rate_mut(
    model: &mut dyn Layer,
    f: &mut dyn FnMut(&str, &mut dyn Layer) -> Result<()>,
) -> Result<()> {
    f("", model)?;
    model.for_each_layer_mut(f)
}

/// Gives the layers of a model that drop one probability for the input and one for all others, such as
/// [`INPUT_RATE`] and [`HIDDEN_RATE`]. A layer belongs to the input if no trainable parameter comes before it.
///
/// Where to drop is the model's affair: a layer without a drop probability, such as a linear one that was built without
/// dropout or whose rate has been set to 0, is left alone. [`set_rates_matching`] gives one to such a layer too.
///
/// ```
/// use elision::nn::{Dropout, HIDDEN_RATE, INPUT_RATE, Linear, Sequential, rates, set_rates};
/// use elision::Key;
/// let key = Key::new(1);
/// let mut model = Sequential::new()
///     .with("input", Dropout::new(0.1)?)?
///     .with("hidden", Linear::new(3, 8, key.named("hidden"))?.dropout(0.1)?)?
///     .with("output", Linear::new(8, 2, key.named("output"))?)?;
/// set_rates(&mut model, INPUT_RATE, HIDDEN_RATE)?;
/// assert_eq!(rates(&model), [("input".to_owned(), 0.2), ("hidden".to_owned(), 0.5)]);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Probability`] if a rate is none, [`Error::Pattern`] if no layer drops, and those of a layer that refuses a
/// rate; the model is then unchanged.
pub fn set_rates(model: &mut dyn Layer, input: f64, hidden: f64) -> Result<()> {
    let (input, hidden) = (check_probability(input)?, check_probability(hidden)?);
    let (mut plan, mut is_input) = (Vec::new(), true);
    walk(model, "", &mut |path, layer| {
        is_input &= !layer.parameters().iter().any(|(_, own)| own.is_trainable());
        if layer.rate().is_some() {
            plan.push((path.to_owned(), if is_input { input } else { hidden }));
        }
    });
    match plan.is_empty() {
        true => Err(Error::Pattern("*".to_owned())),
        false => follow(model, &plan),
    }
}

/// Gives drop probabilities to the layers whose path matches a pattern, one pattern after the other: where two match,
/// the later one counts. A layer that matches need not drop yet.
///
/// ```
/// use elision::nn::{Linear, Sequential, rates, set_rates_matching};
/// use elision::Key;
/// let key = Key::new(1);
/// let mut model = Sequential::new()
///     .with("hidden", Linear::new(3, 8, key.named("hidden"))?)?
///     .with("output", Linear::new(8, 2, key.named("output"))?)?;
/// set_rates_matching(&mut model, &[("*", 0.3), ("output", 0.0)])?;
/// assert_eq!(rates(&model), [("hidden".to_owned(), 0.3)]);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Probability`] if a rate is none, [`Error::Pattern`] if no layer whose rate can be set matches one of the
/// patterns, and those of a layer that refuses a rate; the model is then unchanged.
pub fn set_rates_matching(model: &mut dyn Layer, rates: &[(&str, f64)]) -> Result<()> {
    let (layers, mut plan) = (settable_rates(model), Vec::new());
    for &(pattern, p) in rates {
        let p = check_probability(p)?;
        let before = plan.len();
        let matching = layers
            .iter()
            .filter(|(path, _)| path_matches(pattern, path));
        plan.extend(matching.map(|(path, _)| (path.clone(), p)));
        if plan.len() == before {
            return Err(Error::Pattern(pattern.to_owned()));
        }
    }
    follow(model, &plan)
}

/// Sets the rates of a plan, whose later entries count; all of them or none.
fn follow(model: &mut dyn Layer, plan: &[(String, f64)]) -> Result<()> {
    let before = settable_rates(model);
    let outcome = set(model, plan);
    if outcome.is_err() {
        // What a layer had, it takes.
        let _ = set(model, &before);
    }
    outcome
}

fn set(model: &mut dyn Layer, plan: &[(String, f64)]) -> Result<()> {
    for_each_rate_mut(
        model,
        &mut |path, layer| match plan.iter().rfind(|(of, _)| of == path) {
            Some((_, p)) => layer.set_rate(*p),
            None => Ok(()),
        },
    )
}

/// Whether a pattern describes the whole of a layer's path. `*` stands for any characters, dots among them; all others
/// stand for themselves.
///
/// ```
/// use elision::nn::path_matches;
/// assert!(path_matches("encoder.*", "encoder.first.linear"));
/// assert!(path_matches("*.head", "encoder.head") && !path_matches("*.head", "encoder.heads"));
/// ```
#[must_use]
pub fn path_matches(pattern: &str, path: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == path;
    };
    let Some(mut path) = path.strip_prefix(start) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        // The first place leaves the most to the parts that follow.
        match path.find(part) {
            Some(at) => path = &path[at + part.len()..],
            None => return false,
        }
    }
    path.ends_with(end)
}
