//! What the classes are called.

use std::ffi::OsStr;
use std::path::Path;

/// Returns the names in the file `path`: those of `names` where it is YAML, otherwise its lines. `None` where there are none, or
/// they are written in a way that is not read here.
pub(in crate::data) fn parse(path: &Path, bytes: &[u8]) -> Option<Vec<String>> {
    let text = str::from_utf8(bytes).ok()?;
    let names = if path.extension() == Some(OsStr::new("yaml")) {
        of_yaml(text)?
    } else {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(str::to_owned).collect()
    };
    Some(names).filter(|names| !names.is_empty())
}

/// Reads `names: [a, b]`, or `names:` with lines `- a` or `0: a` below; no more of YAML than that.
fn of_yaml(text: &str) -> Option<Vec<String>> {
    let start = text.lines().position(|line| line.starts_with("names:"))?;
    let mut lines = text.lines().skip(start).map(without_comment);
    let first = lines.next()?.strip_prefix("names:")?.trim();
    if first.is_empty() {
        let inside = |line: &&str| line.starts_with([' ', '-']);
        let entries = lines.filter(|line| !line.trim().is_empty());
        let entries = entries.take_while(inside);
        return entries
            .enumerate()
            .map(|(n, line)| entry(n, line))
            .collect();
    }
    let list = lines.fold(first.to_owned(), |list, line| list + " " + line.trim());
    let (list, _) = list.strip_prefix('[')?.split_once(']')?;
    let list = list.trim().trim_end_matches(',');
    list.split(',').map(unquoted).collect()
}

fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with('#') {
        return "";
    }
    line.split_once(" #")
        .map_or(line, |(line, _)| line)
        .trim_end()
}

/// Reads the line of the name of class `number`.
fn entry(number: usize, line: &str) -> Option<String> {
    let line = line.trim();
    if let Some(name) = line.strip_prefix("- ") {
        return unquoted(name);
    }
    let (key, name) = line.split_once(':')?;
    (key.parse() == Ok(number)).then(|| unquoted(name))?
}

/// Reads a name, perhaps in quotes.
fn unquoted(name: &str) -> Option<String> {
    let name = name.trim();
    let quoted = |quote| name.strip_prefix(quote)?.strip_suffix(quote);
    let inner = quoted('"').or_else(|| quoted('\'')).unwrap_or(name);
    let plain = !inner.is_empty() && !inner.contains(['"', '\'', '[', '{']);
    plain.then(|| inner.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_numbered_names_are_read() {
        for (file, text) in [
            ("classes.txt", "cat\n traffic light \n\n"),
            ("data.yaml", "nc: 2\nnames: [cat, 'traffic light']\n"),
            (
                "data.yaml",
                "names: [\"cat\", # one\n  traffic light,\n]\nnc: 2\n",
            ),
            (
                "data.yaml",
                "names:\n- cat\n# two\n- traffic light\nnc: 2\n",
            ),
            (
                "data.yaml",
                "val: x\nnames:\n  0: cat # one\n\n  1: \"traffic light\"\nnc: 2",
            ),
        ] {
            let names = parse(Path::new(file), text.as_bytes());
            let expected = ["cat", "traffic light"].map(str::to_owned).to_vec();
            assert_eq!(names, Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_list_is_nothing() {
        for (file, text) in [
            ("classes.txt", " \n"),
            ("data.yaml", "nc: 2\n"),
            ("data.yaml", "names: []\n"),
            ("data.yaml", "names: cat\n"),
            ("data.yaml", "names: {0: cat}\n"),
            ("data.yaml", "names: [cat\n"),
            ("data.yaml", "names: ['a, b', c]\n"),
            ("data.yaml", "names:\n  1: cat\n"),
            ("data.yaml", "names:\nnc: 2\n"),
        ] {
            assert_eq!(parse(Path::new(file), text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse(Path::new("classes.txt"), &[0xff]), None);
    }
}
