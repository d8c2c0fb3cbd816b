//! Values made once and shared.

use crate::progress::Progress;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Values by key, each made by the first who asks while others who ask for the same wait. A failure is not kept.
#[derive(Debug)]
pub(crate) struct Shared<K, V> {
    slots: Mutex<HashMap<K, Arc<Mutex<Option<V>>>>>,
}

impl<K, V> Default for Shared<K, V> {
    fn default() -> Self {
        Self {
            slots: Mutex::default(),
        }
    }
}

impl<K: Eq + Hash, V: Clone> Shared<K, V> {
    /// Returns the value of `key`, made by `make` if there is none.
    pub(crate) fn get<E>(&self, key: K, make: impl FnOnce() -> Result<V, E>) -> Result<V, E> {
        self.get_watched(key, &(), make)
    }

    /// As [`Self::get`]; `progress` hears how long another's making was waited for.
    pub(crate) fn get_watched<E>(
        &self,
        key: K,
        progress: &dyn Progress,
        make: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, E> {
        // A case that panicked while it made a value left an empty slot, which is as good as new.
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.entry(key).or_default().clone()
        };
        let start = Instant::now();
        let mut value = slot.lock().unwrap_or_else(PoisonError::into_inner);
        progress.waited(start.elapsed());
        match &*value {
            Some(value) => Ok(value.clone()),
            None => Ok(value.insert(make()?).clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    #[test]
    fn a_value_is_made_once_whoever_asks() {
        let shared: Shared<&str, usize> = Shared::default();
        let made = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let count = || Ok::<_, ()>(made.fetch_add(1, Ordering::SeqCst));
                    assert_eq!(shared.get("a", count), Ok(0));
                });
            }
        });
        assert_eq!(made.into_inner(), 1);
    }

    #[test]
    fn who_waits_is_told_how_long_and_who_makes_is_not() {
        #[derive(Default)]
        struct Waiting(Mutex<Duration>);
        impl Progress for Waiting {
            fn waited(&self, time: Duration) {
                *self.0.lock().unwrap() += time;
            }
        }
        let making = Duration::from_millis(400);
        let shared: Shared<&str, usize> = Shared::default();
        let (maker, waiter) = (Waiting::default(), Waiting::default());
        let (started, start) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let make = || {
                    started.send(()).unwrap();
                    std::thread::sleep(making);
                    Ok::<_, ()>(1)
                };
                shared.get_watched("a", &maker, make).unwrap();
            });
            start.recv().unwrap();
            let made = shared.get_watched("a", &waiter, || Err(()));
            assert_eq!(made, Ok(1));
        });
        assert!(maker.0.into_inner().unwrap() < making);
        assert!(waiter.0.into_inner().unwrap() > making / 4);
    }

    #[test]
    fn a_failure_is_not_kept() {
        let shared: Shared<&str, usize> = Shared::default();
        assert_eq!(shared.get("a", || Err("no")), Err("no"));
        assert_eq!(shared.get("a", || Ok::<_, &str>(1)), Ok(1));
    }
}
