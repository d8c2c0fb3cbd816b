//! Panics of cases: kept for the report of the case instead of printed across the progress bars.

use std::cell::RefCell;
use std::panic;
use std::sync::{Arc, Mutex, Once, PoisonError};

/// Where the threads of one case leave what they say when they panic.
#[derive(Debug, Clone, Default)]
pub(super) struct Panics(Arc<Mutex<Option<String>>>);

thread_local! {
    static HEARD_BY: RefCell<Option<Panics>> = const { RefCell::new(None) };
}

impl Panics {
    /// Makes the calling thread, which must be the case's own, leave its panics here.
    pub(super) fn hear_this_thread(&self) {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                match HEARD_BY.with_borrow(Clone::clone) {
                    Some(panics) => panics.keep(info.to_string()),
                    None => before(info),
                }
            }));
        });
        HEARD_BY.set(Some(self.clone()));
    }

    /// Returns the first panic, with its place in the source.
    pub(super) fn first(&self) -> String {
        let first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        first.clone().unwrap_or_else(|| "no message".to_owned())
    }

    fn keep(&self, text: String) {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(text);
    }
}
