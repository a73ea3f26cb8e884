//! The crate's modules know only those below them, and `unsafe` stays in its rooms.

#[path = "support/layers.rs"]
mod layers;

use std::path::{Path, PathBuf};

use layers::{code, has_word, re_exports, root_names, test_files};

/// The modules from bottom to top. Those of one row may use each other if the row says so.
const LAYERS: &[(&[&str], Siblings)] = &[
    (
        &[
            "tensor",
            "mask",
            "key",
            "error",
            "dropout",
            "activation",
            "epilogue",
            "noise",
        ],
        Siblings::Friends,
    ),
    (&["reference"], Siblings::Strangers),
    (&["simd"], Siblings::Strangers),
    (&["rng"], Siblings::Strangers),
    (&["kernels"], Siblings::Strangers),
    (&["exec"], Siblings::Strangers),
    (&["ops"], Siblings::Strangers),
    (&["autograd"], Siblings::Strangers),
    (&["nn"], Siblings::Strangers),
    (&["train"], Siblings::Strangers),
];

#[derive(Clone, Copy, PartialEq)]
enum Siblings {
    Friends,
    Strangers,
}

/// All that the specification may lean on, and nothing but tests leans on the specification.
const REFERENCE_USES: [&str; 3] = ["tensor", "error", "activation"];

/// The only places with `unsafe`.
const UNSAFE: [&str; 3] = ["src/simd/", "src/tensor/storage.rs", "src/tensor/matrix.rs"];

fn row(module: &str) -> Option<usize> {
    LAYERS
        .iter()
        .position(|(modules, _)| modules.contains(&module))
}

/// Whether the module `user` may name the module `used`; an error for a module that no row has.
fn may_use(user: &str, used: &str) -> Result<bool, String> {
    let find = |module| {
        row(module).ok_or_else(|| format!("`{module}` is in no layer of tests/layering.rs"))
    };
    let (from, to) = (find(user)?, find(used)?);
    Ok(match (user, used) {
        _ if user == used => true,
        ("reference", _) => REFERENCE_USES.contains(&used),
        (_, "reference") => false,
        _ => to < from || to == from && LAYERS[to].1 == Siblings::Friends,
    })
}

/// The faults of one file. `path` is relative to the package, such as `src/ops/dropout.rs`.
fn faults(path: &str, text: &str, exports: &[(String, String)]) -> Vec<String> {
    let code = code(text);
    let mut faults = Vec::new();
    let inside: Vec<&str> = path
        .trim_start_matches("src/")
        .trim_end_matches(".rs")
        .split('/')
        .collect();
    let module = inside[0];
    if module != "lib" {
        let depth = inside.iter().filter(|part| **part != "mod").count();
        for name in root_names(&code, depth) {
            let used = exports
                .iter()
                .find(|(_, export)| *export == name)
                .map_or(name.as_str(), |(module, _)| module);
            // A name of no module, met by `super::` from an inline module, is one of the file's own.
            let own = row(used).is_none() && !code.contains(&format!("crate::{used}"));
            match may_use(module, used) {
                _ if own => {}
                Ok(true) => {}
                Ok(false) => faults.push(format!("{path}: {module} may not use {used}")),
                Err(fault) => faults.push(format!("{path}: {fault}")),
            }
        }
    }
    if !UNSAFE.iter().any(|place| path.starts_with(place))
        && (has_word(&code, "unsafe") || code.contains("allow(unsafe_code"))
    {
        faults.push(format!("{path}: unsafe outside of {UNSAFE:?}"));
    }
    faults
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the sources can be listed") {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn arrows_point_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &Path| std::fs::read_to_string(path).expect("a source can be read");
    let exports = re_exports(&read(&root.join("src/lib.rs")));
    assert!(
        exports.contains(&("mask".to_owned(), "Mask".to_owned())),
        "re-exports are read: {exports:?}"
    );
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    assert!(files.len() > 20, "only {} sources were found", files.len());
    let of_tests: Vec<PathBuf> = files
        .iter()
        .flat_map(|file| {
            let folder = file.parent().unwrap_or(root).to_owned();
            let names = test_files(&read(file)).into_iter();
            names.map(move |name| folder.join(name).with_extension("rs"))
        })
        .collect();
    files.retain(|file| !of_tests.contains(file));
    let faults: Vec<String> = files
        .iter()
        .flat_map(|file| {
            let path = file
                .strip_prefix(root)
                .expect("sources lie in the package")
                .to_string_lossy()
                .replace('\\', "/");
            faults(&path, &read(file), &exports)
        })
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_check_can_fail() {
    let exports = [
        ("ops".to_owned(), "matmul".to_owned()),
        ("mask".to_owned(), "Mask".to_owned()),
    ];
    let bad = [
        ("src/kernels/a.rs", "use crate::exec::Scratch;"),
        (
            "src/kernels/a.rs",
            "use crate::{\n    simd::{Simd, LANES},\n    ops::dropout,\n};",
        ),
        ("src/kernels/a.rs", "fn f() { crate::ops::dropout() }"),
        ("src/kernels/a.rs", "use crate::matmul;"),
        ("src/kernels/a.rs", "use super::super::exec::Scratch;"),
        ("src/kernels/mod.rs", "use super::exec::Scratch;"),
        ("src/mask/mod.rs", "use crate::rng::Bernoulli;"),
        ("src/mask.rs", "use super::rng::Bernoulli;"),
        ("src/reference/stream.rs", "use crate::key::Key;"),
        ("src/ops/mod.rs", "use crate::reference::stream;"),
        ("src/ops/mod.rs", "use crate::unheard_of::Thing;"),
        ("src/exec/mod.rs", "fn f() { unsafe { g() } }"),
        (
            "src/exec/mod.rs",
            "#![allow(unsafe_code, reason = \"none\")]",
        ),
        ("src/tensor/mod.rs", "unsafe fn f() {}"),
        ("src/lib.rs", "unsafe fn f() {}"),
        (
            "src/mask/mod.rs",
            "#[cfg(test)]\nmod tests;\nuse crate::rng::Bernoulli;",
        ),
        (
            "src/mask/mod.rs",
            "#[cfg(test)]\nmod tests { fn f() {} }\nuse crate::rng::Bernoulli;",
        ),
    ];
    for (path, text) in bad {
        assert_eq!(faults(path, text, &exports).len(), 1, "{path}: {text}");
    }
}

#[test]
fn files_of_tests_are_known() {
    let text = "mod a;\n#[cfg(test)]\nmod sweep;\n#[cfg(test)]\nmod tests {\n    use b;\n}\n";
    assert_eq!(test_files(text), ["sweep"]);
}

#[test]
fn the_check_accepts_what_is_right() {
    let exports = [("mask".to_owned(), "Mask".to_owned())];
    let good = [
        (
            "src/kernels/a.rs",
            "use crate::{rng::BLOCK, simd::{Simd, LANES}};\nuse super::b::c;",
        ),
        (
            "src/kernels/a.rs",
            "use crate::Mask; // crate::ops is above\n/// crate::exec: unsafe",
        ),
        (
            "src/kernels/a.rs",
            "pub(crate) fn f() {}\n#[cfg(test)]\nmod tests { use crate::exec::g; }",
        ),
        (
            "src/mask/mod.rs",
            "use crate::error::Error;\nmod sealed { use super::Thing; }",
        ),
        (
            "src/reference/stream.rs",
            "use crate::error::{Error, Result};\nuse crate::tensor::Tensor;",
        ),
        ("src/tensor/storage.rs", "unsafe fn f() {}"),
        ("src/simd/avx2.rs", "unsafe fn f() {}"),
        (
            "src/nn/mod.rs",
            "use crate::ops; use crate::autograd::Tape;",
        ),
    ];
    for (path, text) in good {
        assert_eq!(faults(path, text, &exports), [""; 0], "{path}: {text}");
    }
}
