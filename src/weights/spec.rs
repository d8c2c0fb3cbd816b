//! How weights are named on the command line and in suites.

use super::config::Config;
use super::hub::Hub;
use super::{Checkpoint, EMBEDDED, WeightsError};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

const EMBEDDED_SCHEME: &str = "embedded";
const HUB_SCHEME: &str = "hf";

/// Where a checkpoint comes from: `embedded:<name>`, `hf:<owner>/<repo>[/<file>]`, or the path of a file.
///
/// [`fmt::Display`] writes the form that [`FromStr`] reads back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WeightsSpec {
    /// A checkpoint of [`EMBEDDED`], by name.
    Embedded(String),
    /// A file, usually `.safetensors`, `.pth`, `.pt` or `.th`.
    File(PathBuf),
    /// A repository on the Hugging Face hub.
    Hub {
        /// Owner and name, `timm/resnet18.a1_in1k`.
        repo: String,
        /// The file within it, if one was named.
        file: Option<String>,
    },
}

impl WeightsSpec {
    /// Checks that the checkpoint is there, without reading it.
    ///
    /// # Errors
    /// [`WeightsError`] when it is unknown, absent, or would have to be downloaded and may not.
    pub fn availability(&self) -> Result<(), WeightsError> {
        match self {
            Self::Embedded(name) => EMBEDDED.find(name).map(|_| ()).map_err(Into::into),
            Self::File(path) if path.is_file() => Ok(()),
            Self::File(path) => Err(WeightsError::Absent { path: path.clone() }),
            Self::Hub { repo, file } => Hub::from_env().availability(repo, file.as_deref()),
        }
    }

    /// Reads the checkpoint, downloading it where it is on the hub and not in the cache.
    ///
    /// # Errors
    /// [`WeightsError`] when it is unknown, unreadable, or cannot be downloaded.
    pub fn load(&self) -> Result<Checkpoint, WeightsError> {
        match self {
            Self::Embedded(name) => Ok(EMBEDDED.find(name)?.load()?),
            Self::File(path) => {
                let checkpoint = Checkpoint::read(path)?;
                Ok(match diffusers_config(path) {
                    Some(config) => config.describe(checkpoint),
                    None => checkpoint,
                })
            }
            Self::Hub { repo, file } => Hub::from_env().load(repo, file.as_deref()),
        }
    }
}

impl FromStr for WeightsSpec {
    type Err = WeightsError;

    fn from_str(text: &str) -> Result<Self, WeightsError> {
        let fail = |why| WeightsError::Syntax {
            text: text.to_owned(),
            why,
        };
        match text.split_once(':') {
            Some((EMBEDDED_SCHEME, "")) => Err(fail("the name is missing")),
            Some((EMBEDDED_SCHEME, name)) => Ok(Self::Embedded(name.to_owned())),
            Some((HUB_SCHEME, rest)) => hub(rest)
                .ok_or_else(|| fail("the owner or the repository is missing, or a folder is `..`")),
            Some((scheme, _)) if is_scheme(scheme) => Err(fail("the word before `:` is unknown")),
            _ if text.is_empty() => Err(fail("it is empty")),
            _ => Ok(Self::File(PathBuf::from(text))),
        }
    }
}

/// Returns what the `config.json` beside a file says, if it is diffusers': their models come in a folder each.
fn diffusers_config(file: &Path) -> Option<Config> {
    let text = fs::read_to_string(file.with_file_name("config.json")).ok()?;
    let config = Config::read(&text).ok()??;
    matches!(config, Config::Diffusers(_)).then_some(config)
}

/// Tells a word before a colon from the letter of a drive and from a path that holds a colon.
fn is_scheme(text: &str) -> bool {
    text.len() > 1 && text.chars().all(|c| c.is_ascii_alphanumeric())
}

fn hub(text: &str) -> Option<WeightsSpec> {
    let mut parts = text.splitn(3, '/');
    let (owner, name, file) = (parts.next()?, parts.next()?, parts.next());
    let complete = [Some(owner), Some(name), file]
        .into_iter()
        .flatten()
        .flat_map(|part| part.split('/'))
        .all(|part| !matches!(part, "" | "." | ".."));
    complete.then(|| WeightsSpec::Hub {
        repo: format!("{owner}/{name}"),
        file: file.map(str::to_owned),
    })
}

impl fmt::Display for WeightsSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded(name) => write!(f, "{EMBEDDED_SCHEME}:{name}"),
            Self::File(path) => path.display().fmt(f),
            Self::Hub { repo, file: None } => write!(f, "{HUB_SCHEME}:{repo}"),
            Self::Hub {
                repo,
                file: Some(file),
            } => write!(f, "{HUB_SCHEME}:{repo}/{file}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub_spec(repo: &str, file: Option<&str>) -> WeightsSpec {
        WeightsSpec::Hub {
            repo: repo.to_owned(),
            file: file.map(str::to_owned),
        }
    }

    #[test]
    fn specs_are_read_and_written_back() {
        let file = |path: &str| WeightsSpec::File(PathBuf::from(path));
        let table = [
            (
                "embedded:resnet20",
                WeightsSpec::Embedded("resnet20".into()),
            ),
            ("weights/resnet20.th", file("weights/resnet20.th")),
            ("runs/12:30/best.pth.tar", file("runs/12:30/best.pth.tar")),
            ("C:\\weights.pt", file("C:\\weights.pt")),
            ("hf:timm/resnet18", hub_spec("timm/resnet18", None)),
            (
                "hf:timm/resnet18/a/b.safetensors",
                hub_spec("timm/resnet18", Some("a/b.safetensors")),
            ),
        ];
        for (text, expected) in table {
            let spec: WeightsSpec = text.parse().unwrap();
            assert_eq!(spec, expected, "{text}");
            assert_eq!(spec.to_string(), text);
        }
    }

    #[test]
    fn bad_specs_say_why() {
        let table = [
            ("", "it is empty"),
            ("embedded:", "the name is missing"),
            ("embeded:resnet20", "the word before `:` is unknown"),
            (
                "hf:resnet18",
                "the owner or the repository is missing, or a folder is `..`",
            ),
            (
                "hf:timm/resnet18/../../other",
                "the owner or the repository is missing, or a folder is `..`",
            ),
            (
                "hf:timm/",
                "the owner or the repository is missing, or a folder is `..`",
            ),
            (
                "hf:timm/resnet18/",
                "the owner or the repository is missing, or a folder is `..`",
            ),
        ];
        for (text, why) in table {
            assert_eq!(
                text.parse::<WeightsSpec>().unwrap_err().to_string(),
                format!(
                    "`{text}` names no weights: {why}, expected `embedded:<name>`, a path, or `hf:<owner>/<repo>[/<file>]`"
                )
            );
        }
    }

    #[test]
    fn an_unknown_embedded_name_is_answered_with_the_known_ones() {
        let error = WeightsSpec::Embedded("zzz".into()).load().unwrap_err();
        assert!(matches!(error, WeightsError::Unknown(_)));
    }
}
