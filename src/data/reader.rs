//! Reading images as a network takes them, ahead of the work on them.
//!
//! Decoding and resizing take as long as a small network does, so images of files are read on threads of their own while the
//! network runs (rayon's are the network's, and by default there is one). They come in the order asked for, whatever the
//! number of threads; those that wait are bounded by a few batches. Images that are in memory already are read in place.

use super::{DataError, Dataset, Image, Preprocess, Split, draw_calibration};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;

/// The batches that are read ahead of the one that is worked on.
const BATCHES_AHEAD: usize = 2;

/// The images of a calibration that are read ahead of those that are kept.
const CALIBRATION_AHEAD: usize = 64;

/// Reads the images of a data set as a network takes them.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// The images.
    pub dataset: &'a dyn Dataset,
    /// How the network takes them.
    pub preprocess: &'a Preprocess,
    /// Whether an image that cannot be read is an error; otherwise it is left out.
    pub strict: bool,
}

/// Some images, in the order asked for.
#[derive(Debug, Default)]
pub struct Batch {
    /// Which images of the split they are.
    pub indices: Vec<usize>,
    /// The height and the width that each image has in the data, before [`Preprocess::fit`].
    pub sizes: Vec<[usize; 2]>,
    /// The images, as [`Preprocess::apply`] takes them.
    pub images: Vec<Image>,
    /// What was wrong with each image that was left out.
    pub skipped: Vec<String>,
}

/// An image that was read and its original height and width, or what was wrong with it.
type Read = (usize, Result<([usize; 2], Image), DataError>);

impl Batch {
    /// Takes what came of an image, or leaves it out.
    fn push(&mut self, (index, image): Read, strict: bool) -> Result<(), DataError> {
        match image {
            Ok((size, image)) => {
                self.indices.push(index);
                self.sizes.push(size);
                self.images.push(image);
            }
            Err(error @ DataError::Image { .. }) if !strict => self.skipped.push(error.to_string()),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl Reader<'_> {
    /// Calls `work` with the first `samples` test images in batches of `batch`, from which images may have been left out.
    ///
    /// When `work` returns, with batches left or without, reading stops.
    pub fn test<R>(
        &self,
        samples: usize,
        batch: usize,
        work: impl FnOnce(&mut dyn Iterator<Item = Result<Batch, DataError>>) -> R,
    ) -> R {
        let indices: Vec<usize> = (0..samples).collect();
        self.ahead(Split::Test, &indices, BATCHES_AHEAD * batch, |images| {
            let next = || {
                let mut read = images.take(batch).peekable();
                read.peek()?;
                let mut whole = Batch::default();
                let pushed = read.try_for_each(|read| whole.push(read, self.strict));
                Some(pushed.map(|()| whole))
            };
            work(&mut std::iter::from_fn(next))
        })
    }

    /// Draws `wanted` calibration images that can be read: those of [`draw_calibration`], and in place of each that cannot be read
    /// the next that the seed would draw.
    ///
    /// # Errors
    /// Fewer images than `wanted`, or fewer that can be read; with `strict`, the first that cannot be read.
    pub fn calibration(&self, wanted: usize, seed: u64) -> Result<Batch, DataError> {
        let available = self.dataset.count(Split::Calibration);
        if wanted > available {
            return Err(DataError::TooFew {
                available,
                wanted,
                advice: self.dataset.calibration_advice(),
            });
        }
        let mut batch = Batch::default();
        let mut read = 0;
        while batch.images.len() < wanted {
            let missing = wanted - batch.images.len();
            if read == available {
                return Err(DataError::TooFewReadable {
                    available,
                    unreadable: batch.skipped.len(),
                    wanted,
                    first: batch.skipped.swap_remove(0),
                });
            }
            // A larger draw of the same seed goes on where a smaller one ends.
            let drawn = draw_calibration(available, (read + missing).min(available), seed)?;
            self.ahead(
                Split::Calibration,
                &drawn[read..],
                CALIBRATION_AHEAD,
                |images| {
                    for image in images {
                        batch.push(image, self.strict)?;
                    }
                    Ok::<_, DataError>(())
                },
            )?;
            read = drawn.len();
        }
        Ok(batch)
    }

    /// Calls `work` with images of a split, in the order of `indices`.
    fn ahead<R>(
        &self,
        split: Split,
        indices: &[usize],
        window: usize,
        work: impl FnOnce(&mut dyn Iterator<Item = Read>) -> R,
    ) -> R {
        let read = |index: usize| {
            let fitted = |image: Image| {
                let [_, height, width] = image.shape();
                ([height, width], self.preprocess.fit(image))
            };
            (index, self.dataset.image(split, index).map(fitted))
        };
        if self.preprocess.geometry.is_none() {
            return work(&mut indices.iter().map(|&index| read(index)));
        }
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let queue = Queue {
            length: indices.len(),
            window: window.max(threads),
            state: Mutex::default(),
            changed: Condvar::new(),
        };
        thread::scope(|scope| {
            let _stop = Stop(&queue);
            for _ in 0..threads.min(indices.len()) {
                scope.spawn(|| queue.serve(|place| read(indices[place])));
            }
            work(&mut std::iter::from_fn(|| queue.take()))
        })
    }
}

/// Results of numbered jobs, handed out in order.
struct Queue<T> {
    length: usize,
    /// How many jobs may be begun beyond the last result that was taken.
    window: usize,
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    begun: usize,
    taken: usize,
    /// What is done and not taken yet; a panic stays one.
    done: BTreeMap<usize, thread::Result<T>>,
    stopped: bool,
}

impl<T> Default for State<T> {
    fn default() -> Self {
        Self {
            begun: 0,
            taken: 0,
            done: BTreeMap::new(),
            stopped: false,
        }
    }
}

impl<T> Queue<T> {
    /// Does jobs until there are none left, or nobody wants them.
    fn serve(&self, job: impl Fn(usize) -> T) {
        while let Some(place) = self.begin() {
            let result = catch_unwind(AssertUnwindSafe(|| job(place)));
            self.lock().done.insert(place, result);
            self.changed.notify_all();
        }
    }

    /// Waits for the window to have room; returns the next job, if any.
    fn begin(&self) -> Option<usize> {
        let full = |state: &mut State<T>| {
            !state.stopped && state.begun < self.length && state.begun >= state.taken + self.window
        };
        let waited = self.changed.wait_while(self.lock(), full);
        let mut state = waited.expect("nothing panics with the lock");
        if state.stopped || state.begun == self.length {
            return None;
        }
        state.begun += 1;
        Some(state.begun - 1)
    }

    /// Waits for the next result; `None` after the last one.
    fn take(&self) -> Option<T> {
        let undone = |state: &mut State<T>| {
            state.taken < self.length && !state.done.contains_key(&state.taken)
        };
        let waited = self.changed.wait_while(self.lock(), undone);
        let mut state = waited.expect("nothing panics with the lock");
        let place = state.taken;
        let result = state.done.remove(&place)?;
        state.taken += 1;
        drop(state);
        self.changed.notify_all();
        Some(result.unwrap_or_else(|panic| resume_unwind(panic)))
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().expect("nothing panics with the lock")
    }
}

/// Stops the threads of a queue when it goes away, for whatever reason.
struct Stop<'a, T>(&'a Queue<T>);

impl<T> Drop for Stop<'_, T> {
    fn drop(&mut self) {
        self.0.lock().stopped = true;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{ImageError, Labels};
    use crate::models::ChannelOrder;
    use std::collections::BTreeSet;
    use std::io;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::time::Duration;

    /// Images of one value, their index, of which some cannot be read and one panics.
    #[derive(Debug, Default)]
    struct Numbered {
        count: usize,
        bad: BTreeSet<usize>,
        panics: Option<usize>,
        /// Later images are read faster.
        slow: bool,
        begun: AtomicUsize,
        labels: Option<Labels>,
    }

    impl Dataset for Numbered {
        fn name(&self) -> &'static str {
            "numbered"
        }
        fn image_shape(&self) -> Option<[usize; 3]> {
            None
        }
        fn class_name(&self, _class: u32) -> Option<&str> {
            None
        }
        fn count(&self, _split: Split) -> usize {
            self.count
        }
        fn image(&self, _split: Split, index: usize) -> Result<Image, DataError> {
            self.begun.fetch_add(1, SeqCst);
            assert!(self.panics != Some(index), "image {index} panics");
            if self.slow {
                let left = (self.count - index) % 7;
                thread::sleep(Duration::from_micros(300 * left as u64));
            }
            if self.bad.contains(&index) {
                return Err(DataError::Image {
                    path: PathBuf::from(format!("{index}.jpg")),
                    fault: ImageError::Truncated,
                });
            }
            Ok(Image::from_fn([3, 2, 2 + index], |_, _, _| index as u8))
        }
        fn test_labels(&self) -> &Labels {
            self.labels.as_ref().unwrap()
        }
        fn fingerprint(&self) -> Result<String, DataError> {
            Ok(String::new())
        }
    }

    fn numbered(count: usize, bad: &[usize]) -> Numbered {
        Numbered {
            count,
            bad: bad.iter().copied().collect(),
            slow: true,
            ..Numbered::default()
        }
    }

    fn preprocess(threads: bool) -> Preprocess {
        let geometry = r#"{"resize":2,"crop":2,"interpolation":"bilinear"}"#;
        Preprocess {
            mean: vec![0.0; 3],
            std: vec![1.0; 3],
            channels: ChannelOrder::Rgb,
            geometry: threads.then(|| serde_json::from_str(geometry).unwrap()),
        }
    }

    fn read(dataset: &Numbered, threads: bool, strict: bool) -> Vec<Result<Batch, DataError>> {
        let reader = Reader {
            dataset,
            preprocess: &preprocess(threads),
            strict,
        };
        reader.test(dataset.count, 8, |batches| batches.collect())
    }

    #[test]
    fn images_come_in_order_with_threads_and_without() {
        let data = numbered(61, &[3, 17, 60]);
        for threads in [false, true] {
            let batches: Result<Vec<Batch>, _> = read(&data, threads, false).into_iter().collect();
            let batches = batches.unwrap();
            assert_eq!(batches.len(), 8);
            assert_eq!(batches[0].indices, [0, 1, 2, 4, 5, 6, 7]);
            let expected: Vec<usize> = (0..61).filter(|i| !data.bad.contains(i)).collect();
            let found = batches.iter().flat_map(|batch| {
                let values = batch.images.iter().map(|image| image.pixels()[0].into());
                values.collect::<Vec<usize>>()
            });
            assert_eq!(found.collect::<Vec<_>>(), expected);
            let sizes: Vec<[usize; 2]> = batches.iter().flat_map(|b| b.sizes.clone()).collect();
            let originals: Vec<[usize; 2]> = expected.iter().map(|i| [2, 2 + i]).collect();
            assert_eq!(sizes, originals);
            let skipped: Vec<&String> = batches.iter().flat_map(|b| &b.skipped).collect();
            let ends = "it ends before its end-of-image marker";
            let message = |index| format!("cannot read image `{index}.jpg`: {ends}");
            assert_eq!(skipped, [&message(3), &message(17), &message(60)]);
        }
    }

    #[test]
    fn strict_reading_fails_at_the_first_bad_image() {
        let data = numbered(61, &[17, 3]);
        for threads in [false, true] {
            let error = read(&data, threads, true).swap_remove(0).unwrap_err();
            assert!(error.to_string().contains("3.jpg"), "{error}");
        }
    }

    #[test]
    fn no_more_is_read_than_the_window_holds() {
        let data = numbered(200, &[]);
        let reader = Reader {
            dataset: &data,
            preprocess: &preprocess(true),
            strict: false,
        };
        reader.test(200, 8, |batches| {
            batches.next().unwrap().unwrap();
            thread::sleep(Duration::from_millis(100));
        });
        // Leaving early ends the threads.
        let threads = thread::available_parallelism().unwrap().get();
        let begun = data.begun.load(SeqCst);
        assert!((8..=8 + 16.max(threads)).contains(&begun), "{begun}");
    }

    #[test]
    #[should_panic(expected = "image 20 panics")]
    fn a_panic_of_a_thread_is_ours() {
        let mut data = numbered(61, &[]);
        data.panics = Some(20);
        read(&data, true, false);
    }

    fn calibration(data: &Numbered, wanted: usize, strict: bool) -> Result<Batch, DataError> {
        let reader = Reader {
            dataset: data,
            preprocess: &preprocess(true),
            strict,
        };
        reader.calibration(wanted, 5)
    }

    #[test]
    fn bad_calibration_images_are_replaced_by_the_next_of_the_draw() {
        let order = draw_calibration(50, 50, 5).unwrap();
        let good = calibration(&numbered(50, &[]), 10, false).unwrap();
        assert_eq!(good.indices, order[..10]);
        // The second one, the last one, and the first that takes a place.
        let data = numbered(50, &[order[1], order[9], order[10]]);
        let batch = calibration(&data, 10, false).unwrap();
        let expected = [&order[..1], &order[2..9], &order[11..13]].concat();
        assert_eq!(batch.indices, expected);
        assert_eq!(batch.skipped.len(), 3);
        let error = calibration(&data, 10, true).unwrap_err().to_string();
        assert!(error.contains(&format!("{}.jpg", order[1])), "{error}");
    }

    #[test]
    fn too_few_calibration_images_say_why() {
        let data = numbered(6, &[0, 1, 2]);
        for (wanted, message) in [
            (
                7,
                "there are 6 calibration images, expected at least 7: ask for fewer",
            ),
            (
                4,
                "3 of 6 calibration images cannot be read, expected at least 4 that can: cannot read image `",
            ),
        ] {
            let error = calibration(&data, wanted, false).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
        assert_eq!(calibration(&data, 3, false).unwrap().images.len(), 3);
    }

    #[test]
    fn other_errors_are_never_passed_over() {
        let mut batch = Batch::default();
        let error = DataError::Read {
            path: PathBuf::from("x"),
            source: io::Error::other("no"),
        };
        assert!(batch.push((0, Err(error)), false).is_err());
    }
}
