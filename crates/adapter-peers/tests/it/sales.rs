//! What the public edge is told of the services behind it.

use crate::stage::{Peer, class, clock, patient, rejection};
use adapter_peers::SalesClient;
use contracts::error::{Code, WireError};
use contracts::payment::v1 as pay;
use ports::{CallContext, FaultClass};

/// A typed answer on what became of it at a peer of the peer is for the buyer: it may have been done. An outage of the peer
/// itself, and what went wrong inside of it, are not.
#[tokio::test]
async fn what_a_peer_says_of_its_own_peers_is_told() {
    let (peer, address) = Peer::serve().await;
    let client = SalesClient::new(&address, &address, patient(), clock()).unwrap();
    let cx = CallContext::default();
    let ask = pay::GetPaymentStatusRequest::default;
    for code in
        [Code::UpstreamTimeout, Code::UpstreamError, Code::ConcurrentModification, Code::InvalidArgument]
    {
        peer.get_payment.status(WireError::new(code, "the inventory did not answer in time").into());
        let told = rejection(client.get_payment_status(&cx, ask()).await);
        assert_eq!((told.code, told.message.as_ref()), (code, "the inventory did not answer in time"));
    }
    for (code, expected) in [
        (Code::Unavailable, FaultClass::Unavailable),
        (Code::Internal, FaultClass::Transient),
        (Code::RateLimited, FaultClass::Transient),
    ] {
        peer.get_payment.status(WireError::new(code, "not now").into());
        assert_eq!(class(client.get_payment_status(&cx, ask()).await), expected, "{code:?}");
    }
    peer.get_payment.status(tonic::Status::aborted("without details"));
    assert_eq!(class(client.get_payment_status(&cx, ask()).await), FaultClass::Transient);
}
