//! Reads which modules of the crate a source text names.

const TEST: &str = "#[cfg(test)]";

/// The text without comments and without the items that only tests see.
pub(crate) fn code(text: &str) -> String {
    let text = without_comments(text);
    let mut parts = text.split(TEST);
    let first = parts.next().unwrap_or("").to_owned();
    parts.fold(first, |code, part| code + after_item(part))
}

fn without_comments(text: &str) -> String {
    let code = |line: &str| {
        line.split_once("//")
            .map_or(line, |(code, _)| code)
            .to_owned()
    };
    text.lines().map(code).collect::<Vec<_>>().join("\n")
}

/// What follows the item that `rest` starts with: it ends at a `;` or with its braces.
fn after_item(rest: &str) -> &str {
    let mut depth = 0;
    for (i, c) in rest.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 && matches!(c, '}' | ';') {
            return &rest[i + 1..];
        }
    }
    ""
}

/// The names of the files that a module includes for its tests: `#[cfg(test)] mod name;`.
pub(crate) fn test_files(text: &str) -> Vec<String> {
    let text = without_comments(text);
    let items = text
        .split(TEST)
        .skip(1)
        .filter_map(|rest| rest.trim_start().strip_prefix("mod "));
    let declared = items
        .filter_map(|rest| rest.split_once(';'))
        .map(|(name, _)| name);
    declared
        .filter(|name| !name.contains('{'))
        .map(|name| name.trim().to_owned())
        .collect()
}

/// Whether the code has `word` as a whole word.
pub(crate) fn has_word(code: &str, word: &str) -> bool {
    code.split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|found| found == word)
}

/// The first names of all paths that start at the crate's root: after `crate::`, and after as many
/// `super::` as the file's module is deep.
pub(crate) fn root_names(code: &str, depth: usize) -> Vec<String> {
    let climb = "super::".repeat(depth);
    let after_crate = code.split("crate::").skip(1);
    // One `super::` more would leave the crate, one less stays inside of the module.
    let after_super = code
        .match_indices(&climb)
        .filter(|(at, _)| !code[..*at].ends_with("super::"));
    let after_super = after_super
        .map(|(at, _)| &code[at + climb.len()..])
        .filter(|rest| !rest.starts_with("super::"));
    after_crate
        .chain(after_super)
        .flat_map(first_names)
        .collect()
}

/// The first name of a path, or of each path of a group `{a::b, c}`.
fn first_names(rest: &str) -> Vec<String> {
    let Some(group) = rest.strip_prefix('{') else {
        return vec![first_name(rest)];
    };
    let (mut depth, mut names, mut start) = (0, Vec::new(), 0);
    for (i, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.push(first_name(&group[start..i]));
                start = i + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn first_name(path: &str) -> String {
    path.trim_start()
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

/// Pairs (module, name) that the root re-exports, from the `use` lines of `lib.rs`.
pub(crate) fn re_exports(lib: &str) -> Vec<(String, String)> {
    let uses = lib
        .split(';')
        .filter_map(|item| item.split_once("pub use ").map(|(_, path)| path));
    let pairs = uses.flat_map(|path| {
        // The last part of the path is a name or a group of names.
        let names = path
            .rsplit("::")
            .next()
            .map(first_names)
            .unwrap_or_default();
        names.into_iter().map(move |name| (first_name(path), name))
    });
    pairs.collect()
}
