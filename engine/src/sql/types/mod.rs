//! SQL types and values: what a column can hold, how it is read, written, compared and computed with.
//!
//! ```text
//!                 text (client, SQL literal)              bytes of the wire's binary format
//!                   │ parse      ▲ format                   │ binary::decode   ▲ binary::encode
//!                   ▼            │                          ▼                  │
//!   cast, arith, like, datetime ──────►   Value + Type   ◄────── row::key, row::codec (what is stored)
//! ```
//!
//! * [`Type`] is a type with its modifiers; a [`Value`] does not repeat its type, except where comparison needs it
//!   (`bpchar` ignores trailing blanks, so it has a variant of its own).
//! * Everything follows PostgreSQL 15 to the letter: texts of errors, SQLSTATEs, result scales of numeric, ISO dates.
//! * What depends on the session (time zone, the transaction's time, names of tables for `regclass`) comes in
//!   as a [`TypeContext`]; nothing here reads a clock.
//!
//! Invariant: equal values have equal hashes and equal keys in an index; the order of values is the order of keys.
//! Invariant: NULL is a value for storage and sorting only; operators are strict and their callers handle NULL first.
//! Invariant: bytes and text from outside never panic and never allocate more than a constant times their length.

pub mod arith;
mod array;
pub mod binary;
mod bytea;
pub mod cast;
mod coerce;
mod compare;
mod context;
pub mod datetime;
mod float;
mod format;
pub mod json;
pub mod like;
pub mod numeric;
pub mod oid;
mod parse;
mod text;
mod ty;
mod type_name;
mod uuid;
mod value;

pub use array::{Array, Dimension};
pub use cast::{CastKind, can_cast, cast};
pub use coerce::{common_type, is_binary_coercible};
pub use context::{DateOrder, ObjectKind, ObjectNames, TypeContext};
pub use datetime::{Interval, Zone};
pub use json::Json;
pub use numeric::Numeric;
pub use text::Text;
pub use ty::{Category, Type};
pub use value::Value;

#[cfg(test)]
mod tests;
