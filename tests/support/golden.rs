//! The values of `tests/golden/torch.txt`, which describes its own format.
#![allow(dead_code, reason = "each test binary uses a part of this")]

use std::collections::HashMap;
use std::fmt::Debug;
use std::str::FromStr;

use elision::Tensor;
use elision::reference::tape::Array;

const TORCH: &str = include_str!("../golden/torch.txt");

/// Both sides compute in f64, and the file is rounded to f32.
pub(crate) const REFERENCE: Tolerance = Tolerance {
    relative: 1e-6,
    absolute: 1e-9,
};

/// Sums in f32 of a few products near 1.
pub(crate) const OPERATION: Tolerance = Tolerance {
    relative: 1e-5,
    absolute: 3e-6,
};

/// The first words of a case's name, and what reproduces such cases. A name may go on after an underscore.
pub(crate) type Kind = (&'static str, fn(&Case));

/// Reproduces every case by its kind; each case must have one, and each kind a case.
pub(crate) fn reproduce(kinds: &[Kind]) {
    let mut used = vec![false; kinds.len()];
    for case in cases() {
        let fits = |(name, _): &Kind| {
            let rest = case.name.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        };
        let found = kinds.iter().position(fits);
        let found = found.unwrap_or_else(|| panic!("nothing reproduces {}", case.name));
        kinds[found].1(&case);
        used[found] = true;
    }
    assert!(used.into_iter().all(|used| used), "every kind has a case");
}

/// What PyTorch made of some inputs.
pub(crate) struct Case {
    pub(crate) name: String,
    params: HashMap<String, String>,
    tensors: HashMap<String, Tensor>,
}

/// A file of cases.
pub(crate) struct Golden {
    /// The version of PyTorch.
    pub(crate) torch: String,
    pub(crate) cases: Vec<Case>,
}

/// Every case of the file.
pub(crate) fn cases() -> Vec<Case> {
    parse(TORCH).cases
}

/// Every case of the file, and the version of PyTorch.
pub(crate) fn golden() -> Golden {
    parse(TORCH)
}

/// Reads a file of cases; panics with the number of a line that is wrong.
pub(crate) fn parse(text: &str) -> Golden {
    let mut golden = Golden {
        torch: String::new(),
        cases: Vec::new(),
    };
    for (line, number) in text.lines().zip(1..) {
        if let Err(fault) = read(line, &mut golden) {
            panic!("line {number}: {fault}");
        }
    }
    golden
}

fn read(line: &str, golden: &mut Golden) -> Result<(), String> {
    let line = line.split('#').next().unwrap_or_default().trim();
    let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
    let words: Vec<&str> = rest.split_whitespace().collect();
    let case = golden.cases.last_mut();
    match (kind, &words[..], case) {
        ("", _, _) => {}
        ("torch", [version], _) => golden.torch = (*version).to_owned(),
        ("case", [name], _) => {
            if golden.cases.iter().any(|case| case.name == *name) {
                return Err(format!("a second case {name}"));
            }
            golden.cases.push(Case {
                name: (*name).to_owned(),
                params: HashMap::new(),
                tensors: HashMap::new(),
            });
        }
        ("param", [name, value], Some(case)) => {
            insert(&mut case.params, name, (*value).to_owned())?;
        }
        ("tensor", [name, shape, ":", numbers @ ..], Some(case)) => {
            insert(&mut case.tensors, name, tensor(shape, numbers)?)?;
        }
        _ => return Err(format!("not a line of a case: {line}")),
    }
    Ok(())
}

fn insert<T>(map: &mut HashMap<String, T>, name: &str, value: T) -> Result<(), String> {
    match map.insert(name.to_owned(), value) {
        Some(_) => Err(format!("a second {name}")),
        None => Ok(()),
    }
}

fn tensor(shape: &str, numbers: &[&str]) -> Result<Tensor, String> {
    let shape: Vec<usize> = match shape {
        "()" => Vec::new(),
        _ => shape.split('x').map(word).collect::<Result<_, _>>()?,
    };
    let numbers = numbers.iter().map(|number| word(number));
    let numbers = numbers.collect::<Result<Vec<f32>, _>>()?;
    Tensor::from_vec(numbers, &shape).map_err(|error| error.to_string())
}

fn word<T: FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("not a number: {word}"))
}

impl Case {
    /// The tensor of a name.
    pub(crate) fn tensor(&self, name: &str) -> Tensor {
        let found = self.tensors.get(name).cloned();
        found.unwrap_or_else(|| panic!("case {} has no tensor {name}", self.name))
    }

    /// The tensor of a name, in f64.
    pub(crate) fn array(&self, name: &str) -> Array {
        let tensor = self.tensor(name);
        let data = tensor.as_slice().iter().copied().map(f64::from);
        Array::new(data.collect(), tensor.shape())
    }

    /// Whether there is a tensor of the name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The names of the tensors.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The labels or ids of a tensor.
    pub(crate) fn labels(&self, name: &str) -> Vec<u32> {
        let tensor = self.tensor(name);
        tensor.as_slice().iter().map(|&x| x as u32).collect()
    }

    /// The decisions of a tensor of zeros and ones.
    pub(crate) fn kept(&self, name: &str) -> Vec<bool> {
        let tensor = self.tensor(name);
        tensor.as_slice().iter().map(|&x| x == 1.0).collect()
    }

    /// The number of a name.
    pub(crate) fn number(&self, name: &str) -> f64 {
        self.param(name)
    }

    /// The number of a name, if it is a whole one.
    pub(crate) fn integer(&self, name: &str) -> usize {
        self.param(name)
    }

    /// The word of a name, as what it means.
    pub(crate) fn param<T: FromStr>(&self, name: &str) -> T
    where
        T::Err: Debug,
    {
        let Some(value) = self.params.get(name) else {
            panic!("case {} has no param {name}", self.name);
        };
        let parsed = value.parse();
        parsed.unwrap_or_else(|error| panic!("param {name} of case {}: {error:?}", self.name))
    }
}

/// How far from PyTorch's a number may be.
#[derive(Clone, Copy)]
pub(crate) struct Tolerance {
    pub(crate) relative: f64,
    pub(crate) absolute: f64,
}

/// Fails on the first number that is farther from the tensor of the name than it may be.
pub(crate) fn assert_near<T: Copy + Into<f64>>(
    case: &Case,
    name: &str,
    found: &[T],
    tolerance: Tolerance,
) {
    let expected = case.tensor(name);
    let what = format!("{name} of {}", case.name);
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (&found, &expected)) in found.iter().zip(expected.as_slice()).enumerate() {
        let (found, expected): (f64, f64) = (found.into(), expected.into());
        assert!(
            (found - expected).abs() <= tolerance.relative * expected.abs() + tolerance.absolute,
            "{what}[{i}]: {found} instead of {expected}"
        );
    }
}
