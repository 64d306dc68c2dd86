//! Rows to DataRow messages, written straight into the connection's buffer.

use super::frontend::{Format, Formats};
use super::output::Output;
use crate::session::ColumnDesc;
use crate::sql::types::{Type, TypeContext, Value, binary};
use pgwire::messages::data::MESSAGE_TYPE_BYTE_DATA_ROW;

impl Output {
    /// One row. A row has as many values as there are `columns`.
    pub(super) fn data_row(&mut self, row: &[Value], columns: &[ColumnDesc], formats: &Formats, ctx: &TypeContext) {
        let at = self.begin(MESSAGE_TYPE_BYTE_DATA_ROW);
        self.put_u16(row.len());
        for (index, (value, column)) in row.iter().zip(columns).enumerate() {
            match formats.get(index) {
                Format::Binary => binary::encode_sized(value, &column.ty, &mut self.buffer),
                Format::Text => self.text_value(value, &column.ty, ctx),
            }
        }
        self.finish(at);
    }

    fn text_value(&mut self, value: &Value, ty: &Type, ctx: &TypeContext) {
        match value {
            Value::Null => self.buffer.extend_from_slice(&(-1i32).to_be_bytes()),
            Value::Text(text) | Value::Bpchar(text) | Value::Json(text) => self.sized(text.as_bytes()),
            _ => {
                let mut text = std::mem::take(&mut self.scratch);
                text.clear();
                value.write_text(ty, ctx, &mut text);
                self.sized(text.as_bytes());
                self.scratch = text;
            }
        }
    }

    fn sized(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
        self.buffer.extend_from_slice(bytes);
    }
}

/// Whether the text of such values depends on the session.
pub(super) fn needs_context(ty: &Type) -> bool {
    !matches!(
        ty,
        Type::Bool
            | Type::Int2
            | Type::Int4
            | Type::Int8
            | Type::Float4
            | Type::Float8
            | Type::Numeric(_)
            | Type::Text
            | Type::Varchar(_)
            | Type::Char(_)
            | Type::Name
            | Type::Bytea
            | Type::Uuid
            | Type::Timestamp(None)
    )
}
