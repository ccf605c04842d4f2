//! Finds comments that were probably meant as text: in `name: Foo #1` the value is `Foo` to YAML,
//! and `name: #1` has none. The reader turns each one into a warning.

/// Whether a `#` that does not look like a comment follows the plain value that ends at this byte.
/// A missing value (`blank`) has the position of the sign before it.
pub(super) fn is_cut_by_comment(text: &str, end: usize, blank: bool) -> bool {
    let bytes = text.as_bytes();
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let from = bytes[..end.min(bytes.len())]
        .iter()
        .rposition(|byte| !is_space(byte));
    let rest = &bytes[from.map_or(0, |last| last + 1)..];
    let sign = rest.iter().position(|byte| !is_space(byte));
    // With no value, the parser points at the `:` or `-` that announces it.
    let rest = match sign.map(|sign| &rest[sign..]) {
        Some([b':' | b'-', rest @ ..]) if blank => rest,
        _ => rest,
    };
    let Some(mark) = rest.iter().position(|byte| !is_space(byte)) else {
        return false;
    };
    // A comment is mostly written as `# text`. A word right behind the `#`, as in `#1` or `#VIP`,
    // looks like a part of the name. Bytes from 0x80 are letters of other alphabets.
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte >= 0x80;
    mark > 0 && rest[mark] == b'#' && rest.get(mark + 1).is_some_and(is_word)
}
