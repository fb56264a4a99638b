//! Asking the processor for memory ahead of its use.
//!
//! It goes on with other work meanwhile. After a look at the memory itself it would go on for a few hundred instructions only,
//! and then stand still until the first of what it waits for has come.

use std::slice;

use prefetch_index::prefetch_index;

/// Bytes that it fetches at once.
const LINE_BYTES: usize = 64;

/// Asks for a list of small items.
pub(crate) fn fetch<T>(list: &[T]) {
    let items_per_line = const {
        assert!(size_of::<T>() <= LINE_BYTES);
        LINE_BYTES / size_of::<T>()
    };
    let Some(end) = list.len().checked_sub(1) else { return };
    let mut at = 0;
    while at < end {
        prefetch_index(list, at);
        at += items_per_line;
    }
    prefetch_index(list, end);
}

/// Asks for an item of at most two lines, or of exactly one where it is aligned to lines.
pub(crate) fn fetch_one<T>(item: &T) {
    let one = slice::from_ref(item);
    prefetch_index(one, 0);
    if const { align_of::<T>() < LINE_BYTES } {
        prefetch_index(one, 1);
    }
}
