//! Percent-encoding and decoding.

use std::fmt::Write as _;

/// Encodes `text` as one path segment or one query value (RFC 3986; unreserved characters stay).
pub(super) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("writing to a String does not fail");
        }
    }
    out
}

/// Decodes the escapes in `text`. Anything that is not an escape stays.
pub(super) fn decode(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        match (byte, tail) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(hex(*high) << 4 | hex(*low));
                rest = after;
            }
            _ => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    out
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn what_a_name_may_hold_cannot_leave_its_segment() {
        assert_eq!(encode("default-httpbin-8000"), "default-httpbin-8000");
        assert_eq!(encode("../a b?c#d%é"), "..%2Fa%20b%3Fc%23d%25%C3%A9");
        assert_eq!(encode("a=b,c in (d)"), "a%3Db%2Cc%20in%20%28d%29");
    }

    #[test]
    fn decoding_undoes_encoding_and_leaves_what_is_no_escape() {
        assert_eq!(decode(&encode("p@ss:w%rd")), b"p@ss:w%rd");
        assert_eq!(decode("100%+A%4"), b"100%+A%4");
        assert_eq!(decode("%aF"), [0xAF]);
    }
}
