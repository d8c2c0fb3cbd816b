//! Panics that are kept for whoever reports them, instead of printed across the progress bars.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::{Arc, Mutex, Once, PoisonError};

/// Where threads leave what they say when they panic.
#[derive(Debug, Clone, Default)]
pub(crate) struct Panics(Arc<Mutex<Option<String>>>);

thread_local! {
    static HEARD_BY: RefCell<Option<Panics>> = const { RefCell::new(None) };
}

impl Panics {
    /// Makes the calling thread leave its panics here.
    pub(crate) fn hear_this_thread(&self) {
        install();
        HEARD_BY.set(Some(self.clone()));
    }

    /// Returns what the first panic says, and its place in the source.
    pub(crate) fn first(&self) -> String {
        let first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        first.clone().unwrap_or_else(|| "no message".to_owned())
    }

    fn keep(&self, text: String) {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(text);
    }
}

/// Runs `work` on this thread and returns its result, or what its panic says and where it was.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    install();
    let panics = Panics::default();
    let before = HEARD_BY.replace(Some(panics.clone()));
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    HEARD_BY.set(before);
    result.map_err(|_| panics.first())
}

/// Sees to it that panics of threads that are heard are not printed.
fn install() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            match HEARD_BY.with_borrow(Clone::clone) {
                Some(panics) => panics.keep(told(info)),
                None => before(info),
            }
        }));
    });
}

fn told(info: &PanicHookInfo) -> String {
    let message = message(info.payload());
    match info.location() {
        Some(place) => format!("{message} ({}:{})", shortened(place.file()), place.line()),
        None => message.to_owned(),
    }
}

/// Returns a file of a dependency without the folders of whoever built the program: it gets into records.
fn shortened(file: &str) -> &str {
    let registry = file.split_once("/registry/src/");
    let package = registry.and_then(|(_, rest)| rest.split_once('/'));
    package.map_or(file, |(_, rest)| rest)
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_are_caught_with_their_message_and_their_place() {
        assert_eq!(caught(|| 3), Ok(3));
        let number = 7;
        for (told, message) in [
            (caught(|| panic!("plain")), "plain ("),
            (caught(|| panic!("number {number}")), "number 7 ("),
            (
                caught(|| panic::panic_any(number)),
                "a panic without a message (",
            ),
        ] {
            let told = told.unwrap_err();
            assert!(told.starts_with(message), "{told}");
            assert!(told.contains("panics.rs:"), "{told}");
        }
    }

    #[test]
    fn files_of_dependencies_begin_with_the_name_of_the_package() {
        let file =
            "/home/me/.cargo/registry/src/index.crates.io-6f17d22bba15001f/png-0.18.1/src/lib.rs";
        assert_eq!(shortened(file), "png-0.18.1/src/lib.rs");
        assert_eq!(shortened("src/lib.rs"), "src/lib.rs");
    }

    #[test]
    fn who_heard_a_thread_before_hears_it_again() {
        let panics = Panics::default();
        let heard = panics.clone();
        let thread = std::thread::spawn(move || {
            heard.hear_this_thread();
            caught(|| panic!("within")).unwrap_err();
            panic!("after");
        });
        thread.join().unwrap_err();
        assert!(panics.first().starts_with("after"));
    }
}
