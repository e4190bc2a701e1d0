//! Work on many small things, spread over the cores of this machine.

use std::num::NonZero;
use std::thread;

/// Fewer things than this are not worth a thread.
const LEAST: usize = 64;

/// What `work` makes of each slice of `items`, in their order. It is called once on each thread, so
/// that it can keep what the items of a slice have in common.
pub fn spread<T: Sync, R: Send>(items: &[T], work: impl Fn(&[T]) -> Vec<R> + Sync) -> Vec<R> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let each = items.len().div_ceil(cores).max(LEAST);
    let (first, rest) = items.split_at(each.min(items.len()));
    thread::scope(|scope| {
        let work = &work;
        let others: Vec<_> =
            rest.chunks(each).map(|chunk| (chunk, scope.spawn(move || work(chunk)))).collect();
        let mut results = work(first);
        for (chunk, thread) in others {
            // Only if it panicked, which here would do so again, and be seen.
            results.extend(thread.join().unwrap_or_else(|_| work(chunk)));
        }
        results
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        for count in [0, 1, 63, 64, 65, 1000] {
            let items: Vec<usize> = (0..count).collect();
            let doubled = spread(&items, |items| items.iter().map(|item| item * 2).collect());
            assert_eq!(doubled, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        }
    }
}
