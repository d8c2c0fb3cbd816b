//! Case ids as paths.

use std::path::PathBuf;

/// A case id that names no file below a folder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{case}` is not a case id: {why}, expected \
     `<suite>::<task>/<dataset>/<model>/<allocator>/<reconstruction>@<sparsity>`"
)]
pub struct CaseIdError {
    case: String,
    why: &'static str,
}

/// Returns the relative path of a case, without extension: the suite and every component but the last are folders.
///
/// Add an extension by appending it: the last component ends in a sparsity such as `@0.80`.
///
/// # Errors
/// A part is missing, or a component would leave the folder (`..`, empty, absolute) or is unfit for a file name.
pub fn case_path(case: &str) -> Result<PathBuf, CaseIdError> {
    let fail = |why| CaseIdError {
        case: case.to_owned(),
        why,
    };
    let (suite, rest) = case.split_once("::").ok_or(fail("`::` is missing"))?;
    let last = rest.rsplit('/').next().unwrap_or_default();
    if !last.contains('@') {
        return Err(fail("`@<sparsity>` is missing"));
    }
    let mut path = folder_path(suite).map_err(fail)?;
    path.push(folder_path(rest).map_err(fail)?);
    Ok(path)
}

/// Returns `name` with its slashes as folders, or why it is unfit for a path.
pub(super) fn folder_path(name: &str) -> Result<PathBuf, &'static str> {
    name.split('/').map(component).collect()
}

fn component(text: &str) -> Result<&str, &'static str> {
    match text {
        "" => Err("a component is empty"),
        "." | ".." => Err("a component is `.` or `..`"),
        _ if text.contains(|c: char| c == '\\' || c.is_control()) => {
            Err("a component has a backslash or a control character")
        }
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::{Component, Path};

    #[test]
    fn slashes_become_folders() {
        let path = case_path(
            "paper/track1::classification/cifar10/resnet20/fcpts:l2norm/none,net-sparse-none-adam(lr=1e-3)@0.80",
        )
        .unwrap();
        assert_eq!(
            path,
            Path::new(
                "paper/track1/classification/cifar10/resnet20/fcpts:l2norm/none,net-sparse-none-adam(lr=1e-3)@0.80"
            )
        );
    }

    #[test]
    fn bad_ids_say_why() {
        for (case, why) in [
            ("default/a/b@0.80", "`::` is missing"),
            ("default::a/b", "`@<sparsity>` is missing"),
            ("../up::a@0.80", "`..`"),
            ("default::a/../b@0.80", "`..`"),
            ("default::/etc/b@0.80", "empty"),
            ("::a@0.80", "empty"),
            ("/etc::a@0.80", "empty"),
            ("default::a/b\0@0.80", "control"),
            ("default::a\\b@0.80", "backslash"),
        ] {
            let message = case_path(case).unwrap_err().to_string();
            assert!(message.contains(why), "{case}: {message}");
        }
    }

    proptest! {
        #[test]
        fn no_path_leaves_its_folder(case in "[a./:@\\\\\u{0}]{0,24}") {
            if let Ok(path) = case_path(&case) {
                prop_assert!(path.components().all(|part| matches!(part, Component::Normal(_))));
            }
        }
    }
}
