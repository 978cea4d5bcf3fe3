//! The thread that writes lines, behind a bounded queue.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};

/// Lines that wait to be written before new ones are dropped: some 20 MB at most.
pub const LINES_QUEUED_MAX: usize = 65_536;

/// How long the end of a process waits for its last lines.
const FLUSH_TIME_MAX: Duration = Duration::from_secs(2);

/// How long the thread rests after it wrote everything, before it waits for the next line.
/// While it rests nobody has to wake it, which would cost whoever logs more than the line
/// does.
const REST: Duration = Duration::from_millis(2);

/// Bytes handed to the sink at a time while lines are waiting.
const CHUNK_BYTES: usize = 64 * 1024;

enum Message {
    Line(String),
    /// Write everything before this, then say so.
    Flush(SyncSender<()>),
}

/// The queue's end for those who log.
pub(super) struct LineQueue {
    queue: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

/// Writes what is still queued when it is dropped, waiting at most 2 s for a reader that
/// hangs.
pub struct Flush {
    queue: SyncSender<Message>,
}

pub(super) fn start(sink: Box<dyn Write + Send>) -> io::Result<(LineQueue, Flush)> {
    start_with(sink, LINES_QUEUED_MAX)
}

#[allow(clippy::disallowed_methods, reason = "a pipe that hangs must hang a thread that nothing else needs")]
fn start_with(sink: Box<dyn Write + Send>, queued_max: usize) -> io::Result<(LineQueue, Flush)> {
    let (queue, lines) = sync_channel(queued_max);
    let dropped = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&dropped);
    std::thread::Builder::new().name("log".to_owned()).spawn(move || write_all(&lines, sink, &counted))?;
    Ok((LineQueue { queue: queue.clone(), dropped }, Flush { queue }))
}

impl LineQueue {
    pub(super) fn push(&self, line: String) {
        if self.queue.try_send(Message::Line(line)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        let (done, wait) = sync_channel(1);
        let mut message = Message::Flush(done);
        // A full queue makes room within the time or not at all; then its lines are lost with the
        // process.
        for _ in 0..FLUSH_TIME_MAX.as_millis() {
            match self.queue.try_send(message) {
                Ok(()) => {
                    let _ = wait.recv_timeout(FLUSH_TIME_MAX);
                    return;
                }
                Err(TrySendError::Full(back)) => message = back,
                Err(TrySendError::Disconnected(_)) => return,
            }
            #[allow(clippy::disallowed_methods, reason = "the end of a process, outside of any runtime")]
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn write_all(lines: &Receiver<Message>, mut sink: Box<dyn Write + Send>, dropped: &AtomicU64) {
    let mut chunk = Vec::with_capacity(CHUNK_BYTES);
    loop {
        let message = match lines.try_recv() {
            Ok(message) => Some(message),
            Err(_) => {
                // Nothing waits: the buffered lines go out before this thread sleeps.
                if !chunk.is_empty() {
                    write(&mut *sink, &mut chunk);
                    rest();
                }
                match lines.recv_timeout(Duration::from_secs(3_600)) {
                    Ok(message) => Some(message),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        };
        tell_dropped(&mut chunk, dropped);
        match message {
            Some(Message::Line(line)) => chunk.extend_from_slice(line.as_bytes()),
            Some(Message::Flush(done)) => {
                write(&mut *sink, &mut chunk);
                let _ = done.try_send(());
            }
            None => {}
        }
        if chunk.len() >= CHUNK_BYTES {
            write(&mut *sink, &mut chunk);
        }
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "the log's own thread, outside of any runtime; it waits for nothing"
)]
fn rest() {
    // Not for a condition but to gather: lines that come meanwhile find no thread that they
    // would have to wake.
    std::thread::sleep(REST);
}

fn write(sink: &mut dyn Write, chunk: &mut Vec<u8>) {
    // Nobody reads a closed pipe; the process continues without a log.
    let _ = sink.write_all(chunk).and_then(|()| sink.flush());
    chunk.clear();
}

fn tell_dropped(chunk: &mut Vec<u8>, dropped: &AtomicU64) {
    let count = dropped.swap(0, Ordering::Relaxed);
    if count > 0 {
        let line = format!("{{\"level\":\"warn\",\"msg\":\"log lines were dropped\",\"count\":{count}}}\n");
        chunk.extend_from_slice(line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// A sink whose first write waits until it is let go.
    struct Gate {
        open: Receiver<()>,
        text: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.open.recv();
            self.text.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_hangs_costs_lines_and_never_time() {
        let (open, gate) = sync_channel(0);
        let text = Arc::new(Mutex::new(Vec::new()));
        let sink = Gate { open: gate, text: Arc::clone(&text) };
        let (lines, flush) = start_with(Box::new(sink), 4).unwrap();
        // The thread holds at most one chunk; ten thousand lines fit neither there nor in the
        // queue.
        for number in 0..10_000 {
            lines.push(format!("{number} {}\n", "x".repeat(100)));
        }
        drop(open);
        drop(flush);
        let text = || String::from_utf8(text.lock().unwrap().clone()).unwrap();
        assert!(text().contains("log lines were dropped"), "{}", text());
    }
}
