//! Checkpoints on the Hugging Face hub, through the cache that all its clients share (`HF_HOME`, `HF_ENDPOINT`, `HF_HUB_OFFLINE`).

use super::config::Config;
use super::{Checkpoint, WeightsError, sharded};
use hf_hub::Cache;
use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};
use std::path::PathBuf;

/// What repositories call their checkpoint, in the order in which they are preferred.
const NAMES: [&str; 5] = [
    "model.safetensors",
    "diffusion_pytorch_model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "diffusion_pytorch_model.bin",
];

/// What says how a checkpoint expects images.
const CONFIG: &str = "config.json";

/// The hub, seen through a cache.
#[derive(Debug)]
pub(super) struct Hub {
    cache: Cache,
    /// Another server than the hub's own.
    endpoint: Option<String>,
    offline: bool,
}

impl Hub {
    /// Makes the hub that the environment describes.
    pub(super) fn from_env() -> Self {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let offline = set("HF_HUB_OFFLINE");
        Self {
            cache: Cache::from_env(),
            endpoint: set("HF_ENDPOINT"),
            offline: offline.is_some_and(|value| !matches!(value.as_str(), "0" | "false" | "no")),
        }
    }

    /// Checks that a file can be asked for.
    ///
    /// # Errors
    /// [`WeightsError::Offline`] where it would have to be downloaded and may not.
    pub(super) fn availability(&self, repo: &str, file: Option<&str>) -> Result<(), WeightsError> {
        if self.offline && self.cached(repo, file).is_none() {
            return Err(WeightsError::Offline {
                repo: repo.to_owned(),
                cache: self.cache.path().clone(),
            });
        }
        Ok(())
    }

    /// Reads a file of a repository, its checkpoint if none is named, with what the repository says of the images that it expects.
    ///
    /// # Errors
    /// [`WeightsError`] where that is not possible.
    pub(super) fn load(&self, repo: &str, file: Option<&str>) -> Result<Checkpoint, WeightsError> {
        let path = self.fetch(repo, file)?;
        let checkpoint = Checkpoint::read(&path)?;
        let config = beside(file.unwrap_or_default(), CONFIG);
        let Some(config) = self.cache.model(repo.to_owned()).get(&config) else {
            return Ok(checkpoint);
        };
        let read = || {
            let text = std::fs::read_to_string(config).map_err(serde_json::Error::io)?;
            Config::read(&text)
        };
        let config = read().map_err(|source| WeightsError::Config {
            repo: repo.to_owned(),
            source,
        })?;
        Ok(match config {
            Some(config) => config.describe(checkpoint),
            None => checkpoint,
        })
    }

    /// Returns the path of a file of a repository, its checkpoint if none is named; what is not in the cache is downloaded, together with
    /// the `config.json` beside it.
    ///
    /// # Errors
    /// [`WeightsError`] where that is not possible, or the repository has no checkpoint.
    pub(super) fn fetch(&self, repo: &str, file: Option<&str>) -> Result<PathBuf, WeightsError> {
        if let Some(path) = self.cached(repo, file) {
            return Ok(path);
        }
        self.availability(repo, file)?;
        let failed = |source: ApiError| WeightsError::Hub {
            repo: repo.to_owned(),
            source: Box::new(source),
        };
        let remote = self.remote(repo).map_err(failed)?;
        let listed = listing(&remote).map_err(failed)?;
        let file = match file {
            Some(file) => file.to_owned(),
            None => checkpoint_of(repo, &listed)?,
        };
        let config = beside(&file, CONFIG);
        if listed.contains(&config) {
            remote.get(&config).map_err(failed)?;
        }
        let path = remote.get(&file).map_err(failed)?;
        for shard in sharded::shards(&path)? {
            remote.get(&beside(&file, &shard)).map_err(failed)?;
        }
        Ok(path)
    }

    /// Returns the path of a file that is in the cache with all that belongs to it.
    fn cached(&self, repo: &str, file: Option<&str>) -> Option<PathBuf> {
        let local = self.cache.model(repo.to_owned());
        let complete = |file: &str| {
            let path = local.get(file)?;
            let shards = sharded::shards(&path).ok()?;
            let there = |shard: &String| local.get(&beside(file, shard)).is_some();
            shards.iter().all(there).then_some(path)
        };
        match file {
            Some(file) => complete(file),
            None => NAMES.into_iter().find_map(complete),
        }
    }

    fn remote(&self, repo: &str) -> Result<ApiRepo, ApiError> {
        let mut api = ApiBuilder::from_cache(self.cache.clone()).with_progress(true);
        if let Some(endpoint) = &self.endpoint {
            api = api.with_endpoint(endpoint.clone());
        }
        Ok(api.build()?.model(repo.to_owned()))
    }
}

/// Returns the names of a repository's files.
fn listing(remote: &ApiRepo) -> Result<Vec<String>, ApiError> {
    let files = remote.info()?.siblings.into_iter();
    Ok(files.map(|file| file.rfilename).collect())
}

/// Returns the name of a repository's checkpoint.
fn checkpoint_of(repo: &str, files: &[String]) -> Result<String, WeightsError> {
    let named = NAMES
        .into_iter()
        .find(|name| files.iter().any(|file| file == name));
    named
        .map(str::to_owned)
        .ok_or_else(|| WeightsError::NoCheckpoint {
            repo: repo.to_owned(),
            files: files.join("`, `"),
        })
}

/// Returns the path of a file called `name` in the folder of `file`.
fn beside(file: &str, name: &str) -> String {
    match file.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{name}"),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::io::{BufRead, BufReader, Write};
    use std::net::{TcpListener, TcpStream};
    use std::path::Path;

    fn hub(cache: &Path, endpoint: Option<String>) -> Hub {
        Hub {
            cache: Cache::new(cache.to_owned()),
            offline: endpoint.is_none(),
            endpoint,
        }
    }

    /// Puts a file into a cache as the hub's clients do.
    fn store(cache: &Path, repo: &str, file: &str, content: &str) {
        let folder = cache.join(format!("models--{}", repo.replace('/', "--")));
        let snapshot = folder.join("snapshots/0123");
        std::fs::create_dir_all(&snapshot).unwrap();
        std::fs::create_dir_all(folder.join("refs")).unwrap();
        std::fs::write(folder.join("refs/main"), "0123").unwrap();
        std::fs::write(snapshot.join(file), content).unwrap();
    }

    #[test]
    fn what_is_cached_needs_no_network() {
        let cache = tempfile::tempdir().unwrap();
        store(
            cache.path(),
            "timm/resnet18",
            "model.safetensors",
            "weights",
        );
        store(cache.path(), "timm/resnet18", "other.bin", "others");
        let hub = hub(cache.path(), None);
        for (file, content) in [(None, "weights"), (Some("other.bin"), "others")] {
            hub.availability("timm/resnet18", file).unwrap();
            let path = hub.fetch("timm/resnet18", file).unwrap();
            assert_eq!(std::fs::read_to_string(path).unwrap(), content);
        }
    }

    #[test]
    fn without_network_what_is_not_cached_says_so() {
        let cache = tempfile::tempdir().unwrap();
        let error = hub(cache.path(), None)
            .fetch("timm/resnet18", None)
            .unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains("HF_HUB_OFFLINE") && message.contains("timm/resnet18"),
            "{message}"
        );
    }

    #[test]
    fn an_index_without_all_its_shards_is_not_complete() {
        let cache = tempfile::tempdir().unwrap();
        let index = r#"{"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}}"#;
        store(cache.path(), "o/r", "model.safetensors.index.json", index);
        store(cache.path(), "o/r", "1.safetensors", "");
        assert!(hub(cache.path(), None).availability("o/r", None).is_err());
        store(cache.path(), "o/r", "2.safetensors", "");
        assert!(hub(cache.path(), None).availability("o/r", None).is_ok());
    }

    /// Serves files as the hub does, one request a connection, until the test is over.
    fn serve(files: BTreeMap<&'static str, String>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(&stream.unwrap(), &files);
            }
        });
        format!("http://{address}")
    }

    fn answer(mut stream: &TcpStream, files: &BTreeMap<&'static str, String>) {
        let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
        let request = lines.next().unwrap();
        let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
        let path = request.split(' ').nth(1).unwrap();
        let found = if path.contains("/api/models/") {
            let files: Vec<String> = files
                .keys()
                .map(|f| format!(r#"{{"rfilename":"{f}"}}"#))
                .collect();
            Some(format!(
                r#"{{"siblings":[{}],"sha":"0123"}}"#,
                files.join(",")
            ))
        } else {
            files.get(path.rsplit('/').next().unwrap()).cloned()
        };
        let Some(body) = found else {
            return stream
                .write_all(
                    b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
                )
                .unwrap();
        };
        let range = headers.iter().find_map(|line| {
            let (name, value) = line.split_once(": bytes=")?;
            name.eq_ignore_ascii_case("range").then(|| value.to_owned())
        });
        let (first, last) = match range.as_deref().and_then(|range| range.split_once('-')) {
            Some((first, last)) => (
                first.parse().unwrap(),
                last.parse().unwrap_or(body.len() - 1),
            ),
            None => (0, body.len() - 1),
        };
        let part = &body[first..=last.min(body.len() - 1)];
        let head = format!(
            "HTTP/1.1 206 Partial Content\r\nx-repo-commit: 0123\r\netag: \"e{}\"\r\ncontent-range: bytes {first}-{last}/{}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len(),
            body.len(),
            part.len(),
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(part.as_bytes()).unwrap();
    }

    #[test]
    fn what_is_not_cached_is_downloaded_once() {
        let cache = tempfile::tempdir().unwrap();
        let files = [
            ("README.md", "text".to_owned()),
            ("model.safetensors", "weights".to_owned()),
        ];
        let online = hub(cache.path(), Some(serve(files.into())));
        let path = online.fetch("timm/resnet18", None).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "weights");
        let offline = hub(cache.path(), None);
        assert_eq!(offline.fetch("timm/resnet18", None).unwrap(), path);
        let lacking = online
            .fetch("timm/resnet18", Some("no.safetensors"))
            .unwrap_err();
        assert!(matches!(lacking, WeightsError::Hub { .. }), "{lacking:?}");
    }

    /// The text of a checkpoint: the header of a safetensors file is text, and so are tensors without elements.
    fn checkpoint(metadata: &str) -> String {
        let header =
            format!(r#"{{{metadata}"a":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}}}"#);
        let length = u64::try_from(header.len()).unwrap().to_le_bytes();
        let mut bytes = length.to_vec();
        bytes.extend(header.into_bytes());
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_config_says_how_images_are_expected() {
        let config = r#"{"pretrained_cfg":{"mean":[0.5],"std":[0.25],"crop_pct":0.9}}"#;
        let expected = Some(r#"{"mean":[0.5],"std":[0.25]}"#);
        let own = r#""__metadata__":{"preprocess":"own"},"#;
        for (metadata, config, expected) in [
            ("", Some(config), expected),
            ("", None, None),
            ("", Some(r#"{"model_type":"bert"}"#), None),
            (own, Some(config), Some("own")),
        ] {
            let cache = tempfile::tempdir().unwrap();
            let mut files = BTreeMap::from([("model.safetensors", checkpoint(metadata))]);
            files.extend(config.map(|config| (CONFIG, config.to_owned())));
            let online = hub(cache.path(), Some(serve(files)));
            // The second time, everything comes from the cache.
            for hub in [online, hub(cache.path(), None)] {
                let loaded = hub.load("timm/resnet18", None).unwrap();
                let found = loaded.metadata().get("preprocess").map(String::as_str);
                assert_eq!(found, expected, "{config:?}");
            }
        }
    }

    #[test]
    fn a_config_that_cannot_be_read_is_an_error() {
        let cache = tempfile::tempdir().unwrap();
        store(cache.path(), "o/r", "model.safetensors", &checkpoint(""));
        store(cache.path(), "o/r", CONFIG, "<html>");
        let error = hub(cache.path(), None).load("o/r", None).unwrap_err();
        assert!(matches!(error, WeightsError::Config { .. }), "{error:?}");
    }

    #[test]
    fn a_repository_without_a_checkpoint_lists_what_it_has() {
        let cache = tempfile::tempdir().unwrap();
        let online = hub(
            cache.path(),
            Some(serve([("README.md", "text".to_owned())].into())),
        );
        let error = online.fetch("o/r", None).unwrap_err().to_string();
        assert!(error.contains("`README.md`"), "{error}");
    }
}
