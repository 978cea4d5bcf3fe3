//! The services of one server and the way from a call's path to its service: a look-up and
//! a call, with nothing boxed on the way in. A router for arbitrary paths would do the same
//! work twice, since tonic's services match their methods.

use super::body::Bounded;
use http::{Extensions, HeaderMap, Request, Response};
use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;

/// A handler on its way to the head of its response.
pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// Refuses a call by its head and its connection ([`crate::PeerAddress`]), before anything
/// of it is read.
pub type Gate = Arc<dyn Fn(&HeaderMap, &Extensions) -> Result<(), Status> + Send + Sync>;

/// The services of one server, as tonic generates them.
#[derive(Clone, Default)]
pub struct Services {
    by_name: HashMap<&'static str, Arc<dyn Serve>>,
    gate: Option<Gate>,
}

impl Services {
    /// With one more service, under the name that its .proto file gives it.
    #[must_use]
    pub fn with<S>(mut self, service: S) -> Self
    where
        S: NamedService + Service<Request<Bounded>, Response = Response<Body>, Error = Infallible>,
        S: Service<Request<Bounded>, Future = Answer> + Clone + Send + Sync + 'static,
    {
        self.by_name.insert(S::NAME, Arc::new(service));
        self
    }

    /// Behind a gate, reflection too. Only with a gate do requests carry the peer's
    /// address.
    #[must_use]
    pub fn behind(mut self, gate: Gate) -> Self {
        self.gate = Some(gate);
        self
    }

    pub(crate) fn gate(&self) -> Option<&Gate> {
        self.gate.as_ref()
    }

    /// The full names of the services, in no order.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.by_name.keys().copied().collect()
    }

    /// Calls the service that the path names, `/package.Service/Method`.
    pub(crate) fn call(&self, request: Request<Bounded>) -> Answer {
        let path = request.uri().path();
        let name = path.strip_prefix('/').and_then(|path| path.split_once('/')).map(|(name, _)| name);
        match name.and_then(|name| self.by_name.get(name)) {
            Some(service) => service.serve(request),
            None => refusal(Status::unimplemented("this server has no such service")),
        }
    }
}

/// The answer that a call has without any service.
pub(crate) fn refusal(status: Status) -> Answer {
    Box::pin(core::future::ready(Ok(status.into_http())))
}

/// A generated service without its type.
trait Serve: Send + Sync {
    fn serve(&self, request: Request<Bounded>) -> Answer;
}

impl<S> Serve for S
where
    S: Service<Request<Bounded>, Response = Response<Body>, Error = Infallible, Future = Answer>,
    S: Clone + Send + Sync,
{
    fn serve(&self, request: Request<Bounded>) -> Answer {
        // Generated services are always ready, and cloning one is a reference count.
        self.clone().call(request)
    }
}
