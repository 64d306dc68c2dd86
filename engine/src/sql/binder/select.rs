//! SELECT: from its clauses to a relation.
//!
//! ```text
//!  FROM ─► WHERE ─► GROUP BY + aggregates ─► HAVING ─► set-returning functions ─► select list
//!       ─► DISTINCT ─► ORDER BY                                        (LIMIT and locks: query.rs)
//! ```

use super::Binder;
use super::call::sort_key;
use super::scope::{Level, ident, name_parts, name_span};
use crate::error::{Error, Result, SqlState};
use crate::sql::optimizer::logical::{Col, Query, Rel};
use crate::sql::plan::{Expr, SortKey};
use sqlparser::ast::{self, SelectItem, Spanned};

/// An output column before it has an id.
pub(super) struct Item {
    pub(super) expr: Expr,
    pub(super) name: String,
}

/// What ORDER BY or DISTINCT ON sorts by.
enum Key {
    /// An output column.
    Item(usize),
    /// Something else over the rows of FROM or of the groups.
    Expr(Expr),
}

impl Binder<'_> {
    pub(super) fn select(
        &mut self,
        select: &ast::Select,
        order_by: &[ast::OrderByExpr],
    ) -> Result<(Query, Vec<String>)> {
        self.refuse_select(select)?;
        let (rel, scope) = self.bind_from(&select.from)?;
        self.levels.push(Level::with_scope("SELECT", scope));
        let bound = self.select_body(select, order_by, rel);
        self.levels.pop();
        bound
    }

    fn in_clause(&mut self, clause: &'static str, grouped: bool) {
        if let Some(level) = self.levels.last_mut() {
            level.clause = clause;
            if grouped && level.aggregates.is_none() {
                level.aggregates = Some(Vec::new());
            }
            level.sets = None;
        }
    }

    fn select_body(
        &mut self,
        select: &ast::Select,
        order_by: &[ast::OrderByExpr],
        mut rel: Rel,
    ) -> Result<(Query, Vec<String>)> {
        self.in_clause("WHERE", false);
        if let Some(condition) = &select.selection {
            let bound = self.expr(condition)?;
            let predicate = self.condition(bound, "WHERE", condition.span())?;
            rel = Rel::Filter { input: Box::new(rel), predicate };
        }
        self.in_clause("SELECT", true);
        if let Some(level) = self.levels.last_mut() {
            level.sets = Some(Vec::new());
        }
        let mut items = self.items(&select.projection)?;
        let sets = self.levels.last_mut().and_then(|level| level.sets.take()).unwrap_or_default();
        self.in_clause("HAVING", true);
        let mut having = match &select.having {
            Some(having) => {
                let bound = self.expr(having)?;
                Some(self.condition(bound, "HAVING", having.span())?)
            }
            None => None,
        };
        self.in_clause("ORDER BY", true);
        let mut keys = self.keys(order_by.iter().map(|key| &key.expr), &items, "ORDER BY")?;
        let on_exprs: &[ast::Expr] = match &select.distinct {
            Some(ast::Distinct::On(exprs)) => exprs,
            _ => &[],
        };
        let mut on = self.keys(on_exprs.iter(), &items, "DISTINCT ON")?;
        let aggregates = self.levels.last_mut().and_then(|level| level.aggregates.take()).unwrap_or_default();
        self.in_clause("GROUP BY", false);
        let groups = self.group_keys(&select.group_by, &items)?;
        let mut sets = sets;
        if groups.is_some() || !aggregates.is_empty() || having.is_some() {
            let over: Vec<&mut Expr> = items
                .iter_mut()
                .map(|item| &mut item.expr)
                .chain(having.iter_mut())
                .chain(keys.iter_mut().chain(on.iter_mut()).filter_map(|key| match key {
                    Key::Expr(expr) => Some(expr),
                    Key::Item(_) => None,
                }))
                .chain(sets.iter_mut().flat_map(|(_, _, args)| args.iter_mut()))
                .collect();
            rel = self.grouped(rel, groups.unwrap_or_default(), aggregates, over)?;
        }
        if let Some(predicate) = having {
            rel = Rel::Filter { input: Box::new(rel), predicate };
        }
        if !sets.is_empty() {
            rel = Rel::ExtendSet { input: Box::new(rel), functions: sets };
        }
        self.finish_select(select, order_by, rel, items, keys, on)
    }

    fn finish_select(
        &mut self,
        select: &ast::Select,
        order_by: &[ast::OrderByExpr],
        mut rel: Rel,
        items: Vec<Item>,
        keys: Vec<Key>,
        on: Vec<Key>,
    ) -> Result<(Query, Vec<String>)> {
        let (exprs, names): (Vec<Expr>, Vec<String>) = items.into_iter().map(|item| (item.expr, item.name)).unzip();
        let mut columns = Vec::with_capacity(exprs.len());
        let mut computed = Vec::new();
        for expr in exprs {
            columns.push(match expr {
                Expr::Column { slot, ty } => Col { id: slot, ty },
                expr => {
                    let col = self.new_col(expr.ty().clone());
                    computed.push((col.clone(), expr));
                    col
                }
            });
        }
        if !computed.is_empty() {
            rel = Rel::Extend { input: Box::new(rel), columns: computed };
        }
        let is_distinct = matches!(select.distinct, Some(ast::Distinct::Distinct));
        if is_distinct {
            if let Some((_, key)) = keys.iter().zip(order_by).find(|(key, _)| matches!(key, Key::Expr(_))) {
                let message = "for SELECT DISTINCT, ORDER BY expressions must appear in select list".to_string();
                return self.fail(SqlState::INVALID_COLUMN_REFERENCE, message, key.expr.span());
            }
            rel = Rel::Distinct { input: Box::new(rel), columns: columns.clone(), on: None };
        }
        let mut sort: Vec<SortKey> =
            keys.into_iter().zip(order_by).map(|(key, source)| sort_key(key.expr(&columns), &source.options)).collect();
        let on: Vec<Expr> = on.into_iter().map(|key| key.expr(&columns)).collect();
        if !on.is_empty() {
            self.check_distinct_on(&on, &mut sort, order_by)?;
        }
        if !sort.is_empty() {
            rel = Rel::Sort { input: Box::new(rel), keys: sort };
        }
        if !on.is_empty() {
            rel = Rel::Distinct { input: Box::new(rel), columns: columns.clone(), on: Some(on) };
        }
        Ok((Query { rel, columns }, names))
    }

    /// DISTINCT ON needs rows sorted by its expressions first: ORDER BY must begin with them, or they are added.
    fn check_distinct_on(&self, on: &[Expr], sort: &mut Vec<SortKey>, order_by: &[ast::OrderByExpr]) -> Result<()> {
        let shown: Vec<String> = on.iter().map(|expr| format!("{expr:?}")).collect();
        if let Some(wrong) = sort.iter().take(on.len()).position(|key| !shown.contains(&format!("{:?}", key.expr))) {
            let message = "SELECT DISTINCT ON expressions must match initial ORDER BY expressions".to_string();
            return self.fail(SqlState::INVALID_COLUMN_REFERENCE, message, order_by[wrong].expr.span());
        }
        let sorted: Vec<String> = sort.iter().map(|key| format!("{:?}", key.expr)).collect();
        for (expr, shown) in on.iter().zip(&shown) {
            if !sorted.contains(shown) {
                sort.push(SortKey { expr: expr.clone(), descending: false, nulls_first: false });
            }
        }
        Ok(())
    }

    /// Resolves keys: an ordinal, the name of an output column, or an expression.
    fn keys<'e>(
        &mut self,
        exprs: impl Iterator<Item = &'e ast::Expr>,
        items: &[Item],
        clause: &'static str,
    ) -> Result<Vec<Key>> {
        let mut keys = Vec::new();
        for expr in exprs {
            if let Some(place) = self.ordinal(expr, items.len(), clause)? {
                keys.push(Key::Item(place));
                continue;
            }
            if let Some(place) = self.output_name(expr, items, clause)? {
                keys.push(Key::Item(place));
                continue;
            }
            let bound = self.expr(expr)?;
            let bound = self.decided(bound)?;
            let shown = format!("{bound:?}");
            keys.push(match items.iter().position(|item| format!("{:?}", item.expr) == shown) {
                Some(place) => Key::Item(place),
                None => Key::Expr(bound),
            });
        }
        Ok(keys)
    }

    /// The output column that a bare name means.
    fn output_name(&self, expr: &ast::Expr, items: &[Item], clause: &str) -> Result<Option<usize>> {
        let ast::Expr::Identifier(name) = expr else { return Ok(None) };
        let wanted = ident(name);
        let mut found = items.iter().enumerate().filter(|(_, item)| item.name == wanted);
        let Some((place, first)) = found.next() else { return Ok(None) };
        let shown = format!("{:?}", first.expr);
        if found.any(|(_, other)| format!("{:?}", other.expr) != shown) {
            let message = format!("{clause} \"{wanted}\" is ambiguous");
            return self.fail(SqlState::AMBIGUOUS_COLUMN, message, name.span);
        }
        Ok(Some(place))
    }

    /// The select list (also of RETURNING).
    pub(super) fn items(&mut self, projection: &[SelectItem]) -> Result<Vec<Item>> {
        let mut items = Vec::with_capacity(projection.len());
        for item in projection {
            match item {
                SelectItem::UnnamedExpr(expr) => {
                    let name = self.column_name(expr);
                    items.push(Item { expr: self.expr(expr)?, name });
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    items.push(Item { expr: self.expr(expr)?, name: ident(alias) });
                }
                SelectItem::Wildcard(options) => {
                    self.refuse_wildcard(options)?;
                    self.wildcard(&mut items, options)?;
                }
                SelectItem::QualifiedWildcard(ast::SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                    self.refuse_wildcard(options)?;
                    self.table_wildcard(name, &mut items)?;
                }
                other => {
                    let hint = "Use expressions, aliases and *.";
                    return Err(
                        self.at(Error::unsupported("this item is not supported in a select list", hint), other.span())
                    );
                }
            }
        }
        Ok(items)
    }

    fn refuse_wildcard(&self, options: &ast::WildcardAdditionalOptions) -> Result<()> {
        let foreign = options.opt_ilike.is_some()
            || options.opt_exclude.is_some()
            || options.opt_except.is_some()
            || options.opt_replace.is_some()
            || options.opt_rename.is_some()
            || options.opt_alias.is_some();
        self.refuse(foreign, "this clause after *", "Name the columns.", options.wildcard_token.0.span)
    }

    fn wildcard(&mut self, items: &mut Vec<Item>, options: &ast::WildcardAdditionalOptions) -> Result<()> {
        let Some(level) = self.levels.last() else { return Ok(()) };
        if level.scope.tables.is_empty() {
            let message = "SELECT * with no tables specified is not valid".to_string();
            return self.fail(SqlState::SYNTAX_ERROR, message, options.wildcard_token.0.span);
        }
        let shown = level.scope.columns.iter().filter(|column| !column.hidden);
        items.extend(shown.map(|column| Item { expr: column.col.expr(), name: column.name.clone() }));
        Ok(())
    }

    fn table_wildcard(&mut self, name: &ast::ObjectName, items: &mut Vec<Item>) -> Result<()> {
        let mut parts = name_parts(name)?;
        let table = parts.pop().unwrap_or_default();
        let schema = parts.pop();
        let Some(found) = self.scope_table(schema.as_deref(), &table) else {
            return Err(self.no_table(schema.as_deref(), &table, name_span(name)));
        };
        let shown = found.columns.iter().filter(|column| !column.hidden);
        items.extend(shown.map(|column| Item { expr: column.col.expr(), name: column.name.clone() }));
        Ok(())
    }

    /// The name of a column without alias, as PostgreSQL chooses it.
    fn column_name(&self, expr: &ast::Expr) -> String {
        name_of(expr).unwrap_or_else(|| "?column?".to_string())
    }
}

impl Key {
    fn expr(self, columns: &[Col]) -> Expr {
        match self {
            Key::Item(place) => columns[place].expr(),
            Key::Expr(expr) => expr,
        }
    }
}

fn name_of(expr: &ast::Expr) -> Option<String> {
    use ast::Expr as E;
    let fixed = |name: &str| Some(name.to_string());
    match expr {
        E::Identifier(name) => Some(ident(name)),
        E::CompoundIdentifier(parts) => parts.last().map(ident),
        E::CompoundFieldAccess { root, .. } => name_of(root),
        E::Nested(inner) | E::Collate { expr: inner, .. } => name_of(inner),
        E::Function(function) => name_parts(&function.name).ok()?.pop(),
        E::Cast { expr, data_type, .. } => name_of(expr).or_else(|| type_name(data_type)),
        E::TypedString(typed) => type_name(&typed.data_type),
        E::Case { else_result, .. } => {
            else_result.as_deref().and_then(name_of).filter(|name| name != "?column?").or_else(|| fixed("case"))
        }
        E::Array(_) => fixed("array"),
        E::Exists { .. } => fixed("exists"),
        E::Interval(_) => fixed("interval"),
        E::Tuple(_) => fixed("row"),
        E::Extract { .. } => fixed("extract"),
        E::Position { .. } => fixed("position"),
        E::Substring { .. } => fixed("substring"),
        E::Overlay { .. } => fixed("overlay"),
        E::AtTimeZone { .. } => fixed("timezone"),
        E::Ceil { .. } => fixed("ceil"),
        E::Floor { .. } => fixed("floor"),
        E::Trim { trim_where, .. } => fixed(match trim_where {
            Some(ast::TrimWhereField::Leading) => "ltrim",
            Some(ast::TrimWhereField::Trailing) => "rtrim",
            _ => "btrim",
        }),
        E::Value(ast::ValueWithSpan { value: ast::Value::Boolean(_), .. }) => fixed("bool"),
        E::Subquery(query) => match &*query.body {
            ast::SetExpr::Select(select) => match select.projection.first()? {
                SelectItem::UnnamedExpr(expr) => name_of(expr),
                SelectItem::ExprWithAlias { alias, .. } => Some(ident(alias)),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

fn type_name(data_type: &ast::DataType) -> Option<String> {
    use crate::sql::types::Type;
    let shown = data_type.to_string().to_lowercase();
    let bare = shown.split('(').next().unwrap_or("").trim();
    let bare = bare.rsplit('.').next().unwrap_or(bare);
    Type::by_name(bare).map(|ty| ty.internal_name())
}
