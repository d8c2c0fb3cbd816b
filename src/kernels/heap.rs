//! The program's allocator.

use libmimalloc_sys::{mi_option_set_default, mi_option_t};

/// Activations are large, short-lived and made anew at every step: the system's allocator would return each one to the
/// system, and half the time of a light kernel would go into page faults.
#[cfg(not(feature = "fuzzing"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc's header, of which its bindings know the number alone.
const PURGE_DELAY: mi_option_t = 15;

/// How many milliseconds the allocator holds freed memory back.
const HELD_BACK: i64 = 100;

/// Makes the allocator hold freed memory back for a tenth of a second, unless `MIMALLOC_PURGE_DELAY` says otherwise.
///
/// In the second that mimalloc takes by itself, what one step of a large network frees adds up to a third of what is
/// alive; the next step takes its memory again long before either has passed.
#[expect(unsafe_code, reason = "the bindings of an allocator written in C")]
pub fn hold_back_briefly() {
    // SAFETY: it writes an option of the allocator's, which any thread may do at any time; numbers of options that it
    // does not know, it ignores.
    unsafe { mi_option_set_default(PURGE_DELAY, HELD_BACK as _) };
}
