//! Requests as bytes, and answers out of bytes: HTTP/1.1 over connections that are kept alive,
//! as little of it as possible.
//!
//! The generator shares its cores with the measured gateway. So the head of a request is made
//! once, an answer is read in place in the buffer, and only the fields of its JSON that decide
//! the next step are read.

use std::io::Write;

/// Headers of an answer, at most.
const HEADERS_MAX: usize = 64;

/// A request to a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Join,
    Status,
    Enter,
}

impl Operation {
    pub(super) const ALL: [Self; 3] = [Self::Join, Self::Status, Self::Enter];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Status => "status",
            Self::Enter => "enter",
        }
    }

    pub(super) const fn plural(self) -> &'static str {
        match self {
            Self::Join => "joins",
            Self::Status => "statuses",
            Self::Enter => "enters",
        }
    }
}

/// The parts of requests that are always the same.
pub(super) struct Requests {
    status_after: Vec<u8>,
    post_after: Vec<u8>,
    event: String,
}

const BASE: &str = "/api/v1/queue";

impl Requests {
    /// For a show on a gateway; `headers` are more lines of every request's head, each with its
    /// line end.
    pub(super) fn new(host: &str, event: &str, headers: &str) -> Self {
        let after = format!("host: {host}\r\n{headers}");
        let post = format!(" HTTP/1.1\r\n{after}content-type: application/json\r\ncontent-length: ");
        let status = format!(" HTTP/1.1\r\n{after}\r\n");
        Self { status_after: status.into_bytes(), post_after: post.into_bytes(), event: event.to_owned() }
    }

    /// A join of the person with these two numbers.
    pub(super) fn join(&self, into: &mut Vec<u8>, crowd: u64, person: u64) {
        let user = format!("{crowd:x}-{person}");
        let bytes = r#"{"event_id":"","user_id":""}"#.len() + self.event.len() + user.len();
        self.post(into, "join", bytes);
        let _ = write!(into, r#"{{"event_id":"{}","user_id":"{user}"}}"#, self.event);
    }

    pub(super) fn status(&self, into: &mut Vec<u8>, token: &[u8]) {
        let _ = write!(into, "GET {BASE}/status?token=");
        into.extend_from_slice(token);
        into.extend_from_slice(&self.status_after);
    }

    pub(super) fn enter(&self, into: &mut Vec<u8>, token: &[u8]) {
        self.post(into, "enter", r#"{"waiting_token":""}"#.len() + token.len());
        into.extend_from_slice(br#"{"waiting_token":""#);
        into.extend_from_slice(token);
        into.extend_from_slice(br#""}"#);
    }

    fn post(&self, into: &mut Vec<u8>, path: &str, bytes: usize) {
        let _ = write!(into, "POST {BASE}/{path}");
        into.extend_from_slice(&self.post_after);
        let _ = write!(into, "{bytes}\r\n\r\n");
    }
}

/// An answer at the beginning of a buffer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer<'a> {
    pub(super) status: u16,
    pub(super) body: &'a [u8],
    /// All of it, in bytes.
    pub(super) bytes: usize,
    /// The connection is of no further use.
    pub(super) close: bool,
}

/// `None`: not all of it is there yet; an error: it is no answer, or one of a kind that no
/// gateway needs here.
pub(super) fn answer(input: &[u8]) -> Result<Option<Answer<'_>>, &'static str> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Response::new(&mut headers);
    let from = match head.parse(input) {
        Ok(httparse::Status::Complete(bytes)) => bytes,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err("not HTTP"),
    };
    let (mut length, mut chunked, mut close) = (None, false, false);
    for header in &*head.headers {
        match header.name.len() {
            14 if header.name.eq_ignore_ascii_case("content-length") => {
                length = std::str::from_utf8(header.value).ok().and_then(|text| text.parse::<usize>().ok());
            }
            17 if header.name.eq_ignore_ascii_case("transfer-encoding") => chunked = true,
            10 if header.name.eq_ignore_ascii_case("connection") => {
                close = header.value.eq_ignore_ascii_case(b"close");
            }
            _ => {}
        }
    }
    let status = head.code.unwrap_or_default();
    if chunked {
        return Ok(one_chunk(&input[from..]).map(|(body, bytes)| Answer {
            status,
            body,
            bytes: from + bytes,
            close,
        }));
    }
    let length = length.ok_or("neither a length nor chunks")?;
    let body = input.get(from..from + length);
    Ok(body.map(|body| Answer { status, body, bytes: from + length, close }))
}

/// A body that came in one chunk, or none, and the bytes of both. An answer that is this short
/// comes in one.
fn one_chunk(input: &[u8]) -> Option<(&[u8], usize)> {
    let end = input.windows(2).position(|two| two == b"\r\n")?;
    let size = usize::from_str_radix(std::str::from_utf8(&input[..end]).ok()?, 16).ok()?;
    let body = input.get(end + 2..end + 2 + size)?;
    let bytes = if size == 0 { end + 4 } else { end + 2 + size + b"\r\n0\r\n\r\n".len() };
    (input.len() >= bytes).then_some((body, bytes))
}

/// What stands behind a name in a JSON object, up to the end of the value: a text without its
/// quotes, a number, `true`. The values that are asked for have nothing in them that is
/// escaped.
pub(super) fn field<'a>(json: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let name = name.as_bytes();
    let at = json.windows(name.len() + 2).position(|window| {
        window[0] == b'"' && window[name.len() + 1] == b'"' && &window[1..=name.len()] == name
    })?;
    let rest = skip(&json[at + name.len() + 2..]);
    let rest = skip(rest.strip_prefix(b":")?);
    let (rest, is_end): (_, fn(u8) -> bool) = match rest.strip_prefix(b"\"") {
        Some(text) => (text, |byte| byte == b'"'),
        None => (rest, |byte| matches!(byte, b',' | b'}' | b' ' | b'\n' | b'\r')),
    };
    rest.iter().position(|byte| is_end(*byte)).map(|end| &rest[..end])
}

fn skip(json: &[u8]) -> &[u8] {
    let from = json.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(json.len());
    &json[from..]
}

/// A whole number behind a name.
pub(super) fn number(json: &[u8], name: &str) -> Option<u64> {
    std::str::from_utf8(field(json, name)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_with_and_without_spaces() {
        for json in [
            &br#"{"status":"waiting","position":12,"eta_sec":null,"ready_for_entry":false,"poll_after_ms":900}"#[..],
            br#"{ "status" : "waiting" , "position" : 12 , "eta_sec": null, "ready_for_entry": false, "poll_after_ms": 900 }"#,
        ] {
            assert_eq!(field(json, "status"), Some(&b"waiting"[..]));
            assert_eq!(field(json, "ready_for_entry"), Some(&b"false"[..]));
            assert_eq!((number(json, "poll_after_ms"), number(json, "position")), (Some(900), Some(12)));
            assert_eq!((number(json, "eta_sec"), field(json, "token")), (None, None));
        }
    }

    #[test]
    fn an_answer_is_whole_when_its_body_is_and_the_next_one_is_left() {
        let one = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
        let chunks = b"HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n7\r\n{\"a\":1}\r\n0\r\n\r\n";
        for (text, status, close) in [(&one[..], 200, false), (&chunks[..], 202, true)] {
            for end in 0..text.len() {
                assert_eq!(answer(&text[..end]), Ok(None), "{end} bytes");
            }
            let two = [text, text].concat();
            let whole = Answer { status, body: br#"{"a":1}"#, bytes: text.len(), close };
            assert_eq!(answer(&two), Ok(Some(whole)));
        }
        assert!(answer(b"no").is_err() || answer(b"no such thing\r\n\r\n").is_err());
        assert!(answer(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }

    #[test]
    fn requests_say_how_long_they_are() {
        let requests = Requests::new("127.0.0.1:8000", "show", "x-test: 1\r\n");
        let text = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = Vec::new();
            write(&mut bytes);
            String::from_utf8(bytes).unwrap()
        };
        let joins = text(&|into| requests.join(into, 26, 7));
        assert!(
            joins.starts_with("POST /api/v1/queue/join HTTP/1.1\r\nhost: 127.0.0.1:8000\r\nx-test: 1\r\n"),
            "{joins}"
        );
        for post in [joins, text(&|into| requests.enter(into, b"t.o.k"))] {
            let (head, body) = post.split_once("\r\n\r\n").unwrap();
            assert!(head.ends_with(&format!("content-length: {}", body.len())), "{post}");
            assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
        }
        assert_eq!(
            text(&|into| requests.status(into, b"t.o.k")),
            "GET /api/v1/queue/status?token=t.o.k HTTP/1.1\r\nhost: 127.0.0.1:8000\r\nx-test: 1\r\n\r\n"
        );
    }
}
