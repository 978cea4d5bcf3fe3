//! Responses that carry a refusal while the gRPC status is OK.
//!
//! Callers of every generation look into `error` of the response; only malformed input and outages
//! are gRPC statuses.

use crate::common::v1::Error;
use crate::{gateway, payment, reservation};

/// A response message with the field `error`.
pub trait CarriesError: Default {
    /// The response that says no.
    fn refused(error: Error) -> Self;
}

macro_rules! carries_error {
    ($($package:ident: $($response:ident $({ $field:ident: $value:expr })?),+ $(,)?;)+) => {
        $($(impl CarriesError for $package::v1::$response {
            fn refused(error: Error) -> Self {
                Self { error: Some(error), $($field: $value.into(),)? ..Default::default() }
            }
        })+)+
    };
}

carries_error! {
    reservation:
        ReserveSeatResponse,
        CommitReservationResponse { status: reservation::v1::CommitStatus::FailedConflict },
        ReleaseHoldResponse { status: reservation::v1::ReleaseStatus::Failed },
        RefusePaymentResponse,
        CheckAvailabilityResponse,
        GetInventoryStatusResponse,
        CreateReservationResponse,
        GetReservationResponse,
        ConfirmReservationResponse,
        CancelReservationResponse,
        ListReservationsResponse,
        ExtendHoldResponse,
        ProcessReservationExpiryResponse { status: reservation::v1::ProcessingStatus::Failed },
        ProcessPaymentResultResponse { status: reservation::v1::ProcessingStatus::Failed },
        ProcessCompensationResponse { status: reservation::v1::ProcessingStatus::Failed },
        GetJobStatusResponse;
    payment:
        CreatePaymentIntentResponse,
        ProcessPaymentResponse,
        GetPaymentStatusResponse,
        CancelPaymentResponse,
        ListPaymentsResponse,
        SimulateWebhookResponse;
    gateway:
        JoinQueueResponse { status: gateway::v1::QueueStatus::Error },
        GetQueueStatusResponse { status: gateway::v1::QueueStatus::Error },
        RequestAdmissionResponse { admission: gateway::v1::AdmissionStatus::Denied },
        LeaveQueueResponse,
        GetQueueStatsResponse;
}
