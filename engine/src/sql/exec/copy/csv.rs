//! COPY's CSV layout.

use super::{Fields, Layout, bad, utf8};
use crate::error::Error;

/// Cuts a line (whose quoted newlines are inside) into fields.
pub fn split(line: &[u8], layout: &Layout) -> Result<Fields, Error> {
    let mut fields = Vec::new();
    let mut field = Vec::new();
    let mut was_quoted = false;
    let mut quoted = false;
    let mut at = 0;
    while let Some(&byte) = line.get(at) {
        at += 1;
        if quoted {
            let next = line.get(at).copied();
            if byte == layout.escape && next.is_some_and(|next| next == layout.quote || next == layout.escape) {
                field.extend(next);
                at += 1;
            } else if byte == layout.quote {
                quoted = false;
            } else {
                field.push(byte);
            }
        } else if byte == layout.quote {
            quoted = true;
            was_quoted = true;
        } else if byte == layout.delimiter {
            fields.push(finish(std::mem::take(&mut field), std::mem::take(&mut was_quoted), layout)?);
        } else {
            field.push(byte);
        }
    }
    if quoted {
        return Err(bad("unterminated CSV quoted field"));
    }
    fields.push(finish(field, was_quoted, layout)?);
    Ok(fields)
}

fn finish(field: Vec<u8>, was_quoted: bool, layout: &Layout) -> Result<Option<String>, Error> {
    if !was_quoted && field == layout.null.as_bytes() {
        return Ok(None);
    }
    utf8(field).map(Some)
}

/// Writes a field, quoted where it must be.
pub fn write(field: &str, layout: &Layout, alone: bool, out: &mut Vec<u8>) {
    let special = |byte: &u8| [layout.delimiter, layout.quote, b'\n', b'\r'].contains(byte);
    if field != layout.null && !field.as_bytes().iter().any(special) && !(alone && field == "\\.") {
        out.extend_from_slice(field.as_bytes());
        return;
    }
    out.push(layout.quote);
    for &byte in field.as_bytes() {
        if byte == layout.quote || byte == layout.escape {
            out.push(layout.escape);
        }
        out.push(byte);
    }
    out.push(layout.quote);
}
