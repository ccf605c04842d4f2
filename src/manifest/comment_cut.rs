//! `name: Foo #1`: to YAML, the name is `Foo`; and with `name: #1` there is none.

/// Whether a comment that does not look like one follows the plain value that ends at a byte. A
/// value that is not there (`blank`) has the place of the sign before it.
pub(super) fn is_cut_by_comment(text: &str, end: usize, blank: bool) -> bool {
    let bytes = text.as_bytes();
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let from = bytes[..end.min(bytes.len())]
        .iter()
        .rposition(|byte| !is_space(byte));
    let rest = &bytes[from.map_or(0, |last| last + 1)..];
    let sign = rest.iter().position(|byte| !is_space(byte));
    let rest = match sign.map(|sign| &rest[sign..]) {
        Some([b':' | b'-', rest @ ..]) if blank => rest,
        _ => rest,
    };
    let Some(mark) = rest.iter().position(|byte| !is_space(byte)) else {
        return false;
    };
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte >= 0x80;
    mark > 0 && rest[mark] == b'#' && rest.get(mark + 1).is_some_and(is_word)
}
