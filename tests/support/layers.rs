//! Reads which modules of the crate a source text names.

/// The text without comments and without what follows `#[cfg(test)]` (by convention the last item).
pub fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap_or("");
    let lines = text
        .lines()
        .map(|line| line.split_once("//").map_or(line, |(code, _)| code));
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether the code has `word` as a whole word.
pub fn has_word(code: &str, word: &str) -> bool {
    code.split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|found| found == word)
}

/// The first names of all paths that start at the crate's root: after `crate::`, and after as many
/// `super::` as the file's module is deep.
pub fn root_names(code: &str, depth: usize) -> Vec<String> {
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
pub fn re_exports(lib: &str) -> Vec<(String, String)> {
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
