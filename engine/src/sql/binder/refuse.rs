//! Clauses that sqlparser reads (for other databases, or ahead of us) and that we do not have: 0A000 for each.

use super::Binder;
use crate::error::{Error, Result};
use sqlparser::ast::{self, Spanned};
use sqlparser::tokenizer::Span;

impl Binder<'_> {
    /// Refuses if `present`.
    pub(super) fn refuse(&self, present: bool, what: &str, hint: &'static str, span: Span) -> Result<()> {
        if !present {
            return Ok(());
        }
        Err(self.at(Error::unsupported(format!("{what} is not supported"), hint), span))
    }

    pub(super) fn refuse_select(&self, select: &ast::Select) -> Result<()> {
        let span = select.select_token.0.span;
        const NOT_POSTGRES: &str = "This clause is not part of PostgreSQL's SELECT.";
        self.refuse(select.into.is_some(), "SELECT INTO", "Use CREATE TABLE ... AS SELECT.", span)?;
        self.refuse(!select.named_window.is_empty(), "WINDOW", "Window functions are not supported.", span)?;
        self.refuse(select.qualify.is_some(), "QUALIFY", NOT_POSTGRES, span)?;
        self.refuse(select.top.is_some(), "TOP", "Use LIMIT.", span)?;
        let foreign = select.exclude.is_some()
            || select.select_modifiers.is_some()
            || !select.lateral_views.is_empty()
            || select.prewhere.is_some()
            || !select.connect_by.is_empty()
            || !select.cluster_by.is_empty()
            || !select.distribute_by.is_empty()
            || !select.sort_by.is_empty()
            || select.value_table_mode.is_some();
        self.refuse(foreign, "this clause of SELECT", NOT_POSTGRES, span)
    }

    pub(super) fn refuse_query(&self, query: &ast::Query) -> Result<()> {
        let foreign = query.for_clause.is_some()
            || query.settings.is_some()
            || query.format_clause.is_some()
            || !query.pipe_operators.is_empty();
        let hint = "This clause is not part of PostgreSQL's SELECT.";
        self.refuse(foreign, "this clause of a query", hint, query.span())
    }

    pub(super) fn refuse_factor(&self, factor: &ast::TableFactor) -> Result<()> {
        let ast::TableFactor::Table { version, with_hints, partitions, json_path, sample, index_directives, .. } =
            factor
        else {
            return Ok(());
        };
        let span = factor.span();
        self.refuse(sample.is_some(), "TABLESAMPLE", "Use WHERE random() < fraction.", span)?;
        let foreign = version.is_some()
            || !with_hints.is_empty()
            || !partitions.is_empty()
            || json_path.is_some()
            || !index_directives.is_empty();
        self.refuse(foreign, "this clause after a table", "Use a plain table name with an alias.", span)
    }
}
