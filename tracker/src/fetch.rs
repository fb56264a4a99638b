//! Asking the processor for memory ahead of its use.
//!
//! It goes on with other work meanwhile. After a look at the memory itself it would go on for a few hundred instructions only,
//! and then stand still until the first of what it waits for has come.

use std::slice;

use prefetch_index::prefetch_index;

/// Bytes that it fetches at once.
const LINE_BYTES: usize = 64;

/// Asks for a list of small items: for the second level of the caches, because many lines are asked for at once. A processor
/// has room for about twenty that are on their way into the first level, and some (AMD's) pass over what goes beyond.
pub(crate) fn fetch<T>(list: &[T]) {
    let items_per_line = const {
        assert!(size_of::<T>() <= LINE_BYTES);
        LINE_BYTES / size_of::<T>()
    };
    for line in list.chunks(items_per_line) {
        fetch_far(&line[0]);
    }
    if let Some(last) = list.last() {
        fetch_far(last);
    }
}

#[cfg(target_arch = "x86_64")]
fn fetch_far<T>(item: &T) {
    safe_arch::prefetch_t1(item);
}

/// Elsewhere only the first level can be asked for without `unsafe`.
#[cfg(not(target_arch = "x86_64"))]
fn fetch_far<T>(item: &T) {
    prefetch_index(slice::from_ref(item), 0);
}

/// Asks for an item of at most two lines, or of exactly one where it is aligned to lines.
pub(crate) fn fetch_one<T>(item: &T) {
    let one = slice::from_ref(item);
    prefetch_index(one, 0);
    if const { align_of::<T>() < LINE_BYTES } {
        prefetch_index(one, 1);
    }
}
