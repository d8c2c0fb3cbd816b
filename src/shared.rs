//! Values made once and shared.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

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
        // A case that panicked while it made a value left an empty slot, which is as good as new.
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.entry(key).or_default().clone()
        };
        let mut value = slot.lock().unwrap_or_else(PoisonError::into_inner);
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
    fn a_failure_is_not_kept() {
        let shared: Shared<&str, usize> = Shared::default();
        assert_eq!(shared.get("a", || Err("no")), Err("no"));
        assert_eq!(shared.get("a", || Ok::<_, &str>(1)), Ok(1));
    }
}
