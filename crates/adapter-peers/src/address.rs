//! The address of a peer: `host:port`, or an `http://` URL. Names are resolved on use, not when the
//! address is read.

use http::Uri;
use http::uri::PathAndQuery;

/// Reads the address of a peer; an error is a message for the operator. The result has a scheme.
pub(crate) fn parse(text: &str) -> Result<Uri, String> {
    let wanted = "give host:port, such as inventory-svc:8021, or a URL, such as http://reservation-api:8010";
    let text = text.trim();
    if text.is_empty() {
        return Err(format!("\"\" is no address: {wanted}"));
    }
    let has_scheme = text.contains("://");
    let url = if has_scheme { text.to_owned() } else { format!("http://{text}") };
    let url: Uri = url.parse().map_err(|_| format!("{text:?} is no address: {wanted}"))?;
    match url.scheme_str() {
        Some("http") => {}
        Some("https") => {
            return Err(format!(
                "{text:?}: https between services is not supported, use http and a mesh or a proxy"
            ));
        }
        _ => return Err(format!("{text:?} has an unknown scheme: {wanted}")),
    }
    let authority = url.authority().map_or("", |authority| authority.as_str());
    if url.host().is_none_or(str::is_empty) || authority.contains('@') || authority.ends_with(':') {
        return Err(format!("{text:?} is no address: {wanted}"));
    }
    // Without a scheme the port is required: 80 is no port of ours, so leaving it out is a mistake.
    match url.port_u16() {
        Some(0) => return Err(format!("{text:?} has the port 0: {wanted}")),
        // A port outside 1 to 65535 is only present as text.
        None if authority.rsplit(']').next().is_some_and(|tail| tail.contains(':')) => {
            return Err(format!("{text:?} has an impossible port: {wanted}"));
        }
        None if !has_scheme => return Err(format!("{text:?} has no port: {wanted}")),
        _ => {}
    }
    if url.query().is_some() {
        return Err(format!("{text:?} has a query, which an address has not: {wanted}"));
    }
    Ok(url)
}

/// The URL of a path below an address.
pub(crate) fn below(base: &Uri, path: &str) -> Option<Uri> {
    let mut parts = base.clone().into_parts();
    let before = base.path().trim_end_matches('/');
    let slash = if before.is_empty() && path.starts_with('?') { "/" } else { "" };
    let joined = format!("{before}{slash}{path}");
    parts.path_and_query = Some(PathAndQuery::try_from(joined).ok()?);
    Uri::from_parts(parts).ok()
}

/// One segment of a path, with everything but RFC 3986's unreserved characters escaped: an
/// identifier may contain a slash or a percent sign.
pub(crate) fn segment(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte))
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_port_is_as_good_as_a_url() {
        let parsed = |text: &str| parse(text).map(|url| url.to_string().trim_end_matches('/').to_owned());
        assert_eq!(parsed("inventory-svc:8021").as_deref(), Ok("http://inventory-svc:8021"));
        assert_eq!(parsed(" http://reservation-api:8010/ ").as_deref(), Ok("http://reservation-api:8010"));
        assert_eq!(parsed("http://api.example.com/base").as_deref(), Ok("http://api.example.com/base"));
        assert_eq!(parsed("[::1]:8021").as_deref(), Ok("http://[::1]:8021"));
    }

    #[test]
    fn a_bad_address_is_refused_with_the_reason() {
        for (text, words) in [
            ("", "no address"),
            ("host", "has no port"),
            ("host:", "no address"),
            (":80", "no address"),
            ("host:0", "port 0"),
            ("host:99999", "impossible port"),
            ("https://host:1", "https"),
            ("dns:///host:1", "no address"),
            ("ftp://host:1", "scheme"),
            ("a b:1", "no address"),
            ("user:pw@host:1", "no address"),
            ("http://h:1?x=1", "query"),
        ] {
            let why = parse(text).unwrap_err();
            assert!(why.contains(words), "{text}: {why}");
            assert!(
                why.contains(text) && (why.contains("give host:port") || why.contains("use http")),
                "{why}"
            );
        }
    }

    #[test]
    fn an_identifier_is_one_segment_with_any_characters() {
        let base = parse("http://h:1/base/").unwrap();
        let path = format!("/internal/reservations/{}", segment("a/b?c%d é..#"));
        let url = below(&base, &path).unwrap();
        assert_eq!(url.to_string(), "http://h:1/base/internal/reservations/a%2Fb%3Fc%25d%20%C3%A9..%23");
        assert_eq!(below(&parse("h:1").unwrap(), "/x").unwrap().to_string(), "http://h:1/x");
    }
}
