//! Runs futures at the same time on one task, so that a case needs no spawn and runs in a simulator
//! too.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::Poll;

/// Runs all to their end; the results are in the order of the futures.
pub(crate) async fn together<'a, T>(futures: Vec<Pin<Box<dyn Future<Output = T> + Send + 'a>>>) -> Vec<T> {
    let mut running: Vec<_> = futures.into_iter().map(|future| (Some(future), None)).collect();
    poll_fn(move |cx| {
        let mut all_done = true;
        for (future, result) in &mut running {
            if let Some(pending) = future {
                match pending.as_mut().poll(cx) {
                    Poll::Ready(value) => {
                        *result = Some(value);
                        *future = None;
                    }
                    Poll::Pending => all_done = false,
                }
            }
        }
        if !all_done {
            return Poll::Pending;
        }
        Poll::Ready(running.iter_mut().filter_map(|(_, result)| result.take()).collect())
    })
    .await
}
