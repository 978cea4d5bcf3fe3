//! The OpenAPI document of an HTTP port, made from its handlers.
//!
//! The pattern of an edge, so that a route cannot exist without its description:
//!
//! 1. The bodies in `contracts::rest` derive `utoipa::ToSchema`; their doc comments become the
//!    descriptions. A body that is not public gets the derive where it is defined.
//! 2. Each handler has `#[utoipa::path(get, path = "/…", tag = "…", responses((status = 200, body =
//!    …)))]`. Its doc comment becomes summary and description. Errors need no entry: [`document`]
//!    adds the one error shape as the default response.
//! 3. `fn routes() -> OpenApiRouter<Service>` lists `.routes(routes!(handler))`, one call for each
//!    path; handlers of several methods of one path stand in one `routes!`. It takes no service, so
//!    the document needs no running process.
//! 4. `pub fn openapi() -> OpenApi` is [`document`] over `routes().into_openapi()`.
//! 5. The router is `routes().split_for_parts().0` with its layers and state, merged with
//!    [`openapi_route`] and `base_routes`.

use axum::Router;
use axum::routing::get;
use contracts::error::ErrorBody;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::Components;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Info, OpenApi, PathItem, Ref, ResponseBuilder};
use utoipa::{PartialSchema, ToSchema};

/// The name of the security scheme of the header `X-Internal-Token`, for
/// `security(("internal_token" = []))`.
pub const INTERNAL_TOKEN: &str = "internal_token";

/// Completes the description of a port's routes: title, the error shape as the default response of
/// every operation, and the scheme of the internal token.
pub fn document(title: &str, description: &str, mut api: OpenApi) -> OpenApi {
    api.info = Info::new(title, env!("CARGO_PKG_VERSION"));
    api.info.description = Some(description.to_owned());
    let components = api.components.get_or_insert_with(Components::new);
    let mut schemas = vec![(ErrorBody::name().into_owned(), ErrorBody::schema())];
    ErrorBody::schemas(&mut schemas);
    components.schemas.extend(schemas);
    let key = ApiKey::Header(ApiKeyValue::new("X-Internal-Token"));
    components.add_security_scheme(INTERNAL_TOKEN, SecurityScheme::ApiKey(key));
    for operation in api.paths.paths.values_mut().flat_map(operations) {
        let body = ContentBuilder::new().schema(Some(Ref::from_schema_name(ErrorBody::name()))).build();
        let refused = ResponseBuilder::new()
            .description("Refused; `code` says why.")
            .content("application/json", body)
            .build();
        operation.responses.responses.entry("default".to_owned()).or_insert_with(|| refused.into());
    }
    api
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete].into_iter().flatten()
}

/// `GET /openapi.json`: the document, serialised once.
pub fn openapi_route<S: Clone + Send + Sync + 'static>(api: &OpenApi) -> Router<S> {
    let text = api.to_json().expect("a document has text keys and no failing Serialize");
    let body = bytes::Bytes::from(text);
    let answer = async move || ([(http::header::CONTENT_TYPE, "application/json")], body.clone());
    Router::new().route("/openapi.json", get(answer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use utoipa::openapi::path::{HttpMethod, OperationBuilder, Paths};

    #[test]
    fn every_operation_can_answer_the_one_error_shape() {
        let mut paths = Paths::new();
        paths.add_path_operation("/x", vec![HttpMethod::Get], OperationBuilder::new().build());
        let api = document("test-api", "A test.", OpenApi::new(Info::new("", ""), paths));
        let json = serde_json::to_value(&api).unwrap();
        let refused = &json["paths"]["/x"]["get"]["responses"]["default"]["content"]["application/json"];
        assert_eq!(refused["schema"]["$ref"], "#/components/schemas/ErrorBody");
        let schemas = json["components"]["schemas"].as_object().unwrap();
        let names: Vec<_> = schemas.keys().map(String::as_str).collect();
        assert_eq!(names, ["Detail", "ErrorBody", "ErrorBodyInner"]);
        assert_eq!(json["info"]["title"], "test-api");
    }
}
