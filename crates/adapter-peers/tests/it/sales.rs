//! What the public edge learns from the services behind it.

use crate::servers::{Peer, class, clock, patient, rejection};
use adapter_peers::SalesClient;
use contracts::backends::Sales;
use contracts::error::{Code, WireError};
use contracts::payment::v1 as pay;
use ports::{CallContext, FaultClass};

/// A typed answer about the outcome at a peer of the peer is for the buyer: the request may have
/// been carried out. An outage of the peer itself, or a failure inside of it, is not.
#[tokio::test]
async fn a_peers_answer_about_its_own_peers_reaches_the_buyer() {
    let (peer, address) = Peer::serve().await;
    let client = SalesClient::new(&address, &address, patient(), clock()).unwrap();
    let cx = CallContext::default();
    let ask = pay::GetPaymentStatusRequest::default;
    for code in
        [Code::UpstreamTimeout, Code::UpstreamError, Code::ConcurrentModification, Code::InvalidArgument]
    {
        peer.get_payment.status(WireError::new(code, "the inventory did not answer in time").into());
        let error = rejection(client.get_payment_status(&cx, ask()).await);
        assert_eq!((error.code, error.message.as_ref()), (code, "the inventory did not answer in time"));
    }
    for (code, expected) in [
        (Code::Unavailable, FaultClass::NotReached),
        (Code::Internal, FaultClass::Transient),
        (Code::RateLimited, FaultClass::NotReached),
    ] {
        peer.get_payment.status(WireError::new(code, "not now").into());
        assert_eq!(class(client.get_payment_status(&cx, ask()).await), expected, "{code:?}");
    }
    // Case P13: a provider that knows only ProcessPayment.
    peer.simulate.status(tonic::Status::unimplemented("unknown method"));
    let older = client.simulate_webhook(&cx, pay::SimulateWebhookRequest::default()).await;
    assert_eq!(class(older), FaultClass::Unsupported);
    peer.process.message(pay::ProcessPaymentResponse::default());
    client.process_payment(&cx, pay::ProcessPaymentRequest::default()).await.unwrap();
    peer.get_payment.status(tonic::Status::aborted("without details"));
    assert_eq!(class(client.get_payment_status(&cx, ask()).await), FaultClass::Transient);
}
