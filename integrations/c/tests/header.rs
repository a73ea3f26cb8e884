//! The header says what the library is: versions, numbers, layouts and the list of functions.

use std::collections::BTreeSet;
use std::mem::offset_of;

use elision::{Level, MAX_RANK};
use elision_c::{
    CDropout, CKey, CLinear, CLinearGrads, CLinearOutput, CSharedDropout, CView, CViewMut, Status,
};

const HEADER: &str = include_str!("../include/elision.h");

/// What the header gives a name by `name = number` or `#define name number`.
fn number(name: &str) -> i64 {
    let words: Vec<&str> = HEADER
        .split([' ', ',', '\n'])
        .filter(|word| !word.is_empty())
        .collect();
    let at = words.windows(3).find_map(|words| match *words {
        [word, "=", number] if word == name => Some(number),
        ["#define", word, number] if word == name => Some(number),
        _ => None,
    });
    let number = at.unwrap_or_else(|| panic!("the header has no {name}"));
    number
        .parse()
        .unwrap_or_else(|_| panic!("{name} is {number}"))
}

#[test]
fn versions_agree() {
    let package = env!("CARGO_PKG_VERSION");
    assert!(HEADER.contains(&format!("#define ELISION_VERSION \"{package}\"")));
    let parts = ["MAJOR", "MINOR", "PATCH"].map(|part| number(&format!("ELISION_VERSION_{part}")));
    assert_eq!(parts.map(|part| part.to_string()).join("."), package);
    let abi = number("ELISION_ABI_VERSION");
    assert_eq!(abi, i64::from(elision_c::elision_abi_version()));
    // The name that programs look for when they start has the same number.
    let soname = format!("libelision.so.{abi}\"");
    assert!(include_str!("../build.rs").contains(&soname));
    let cmake = include_str!("../CMakeLists.txt");
    assert!(cmake.contains(&format!("set(ELISION_ABI {abi})")));
    assert!(cmake.contains(&format!("project(elision VERSION {package} ")));
}

#[test]
fn numbers_agree() {
    for (status, name) in Status::ALL {
        let name = name.to_str().expect("names are ASCII");
        assert_eq!(number(name), i64::from(status as i32));
    }
    assert_eq!(
        HEADER.matches("    ELISION_ERROR_").count(),
        Status::ALL.len() - 1
    );
    for level in Level::ALL {
        let name = format!("ELISION_ISA_{}", level.name().to_uppercase());
        assert_eq!(number(&name), level as i64);
    }
    assert_eq!(number("ELISION_ISA_BEST"), -1);
    assert_eq!(
        (
            number("ELISION_FORM_INVERTED"),
            number("ELISION_FORM_ORIGINAL")
        ),
        (0, 1)
    );
    assert!(HEADER.contains(&format!("most {MAX_RANK}, and strides")));
}

/// The numbers are those of `test_layout` in `tests/c/basics.c`.
#[test]
#[cfg(target_pointer_width = "64")]
fn layouts_agree() {
    assert_eq!(size_of::<CKey>(), 16);
    assert_eq!(size_of::<CDropout>(), 40);
    assert_eq!(offset_of!(CDropout, p), 16);
    assert_eq!(offset_of!(CDropout, offset), 24);
    assert_eq!(offset_of!(CDropout, form), 32);
    assert_eq!((size_of::<CView>(), size_of::<CViewMut>()), (32, 32));
    assert_eq!(offset_of!(CView, rank), 24);
    assert_eq!(size_of::<CSharedDropout>(), 56);
    assert_eq!(offset_of!(CSharedDropout, noise_rank), 48);
    assert_eq!(size_of::<CLinear>(), 40);
    assert_eq!(offset_of!(CLinear, activation), 24);
    assert_eq!(offset_of!(CLinear, dropout), 32);
    assert_eq!(
        (size_of::<CLinearGrads>(), size_of::<CLinearOutput>()),
        (24, 24)
    );
}

/// The names of the functions that a text declares after `before`.
fn functions(text: &str, before: &str) -> BTreeSet<String> {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with(['*', '/', '#']));
    let names = lines.filter_map(|line| {
        let (head, _) = line.split_once('(')?;
        let (start, name) = head.split_at(head.rfind("elision_")?);
        start.contains(before).then(|| name.to_owned())
    });
    names.collect()
}

#[test]
fn every_function_is_declared_and_every_declaration_is_one() {
    let sources = [
        include_str!("../src/dropout.rs"),
        include_str!("../src/fault.rs"),
        include_str!("../src/keys.rs"),
        include_str!("../src/linear.rs"),
        include_str!("../src/masks.rs"),
        include_str!("../src/settings.rs"),
        include_str!("../src/shared.rs"),
        include_str!("../src/version.rs"),
    ];
    let defined: BTreeSet<String> = sources
        .iter()
        .flat_map(|source| functions(source, "extern \"C\" fn "))
        .collect();
    assert!(defined.len() > 30, "{defined:?}");
    assert_eq!(functions(HEADER, ""), defined);
}
