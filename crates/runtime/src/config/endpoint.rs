//! Where a peer is: `host:port`, or a URL.

use core::fmt;
use core::str::FromStr;
use http::Uri;

/// The address of a peer, as `inventory-svc:8021` or `http://reservation-api:8010`; names are
/// resolved when they are used, not when they are read.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    url: Uri,
}

impl Endpoint {
    /// The URL, with `http` where no scheme was given and without a trailing slash.
    pub fn url(&self) -> &Uri {
        &self.url
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = "an address such as inventory-svc:8021 or http://reservation-api:8010";
        let trimmed = text.trim().trim_end_matches('/');
        let with_scheme =
            if trimmed.contains("://") { trimmed.to_owned() } else { format!("http://{trimmed}") };
        let url: Uri = with_scheme.parse().map_err(|_| expected.to_owned())?;
        let scheme = matches!(url.scheme_str(), Some("http" | "https"));
        let host = url.host().is_some_and(|host| !host.is_empty());
        // Without a scheme the port must be said: 80 is no port of ours, so leaving it out is a
        // slip.
        let port = match url.authority().map(|authority| authority.as_str()) {
            Some(authority) if authority.contains('@') => false,
            Some(authority) if authority.ends_with(':') => false,
            _ => {
                url.port_u16().is_some_and(|port| port > 0)
                    || (trimmed.contains("://") && url.port().is_none())
            }
        };
        let query = url.query().is_some();
        if scheme && host && port && !query { Ok(Self { url }) } else { Err(expected.to_owned()) }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.to_string().trim_end_matches('/'))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_port_is_as_good_as_a_url() {
        let read = |text: &str| text.parse::<Endpoint>().map(|endpoint| endpoint.to_string());
        assert_eq!(read("inventory-svc:8021").as_deref(), Ok("http://inventory-svc:8021"));
        assert_eq!(read("http://reservation-api:8010/").as_deref(), Ok("http://reservation-api:8010"));
        assert_eq!(read("https://api.example.com/base").as_deref(), Ok("https://api.example.com/base"));
        assert_eq!(read("[::1]:8021").as_deref(), Ok("http://[::1]:8021"));
        for bad in [
            "",
            "host",
            "host:",
            ":80",
            "host:0",
            "host:99999",
            "ftp://host:1",
            "a b:1",
            "user:pw@host:1",
            "h:1?x=1",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
