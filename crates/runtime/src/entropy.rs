//! The operating system's randomness as a port.
//!
//! Numbers come from the kernel, 4 KiB at a time and one buffer a thread: ids and trace ids
//! must not be guessable, and a system call each would cost more than the rest of a call's
//! bookkeeping. A buffered number is handed out once.

use ports::Entropy;
use std::cell::RefCell;

const BUFFER_BYTES: usize = 4096;

/// The kernel's random numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl SystemEntropy {
    /// The kernel's random numbers.
    pub fn new() -> Self {
        Self
    }
}

struct Buffer {
    bytes: [u8; BUFFER_BYTES],
    used: usize,
}

thread_local! {
    static BUFFER: RefCell<Buffer> = const { RefCell::new(Buffer { bytes: [0; BUFFER_BYTES], used: BUFFER_BYTES }) };
}

impl Entropy for SystemEntropy {
    fn next_u64(&self) -> u64 {
        BUFFER.with_borrow_mut(|buffer| {
            if buffer.used == BUFFER_BYTES {
                // Linux fails here only before the kernel's pool was first seeded, and then it
                // blocks instead; a process that cannot draw ids must not continue with guessable
                // ones.
                getrandom::fill(&mut buffer.bytes).expect("the kernel gives random bytes once it is seeded");
                buffer.used = 0;
            }
            let end = buffer.used + size_of::<u64>();
            let taken = &mut buffer.bytes[buffer.used..end];
            let number = u64::from_le_bytes(taken.try_into().expect("the slice is 8 bytes long"));
            taken.fill(0);
            buffer.used = end;
            number
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn numbers_do_not_repeat_across_refills_and_threads() {
        let draw = || (0..2_000).map(|_| SystemEntropy.next_u64()).collect::<Vec<_>>();
        let mut seen: BTreeSet<u64> = draw().into_iter().collect();
        #[allow(clippy::disallowed_methods, reason = "buffers are per thread: two threads must differ")]
        let other = std::thread::spawn(draw).join().unwrap();
        seen.extend(other);
        assert_eq!(seen.len(), 4_000);
    }
}
