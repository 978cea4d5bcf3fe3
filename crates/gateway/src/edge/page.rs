//! The pages: the sale at `/`, the API's description at `/docs`. They are compiled into the program
//! and load nothing from another host.

use crate::cached_body::CachedBody;
use axum::Router;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use axum::routing::get;
use std::sync::Arc;

/// A page loads from this host only, and runs no inline script and no inline style.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

struct File {
    path: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

macro_rules! files {
    ($($path:literal $kind:ident $file:literal),+ $(,)?) => {
        &[$(File { path: $path, kind: $kind, bytes: include_bytes!(concat!("../../../../", $file)) }),+]
    };
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

const FILES: &[File] = files![
    "/" HTML "web/index.html",
    "/assets/alarm.js" JS "web/assets/alarm.js",
    "/assets/announce.js" JS "web/assets/announce.js",
    "/assets/api.js" JS "web/assets/api.js",
    "/assets/app.js" JS "web/assets/app.js",
    "/assets/clock.js" JS "web/assets/clock.js",
    "/assets/dom.js" JS "web/assets/dom.js",
    "/assets/i18n.js" JS "web/assets/i18n.js",
    "/assets/icon.svg" SVG "web/assets/icon.svg",
    "/assets/memory.js" JS "web/assets/memory.js",
    "/assets/places.js" JS "web/assets/places.js",
    "/assets/reservation.js" JS "web/assets/reservation.js",
    "/assets/retry.js" JS "web/assets/retry.js",
    "/assets/screen.js" JS "web/assets/screen.js",
    "/assets/seatmap.js" JS "web/assets/seatmap.js",
    "/assets/seats.js" JS "web/assets/seats.js",
    "/assets/session.js" JS "web/assets/session.js",
    "/assets/show.js" JS "web/assets/show.js",
    "/assets/shows.js" JS "web/assets/shows.js",
    "/assets/signin.js" JS "web/assets/signin.js",
    "/assets/style.css" CSS "web/assets/style.css",
    "/assets/waiting.js" JS "web/assets/waiting.js",
    "/docs" HTML "web/docs/index.html",
    "/docs/docs.css" CSS "web/docs/docs.css",
    "/docs/docs.js" JS "web/docs/docs.js",
];

/// The routes of all files and of the description, for a router with any state.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let add = |routes: Router<S>, file: &'static File| {
        let body = Arc::new(CachedBody::new(file.kind, file.bytes, true));
        routes.route(file.path, get(async move |headers: HeaderMap| answer(&body, &headers)))
    };
    let document =
        Arc::new(CachedBody::new("application/json", super::openapi::document().to_string(), true));
    let routes = FILES.iter().fold(Router::new(), add);
    routes.route("/openapi.json", get(async move |headers: HeaderMap| answer(&document, &headers)))
}

/// A browser revalidates each time: it sees a new version at once, and an unchanged one costs no
/// bytes.
fn answer(body: &CachedBody, headers: &HeaderMap) -> Response {
    let mut response = body.answer(headers);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The content security policy would block them, and the page would not work.
    #[test]
    fn the_pages_have_no_inline_script_or_style_and_name_only_served_files() {
        for file in FILES.iter().filter(|file| file.kind == HTML) {
            let text = std::str::from_utf8(file.bytes).unwrap();
            for attribute in [" style=", " onclick=", "<style", "javascript:"] {
                assert!(!text.contains(attribute), "{} has {attribute}", file.path);
            }
            for tag in text.split("<script").skip(1) {
                assert!(tag.contains("src="), "{} has a script in its text", file.path);
            }
            for reference in text
                .split(['"', '\''])
                .filter(|text| text.starts_with("/assets/") || text.starts_with("/docs/"))
            {
                assert!(FILES.iter().any(|file| file.path == reference), "{} names {reference}", file.path);
            }
        }
    }

    #[test]
    fn every_module_that_a_script_imports_is_served() {
        for file in FILES.iter().filter(|file| file.kind == JS) {
            let text = std::str::from_utf8(file.bytes).unwrap();
            let folder = file.path.rsplit_once('/').unwrap().0;
            for line in text.lines().filter(|line| line.starts_with("import ") || line.starts_with("} from "))
            {
                let Some(name) =
                    line.rsplit_once("from ").map(|(_, name)| name.trim_matches([' ', ';', '"', '\'']))
                else {
                    continue;
                };
                let path = name.replacen("./", &format!("{folder}/"), 1);
                assert!(FILES.iter().any(|file| file.path == path), "{} imports {name}", file.path);
            }
        }
    }
}
