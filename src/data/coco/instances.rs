//! What a file of annotations says.

use crate::data::files::{Thing, Truth, check_name};
use crate::data::{
    Annotation, AnnotationError, AnnotationErrorKind, DataError, Place, Rect, Standing,
};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The test images.
#[derive(Debug)]
pub(in crate::data) struct Instances {
    /// Their paths below the folder of images, in the order of their ids.
    pub(in crate::data) files: Vec<PathBuf>,
    /// What is known of each.
    pub(in crate::data) truth: Vec<Truth>,
    /// The names of classes, in the order of the ids of categories.
    pub(in crate::data) classes: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct File {
    images: Vec<Picture>,
    annotations: Vec<Note>,
    categories: Vec<Category>,
}

#[derive(Debug, Deserialize)]
struct Picture {
    id: u64,
    file_name: PathBuf,
}

#[derive(Debug, Deserialize)]
struct Note {
    id: u64,
    image_id: u64,
    category_id: u64,
    bbox: Vec<f64>,
    area: Option<f64>,
    #[serde(default)]
    iscrowd: u8,
}

#[derive(Debug, Deserialize)]
struct Category {
    id: u64,
    name: String,
}

/// The index and the name of each category, by its id.
type Categories = BTreeMap<u64, (u32, String)>;

impl Instances {
    /// Reads a file; `path` names it in messages.
    ///
    /// # Errors
    /// Another form than that of `instances_val2017.json`, or no images.
    pub(in crate::data) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, DataError> {
        let file: File = serde_json::from_slice(bytes).map_err(|source| DataError::Json {
            path: path.to_owned(),
            expected: "COCO's `images`, `annotations` and `categories`",
            source,
        })?;
        if file.images.is_empty() {
            return Err(DataError::NoTestImages {
                path: path.to_owned(),
                expected: "them in its list `images`",
            });
        }
        let mut names = file.images.iter();
        names.try_for_each(|image| check_name(path, &image.file_name))?;
        let categories = numbered(file.categories);
        let images = file.images.into_iter();
        let mut images: BTreeMap<u64, (PathBuf, Truth)> = images
            .map(|image| (image.id, (image.file_name, Truth::new(path))))
            .collect();
        for note in &file.annotations {
            if let Some((_, truth)) = images.get_mut(&note.image_id) {
                truth.add(note, &categories);
            }
        }
        let (files, truth) = images.into_values().unzip();
        Ok(Self {
            files,
            truth,
            classes: categories.into_values().map(|(_, name)| name).collect(),
        })
    }
}

fn numbered(categories: Vec<Category>) -> Categories {
    let names = categories.into_iter();
    let names: BTreeMap<u64, String> = names.map(|category| (category.id, category.name)).collect();
    let numbered = names.into_iter().zip(0..);
    numbered
        .map(|((id, name), class)| (id, (class, name)))
        .collect()
}

impl Truth {
    /// Nothing is in the image as yet.
    fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            things: Ok(Vec::new()),
        }
    }

    /// Adds an annotation; after one that cannot be used there is no more to say.
    fn add(&mut self, note: &Note, categories: &Categories) {
        let Ok(things) = &mut self.things else { return };
        let place = Place {
            unit: "annotation",
            number: note.id,
        };
        match note.read(categories) {
            Ok(annotation) => things.push(Thing { place, annotation }),
            Err(kind) => {
                self.things = Err(AnnotationError {
                    path: self.path.clone(),
                    place: Some(place),
                    kind,
                });
            }
        }
    }
}

impl Note {
    fn read(&self, categories: &Categories) -> Result<Annotation, AnnotationErrorKind> {
        let [x, y, width, height] = self.bbox[..] else {
            return Err(AnnotationErrorKind::Value {
                field: "bbox",
                found: format!("{:?}", self.bbox),
                expected: "[x, y, width, height]",
            });
        };
        let Some((class, _)) = categories.get(&self.category_id) else {
            return Err(AnnotationErrorKind::Class {
                found: self.category_id.to_string(),
                expected: format!("the id of one of {} categories", categories.len()),
            });
        };
        let rect = Rect {
            x,
            y,
            width,
            height,
        };
        Ok(Annotation {
            area: self.area.unwrap_or_else(|| rect.area()),
            standing: match self.iscrowd {
                0 => Standing::Counts,
                _ => Standing::Crowd,
            },
            ..Annotation::plain(rect, *class)
        })
    }
}
