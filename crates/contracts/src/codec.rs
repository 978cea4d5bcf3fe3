//! How gRPC messages are framed: as tonic does it, with buffers of the size of ours.

use core::marker::PhantomData;
use prost::Message;
use tonic::codec::{BufferSettings, Codec};
use tonic_prost::ProstCodec;

/// Bytes that a message is given room for at first. tonic's own are 8 KiB, in each direction of each call.
const AT_FIRST: usize = 512;
/// tonic's own: so many bytes of a stream are sent in one piece.
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
