//! From text to statements.
//!
//! ```text
//!  text ─► tokens (sqlparser's tokenizer) ─► cut at semicolons ─► front: session statements, COPY, EXPLAIN, ...
//!                                                               └► sqlparser: queries, DML, DDL
//!  text ─► lexer (ours, one pass) ─► fingerprint: the token stream with literals lifted out, key of the plan cache
//! ```
//! sqlparser's errors are strings; the place of a syntax error and the word that is to blame come from the tokens.
//!
//! Invariant: nesting is bounded, and so are chains of operators, so that no text can exhaust the stack.
//! Invariant: a statement that is read here is carried out or refused; no clause is dropped on the way.

mod as_of;
mod copy;
mod cursor;
mod depth;
mod error;
mod fingerprint;
mod front;
mod lexer;
mod place;
mod settings;
mod statement;
mod words;

pub use fingerprint::{Fingerprint, Literal, LiteralKind, fingerprint};
pub use front::parse;
pub use place::Places;
pub use statement::{
    AsOf, Copy, CopyFormat, CopySource, Discard, ExplainOptions, IsolationLevel, Statement, StatementKind,
    TransactionModes,
};
pub use words::is_reserved_word;
