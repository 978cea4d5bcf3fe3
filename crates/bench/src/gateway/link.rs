//! A connection to a gateway, which never blocks.

use super::wire::{Answer, Operation, answer};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// An answer is shorter than this by far; the rest is room for those of a pipeline.
const READ_BYTES: usize = 32 * 1024;
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// A request that is under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) operation: Operation,
    /// The person of the request; a join has none yet.
    pub(super) who: Option<super::people::Who>,
    /// Whether it was known that it would be refused.
    pub(super) early: bool,
    /// When it was to be sent, in nanoseconds.
    pub(super) due: u64,
    /// When it was.
    pub(super) at: u64,
}

/// What became of a request.
pub(super) enum Ended<'a> {
    Answered(Sent, Answer<'a>),
    /// Nobody knows; the connection is gone.
    Lost(Sent, &'static str),
}

/// A connection, or the place of one.
pub(super) struct Link {
    to: SocketAddr,
    stream: TcpStream,
    pub(super) sent: VecDeque<Sent>,
    /// The beginning of an answer whose end has not come.
    partial: Vec<u8>,
}

impl Link {
    pub(super) fn open(to: SocketAddr) -> std::io::Result<Self> {
        Ok(Self { to, stream: connect(to)?, sent: VecDeque::new(), partial: Vec::new() })
    }

    /// Another connection in place of this one.
    pub(super) fn reopen(&mut self) -> std::io::Result<()> {
        self.partial.clear();
        self.stream = connect(self.to)?;
        Ok(())
    }

    /// Sends a request; `false`: the connection does not take it.
    pub(super) fn send(&mut self, bytes: &[u8], sent: Sent) -> bool {
        // A request is far smaller than the buffer of a socket that waits for at most a few
        // answers.
        let taken = matches!(self.stream.write(bytes), Ok(written) if written == bytes.len());
        self.sent.push_back(sent);
        taken
    }

    /// Reads the arrived answers and reports the result of each request. `false`: the connection is
    /// of no further use.
    pub(super) fn receive(&mut self, buffer: &mut Vec<u8>, mut ended: impl FnMut(Ended<'_>)) -> bool {
        buffer.resize(READ_BYTES, 0);
        let kept = self.partial.len();
        buffer[..kept].copy_from_slice(&self.partial);
        self.partial.clear();
        let why = match self.stream.read(&mut buffer[kept..]) {
            Ok(0) => Some("closed"),
            Ok(read) => match self.answers(&buffer[..kept + read], &mut ended) {
                Ok(()) => return true,
                Err(why) => why,
            },
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                self.partial.extend_from_slice(&buffer[..kept]);
                return true;
            }
            Err(_) => Some("reset"),
        };
        self.lost(why.unwrap_or("closed"), ended);
        false
    }

    /// Nothing that is under way will be answered.
    pub(super) fn lost(&mut self, why: &'static str, mut ended: impl FnMut(Ended<'_>)) {
        self.sent.drain(..).for_each(|sent| ended(Ended::Lost(sent, why)));
    }

    /// An error with a reason, or without one if the other side just closes after its answer.
    fn answers(
        &mut self,
        mut input: &[u8],
        ended: &mut impl FnMut(Ended<'_>),
    ) -> Result<(), Option<&'static str>> {
        while !input.is_empty() {
            let Some(answer) = answer(input).map_err(Some)? else { break };
            let (bytes, close) = (answer.bytes, answer.close);
            let sent = self.sent.pop_front().ok_or(Some("an answer that nobody asked for"))?;
            ended(Ended::Answered(sent, answer));
            input = &input[bytes..];
            if close {
                return Err(None);
            }
        }
        if input.len() >= READ_BYTES / 2 {
            return Err(Some("an answer that is too long"));
        }
        self.partial.extend_from_slice(input);
        Ok(())
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

fn connect(to: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, CONNECT_WITHIN)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}
