//! Frames gRPC messages as tonic does, with buffers sized for our messages.

use core::marker::PhantomData;
use prost::Message;
use tonic::codec::{BufferSettings, Codec};
use tonic_prost::ProstCodec;

/// First size of a message's buffer in bytes. tonic's default is 8 KiB, in each direction of each
/// call.
const AT_FIRST: usize = 512;
/// tonic's default: a stream is sent in pieces of this many bytes.
const TOGETHER: usize = 32 * 1024;

/// Protocol Buffers for messages of a few hundred bytes; larger ones grow their buffer.
#[derive(Debug, Clone)]
pub struct SmallMessages<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for SmallMessages<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: Message + Send + 'static, U: Message + Default + Send + 'static> Codec for SmallMessages<T, U> {
    type Encode = T;
    type Decode = U;
    type Encoder = <ProstCodec<T, U> as Codec>::Encoder;
    type Decoder = <ProstCodec<T, U> as Codec>::Decoder;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::new(AT_FIRST, TOGETHER))
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<T, U>::raw_decoder(BufferSettings::new(AT_FIRST, TOGETHER))
    }
}
