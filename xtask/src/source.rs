//! Rust source as the checks read it: without comments, contents of literals, and tests.
//!
//! This is not a parser: it finds the ends of comments and literals, and counts braces. Lines keep
//! their numbers.

/// The source with comments and the contents of string and character literals replaced by spaces.
pub(crate) fn code(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => line_end(bytes, at),
            b'/' if bytes.get(at + 1) == Some(&b'*') => block_end(bytes, at),
            b'"' => string_end(bytes, at + 1),
            b'r' if !follows_word(bytes, at) => raw_end(bytes, at).unwrap_or(at),
            b'\'' => char_end(bytes, at).unwrap_or(at),
            _ => at,
        };
        if end == at {
            out.push(bytes[at]);
            at += 1;
        } else {
            // A space for each byte, so that columns and lines stay where they were.
            out.extend(bytes[at..end].iter().map(|&byte| if byte == b'\n' { b'\n' } else { b' ' }));
            at = end;
        }
    }
    String::from_utf8(out).expect("whole literals and comments were replaced by ASCII")
}

/// [`code`] without the items under `#[cfg(test)]`.
pub(crate) fn production(text: &str) -> String {
    let mut code = code(text);
    while let Some(start) = code.find("#[cfg(test)]") {
        let end = item_end(&code, start + "#[cfg(test)]".len());
        let blank: String = code[start..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        code.replace_range(start..end, &blank);
    }
    code
}

/// Whether the whole file is test code, by its path.
pub(crate) fn is_test(path: &str) -> bool {
    // The suites of the ports are tests in a library, because every engine runs them.
    let suites = path.starts_with("crates/ports-contract/");
    let folder = path.split('/').any(|part| part == "tests" || part == "benches");
    suites || folder || path.ends_with("/tests.rs") || path.ends_with("_tests.rs")
}

/// The lines that contain `word`, and not only inside a longer name.
pub(crate) fn lines_with<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.lines().enumerate().filter(move |(_, line)| names(line, word)).map(|(number, _)| number + 1)
}

/// Whether the line contains `word`, and not only inside a longer name.
pub(crate) fn names(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(is_part);
        let after = line[at + word.len()..].chars().next().is_some_and(is_part);
        let (begins, ends) = (word.starts_with(is_part), word.ends_with(is_part));
        !((before && begins) || (after && ends))
    })
}

/// The end of the item that begins here: after its closing brace, or its semicolon if that is
/// first.
fn item_end(code: &str, start: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'{' | b'[' | b'(' => depth += 1,
            b'}' | b']' | b')' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && byte == b'}' {
                    return at + 1;
                }
            }
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |length| at + length)
}

fn block_end(bytes: &[u8], at: usize) -> usize {
    let (mut depth, mut at) = (0_usize, at);
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'/', Some(b'*')) => (depth, at) = (depth + 1, at + 2),
            (b'*', Some(b'/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The end of `r"…"` or `r#"…"#`; `None` for a name that begins with `r`.
fn raw_end(bytes: &[u8], at: usize) -> Option<usize> {
    let hashes = bytes[at + 1..].iter().take_while(|&&byte| byte == b'#').count();
    let open = at + 1 + hashes;
    if bytes.get(open) != Some(&b'"') {
        return None;
    }
    let closing: Vec<u8> = [b'"'].into_iter().chain(std::iter::repeat_n(b'#', hashes)).collect();
    let length = bytes[open + 1..].windows(closing.len()).position(|window| window == closing);
    Some(length.map_or(bytes.len(), |length| open + 1 + length + closing.len()))
}

/// The end of a character literal; `None` for a lifetime.
fn char_end(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at + 1..];
    if rest.first() == Some(&b'\\') {
        let length = rest.iter().skip(2).position(|&byte| byte == b'\'')?;
        return Some(at + 1 + 2 + length + 1);
    }
    let width = std::str::from_utf8(&rest[..rest.len().min(4)])
        .or_else(|error| std::str::from_utf8(&rest[..error.valid_up_to()]))
        .ok()?
        .chars()
        .next()?
        .len_utf8();
    (rest.get(width) == Some(&b'\'')).then_some(at + 1 + width + 1)
}

fn follows_word(bytes: &[u8], at: usize) -> bool {
    // In `br"…"` the `r` follows a letter, but it does begin a literal.
    let before = at.checked_sub(1).map(|before| bytes[before]);
    before.is_some_and(|byte| (byte.is_ascii_alphanumeric() || byte == b'_') && byte != b'b')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blank_and_lines_stay() {
        let text = "let a = \"tokio::spawn // no\"; // tokio::spawn\n/* x /* y */\n z */ f('\"', '\\'', b'x');\nlet r = r#\"a \" b\"#;\nfn g<'a>(x: &'a str) {}\n";
        let code = code(text);
        assert_eq!(code.lines().count(), text.lines().count());
        assert!(!code.contains("spawn") && !code.contains(" y "), "{code}");
        assert!(
            code.contains("let a =") && code.contains("let r =") && code.contains("fn g<'a>(x: &'a str) {}")
        );
    }

    #[test]
    fn code_for_tests_only_is_not_production() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { c(\"}\") }\n}\n#[cfg(test)]\nmod other;\nfn d() {}\n";
        let code = production(text);
        assert!(code.contains("fn a") && code.contains("fn d"));
        assert!(!code.contains("fn b") && !code.contains("mod other"));
        assert_eq!(code.lines().count(), text.lines().count());
    }

    #[test]
    fn a_name_inside_a_longer_one_is_not_that_name() {
        assert!(names("x = Instant::now();", "Instant::now"));
        assert!(!names("x = MyInstant::now();", "Instant::now"));
        assert!(!names("x = Instant::nowhere();", "Instant::now"));
        assert!(names("use tokio::time::sleep;", "tokio::time::"));
    }
}
