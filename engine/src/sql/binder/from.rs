//! FROM: tables, subqueries, functions and joins, as a relation and the names it brings.

use super::scope::{Level, Scope, ScopeColumn, ScopeTable, ident, name_parts, name_span};
use super::{Binder, functions};
use crate::error::{Error, Result, SqlState};
use crate::sql::catalog::Relation;
use crate::sql::optimizer::logical::{Col, Query, Rel};
use crate::sql::plan::{CompareOp, Expr, JoinKind, TableFunction};
use crate::sql::types::{CastKind, Type};
use sqlparser::ast::{self, Spanned, TableFactor};
use sqlparser::tokenizer::Span;

/// A relation and its names.
pub(super) type Source = (Rel, Scope);

impl Binder<'_> {
    /// The items of FROM side by side; one empty row if there are none.
    pub(super) fn bind_from(&mut self, from: &[ast::TableWithJoins]) -> Result<Source> {
        let mut whole: Option<Source> = None;
        for item in from {
            whole = Some(match whole {
                None => self.joined(item, None)?,
                Some(left) => {
                    let lateral = is_lateral(&item.relation);
                    let right = self.joined(item, lateral.then_some(&left.1))?;
                    self.unique_aliases(&left.1, &right.1, item.relation.span())?;
                    self.join_rels(left, right, JoinKind::Inner, Expr::bool(true), lateral)
                }
            });
        }
        Ok(whole.unwrap_or_else(|| (Rel::Values { rows: vec![Vec::new()], columns: Vec::new() }, Scope::default())))
    }

    fn join_rels(&self, left: Source, right: Source, kind: JoinKind, on: Expr, lateral: bool) -> Source {
        let rel = Rel::Join { left: Box::new(left.0), right: Box::new(right.0), kind, on, lateral };
        (rel, left.1.join(right.1))
    }

    fn unique_aliases(&self, left: &Scope, right: &Scope, span: Span) -> Result<()> {
        for table in &right.tables {
            let twice = |other: &ScopeTable| other.alias == table.alias && other.schema == table.schema;
            if !table.alias.is_empty() && left.tables.iter().any(twice) {
                let message = format!("table name \"{}\" specified more than once", table.alias);
                return self.fail(SqlState::DUPLICATE_ALIAS, message, span);
            }
        }
        Ok(())
    }

    /// A table with its joins; `outside` are the names that a lateral item may see.
    fn joined(&mut self, item: &ast::TableWithJoins, outside: Option<&Scope>) -> Result<Source> {
        let mut left = self.visible(outside, |binder| binder.factor(&item.relation))?;
        for join in &item.joins {
            left = self.join(left, join)?;
        }
        Ok(left)
    }

    /// Runs `bind` with the names of `outside` in sight.
    fn visible<T>(&mut self, outside: Option<&Scope>, bind: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let Some(scope) = outside else { return bind(self) };
        self.levels.push(Level::with_scope("FROM", scope.clone()));
        let bound = bind(self);
        self.levels.pop();
        bound
    }

    fn join(&mut self, left: Source, join: &ast::Join) -> Result<Source> {
        use ast::JoinOperator as J;
        let (kind, constraint) = match &join.join_operator {
            J::Join(constraint) | J::Inner(constraint) | J::CrossJoin(constraint) => (JoinKind::Inner, constraint),
            J::Left(constraint) | J::LeftOuter(constraint) => (JoinKind::Left, constraint),
            J::Right(constraint) | J::RightOuter(constraint) => (JoinKind::Right, constraint),
            J::FullOuter(constraint) => (JoinKind::Full, constraint),
            _ => {
                let hint = "Use INNER, LEFT, RIGHT, FULL or CROSS JOIN.";
                return Err(self.at(Error::unsupported("this kind of join is not supported", hint), join.span()));
            }
        };
        let lateral = is_lateral(&join.relation);
        if lateral && !matches!(kind, JoinKind::Inner | JoinKind::Left) {
            let message = "The combining JOIN type must be INNER or LEFT for a LATERAL reference.";
            let error = Error::new(SqlState::INVALID_COLUMN_REFERENCE, "invalid reference to FROM-clause entry");
            return Err(self.at(error.with_detail(message), join.relation.span()));
        }
        let right = self.visible(lateral.then_some(&left.1), |binder| binder.factor(&join.relation))?;
        self.unique_aliases(&left.1, &right.1, join.relation.span())?;
        match constraint {
            ast::JoinConstraint::None => Ok(self.join_rels(left, right, kind, Expr::bool(true), lateral)),
            ast::JoinConstraint::On(on) => {
                let scope = left.1.clone().join(right.1.clone());
                self.levels.push(Level::with_scope("JOIN conditions", scope));
                let bound = self.expr(on).and_then(|bound| self.condition(bound, "JOIN/ON", on.span()));
                self.levels.pop();
                Ok(self.join_rels(left, right, kind, bound?, lateral))
            }
            ast::JoinConstraint::Using(names) => {
                let mut columns = Vec::with_capacity(names.len());
                for name in names {
                    columns.push(name_parts(name)?.pop().unwrap_or_default());
                }
                self.using(left, right, kind, &columns, join.span(), lateral)
            }
            ast::JoinConstraint::Natural => {
                let right_names: Vec<&str> = right.1.columns.iter().map(|column| column.name.as_str()).collect();
                let common = |column: &&ScopeColumn| !column.hidden && right_names.contains(&column.name.as_str());
                let columns: Vec<String> =
                    left.1.columns.iter().filter(common).map(|column| column.name.clone()).collect();
                self.using(left, right, kind, &columns, join.span(), lateral)
            }
            ast::JoinConstraint::UsingAlias(..) => {
                Err(self.at(Error::unsupported("an alias for USING is not supported", "Leave it out."), join.span()))
            }
        }
    }

    /// JOIN ... USING: equality of columns of the same name, which are shown once.
    fn using(
        &mut self,
        left: Source,
        right: Source,
        kind: JoinKind,
        names: &[String],
        span: Span,
        lateral: bool,
    ) -> Result<Source> {
        let mut conditions = Vec::with_capacity(names.len());
        let mut merged = Vec::with_capacity(names.len());
        let mut computed = Vec::new();
        for name in names {
            let a = self.using_column(&left.1, name, "left", span)?;
            let b = self.using_column(&right.1, name, "right", span)?;
            conditions.push(self.compare(CompareOp::Eq, a.expr(), b.expr(), span)?);
            let col = match kind {
                JoinKind::Right => b,
                JoinKind::Full => {
                    let (args, ty) = self.unify(vec![a.expr(), b.expr()], "JOIN/USING", span)?;
                    let col = self.new_col(ty.clone());
                    computed.push((col.clone(), Expr::Coalesce { args, ty }));
                    col
                }
                _ => a,
            };
            merged.push(ScopeColumn { name: name.clone(), col, hidden: false });
        }
        let (mut rel, mut scope) = self.join_rels(left, right, kind, Expr::and(conditions), lateral);
        if !computed.is_empty() {
            rel = Rel::Extend { input: Box::new(rel), columns: computed };
        }
        let rest = scope.columns.iter().filter(|column| column.hidden || !names.contains(&column.name)).cloned();
        scope.columns = merged.into_iter().chain(rest).collect();
        Ok((rel, scope))
    }

    fn using_column(&self, scope: &Scope, name: &str, side: &str, span: Span) -> Result<Col> {
        let mut found = scope.columns.iter().filter(|column| column.name == name && !column.hidden);
        match (found.next(), found.next()) {
            (Some(column), None) => Ok(column.col.clone()),
            (Some(_), Some(_)) => {
                let message = format!("common column name \"{name}\" appears more than once in {side} table");
                self.fail(SqlState::AMBIGUOUS_COLUMN, message, span)
            }
            (None, _) => {
                let message = format!("column \"{name}\" specified in USING clause does not exist in {side} table");
                self.fail(SqlState::UNDEFINED_COLUMN, message, span)
            }
        }
    }

    fn factor(&mut self, factor: &TableFactor) -> Result<Source> {
        self.refuse_factor(factor)?;
        match factor {
            TableFactor::Table { name, alias, args: None, .. } => self.named_table(name, alias.as_ref()),
            TableFactor::Table { name, alias, args: Some(args), with_ordinality, .. } => {
                self.function_source(name, &args.args, alias.as_ref(), *with_ordinality)
            }
            TableFactor::Function { name, args, alias, with_ordinality, .. } => {
                self.function_source(name, args, alias.as_ref(), *with_ordinality)
            }
            TableFactor::UNNEST { alias, array_exprs, with_ordinality, .. } => {
                let mut args = Vec::with_capacity(array_exprs.len());
                for arg in array_exprs {
                    args.push(self.expr(arg)?);
                }
                self.function_of("unnest", args, alias.as_ref(), *with_ordinality, factor.span())
            }
            TableFactor::Derived { subquery, alias, .. } => {
                let (query, names) = self.subquery(subquery)?;
                self.derived(query, names, alias.as_ref())
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                let (rel, scope) = self.joined(table_with_joins, None)?;
                match alias {
                    None => Ok((rel, scope)),
                    Some(alias) => {
                        let columns = scope.columns;
                        Ok((rel, self.aliased(None, "", columns, Some(alias))?))
                    }
                }
            }
            other => {
                let hint = "FROM takes tables, subqueries, functions and joins.";
                Err(self.at(Error::unsupported("this item in FROM is not supported", hint), other.span()))
            }
        }
    }

    fn named_table(&mut self, name: &ast::ObjectName, alias: Option<&ast::TableAlias>) -> Result<Source> {
        if let [ast::ObjectNamePart::Identifier(only)] = name.0.as_slice()
            && let Some(source) = self.cte_source(&ident(only), alias, only.span)?
        {
            return Ok(source);
        }
        match self.relation(name)? {
            Relation::Table(table) => {
                let shown = alias.map_or(table.name.clone(), |alias| ident(&alias.name));
                let mut columns = Vec::with_capacity(table.columns.len());
                for column in &table.columns {
                    let origin = Some((table.id, column.id));
                    let col = self.table_col(&shown, &column.name, column.ty.clone(), origin);
                    columns.push(ScopeColumn { name: column.name.clone(), col, hidden: column.hidden });
                }
                let cols = columns.iter().map(|column| column.col.clone()).collect();
                let schema = self.context.catalog.schema_name(table.schema).map(str::to_string);
                let scope = self.aliased(schema, &table.name, columns, alias)?;
                Ok((Rel::Table { table, columns: cols, alias: shown, lock: None }, scope))
            }
            Relation::Virtual(table) => {
                let shown = alias.map_or(table.name.to_string(), |alias| ident(&alias.name));
                let mut columns = Vec::with_capacity(table.columns.len());
                for (name, ty) in &table.columns {
                    let col = self.table_col(&shown, name, ty.clone(), None);
                    columns.push(ScopeColumn { name: name.to_string(), col, hidden: false });
                }
                let cols = columns.iter().map(|column| column.col.clone()).collect();
                let schema = self.context.catalog.schema_name(table.schema).map(str::to_string);
                let scope = self.aliased(schema, table.name, columns, alias)?;
                Ok((Rel::Virtual { table, columns: cols }, scope))
            }
            Relation::Index(..) => {
                let message = format!("cannot open relation \"{name}\"");
                let error = Error::new(SqlState::WRONG_OBJECT_TYPE, message);
                Err(self.at(error.with_detail("This operation is not supported for indexes."), name_span(name)))
            }
            Relation::Sequence(_) => {
                let hint = "Use nextval, currval or pg_sequences.";
                Err(self
                    .at(Error::unsupported("reading a sequence as a table is not supported", hint), name_span(name)))
            }
        }
    }

    /// The scope of one item of FROM under its alias, columns renamed by the alias's list.
    pub(super) fn aliased(
        &self,
        schema: Option<String>,
        name: &str,
        mut columns: Vec<ScopeColumn>,
        alias: Option<&ast::TableAlias>,
    ) -> Result<Scope> {
        let Some(alias) = alias else {
            return Ok(Scope::of_table(ScopeTable { schema, alias: name.to_string(), columns }));
        };
        let shown = columns.iter().filter(|column| !column.hidden).count();
        if alias.columns.len() > shown {
            let message = format!(
                "table \"{}\" has {shown} columns available but {} columns specified",
                ident(&alias.name),
                alias.columns.len()
            );
            return self.fail(SqlState::INVALID_COLUMN_REFERENCE, message, alias.name.span);
        }
        for (column, renamed) in columns.iter_mut().filter(|column| !column.hidden).zip(&alias.columns) {
            column.name = ident(&renamed.name);
        }
        Ok(Scope::of_table(ScopeTable { schema: None, alias: ident(&alias.name), columns }))
    }

    /// A subquery or CTE in FROM.
    pub(super) fn derived(
        &mut self,
        query: Query,
        names: Vec<String>,
        alias: Option<&ast::TableAlias>,
    ) -> Result<Source> {
        // A column shown twice gets an id of its own, so that names stay apart.
        let exprs: Vec<Expr> = query.columns.iter().map(Col::expr).collect();
        let columns: Vec<ScopeColumn> = names
            .into_iter()
            .zip(&query.columns)
            .map(|(name, col)| ScopeColumn { name, col: col.clone(), hidden: false })
            .collect();
        debug_assert_eq!(exprs.len(), columns.len());
        let scope = self.aliased(None, "", columns, alias)?;
        if let Some(table) = scope.tables.first() {
            for column in &table.columns {
                self.facts.entry(column.col.id).or_insert_with(|| super::ColumnFacts {
                    table: table.alias.clone(),
                    name: column.name.clone(),
                    origin: None,
                });
            }
        }
        Ok((query.rel, scope))
    }

    fn function_source(
        &mut self,
        name: &ast::ObjectName,
        args: &[ast::FunctionArg],
        alias: Option<&ast::TableAlias>,
        ordinality: bool,
    ) -> Result<Source> {
        let span = name_span(name);
        let mut bound = Vec::with_capacity(args.len());
        for arg in args {
            match arg {
                ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expr)) => bound.push(self.expr(expr)?),
                _ => {
                    let error =
                        Error::unsupported("this form of argument is not supported", "Give arguments by place.");
                    return Err(self.at(error, span));
                }
            }
        }
        let name = name_parts(name)?.pop().unwrap_or_default();
        self.function_of(&name, bound, alias, ordinality, span)
    }

    fn function_of(
        &mut self,
        name: &str,
        args: Vec<Expr>,
        alias: Option<&ast::TableAlias>,
        ordinality: bool,
        span: Span,
    ) -> Result<Source> {
        let (function, args, mut shown) = match functions::table_function(name) {
            Some(function) => {
                let (args, columns) = self.table_function_types(function, name, args, span)?;
                (function, args, columns)
            }
            None => match self.call(name, args, span)? {
                Expr::Call { function, args, ty } => {
                    (TableFunction::Scalar(function), args, vec![(name.to_string(), ty)])
                }
                _ => return Err(self.at(Error::unsupported("a cast cannot stand in FROM", "Use SELECT."), span)),
            },
        };
        // The one column of a function is called like its alias.
        if let ([(column, _)], Some(alias)) = (shown.as_mut_slice(), alias) {
            *column = ident(&alias.name);
        }
        if ordinality {
            shown.push(("ordinality".to_string(), Type::Int8));
        }
        let table = alias.map_or(name.to_string(), |alias| ident(&alias.name));
        let mut columns = Vec::with_capacity(shown.len());
        for (name, ty) in shown {
            let col = self.table_col(&table, &name, ty, None);
            columns.push(ScopeColumn { name, col, hidden: false });
        }
        let cols = columns.iter().map(|column| column.col.clone()).collect();
        let scope = self.aliased(None, name, columns, alias)?;
        Ok((Rel::Function { function, args, ordinality, columns: cols }, scope))
    }

    /// Arguments of a set-returning function cast to what it takes, and its columns.
    pub(super) fn table_function_types(
        &mut self,
        function: TableFunction,
        name: &str,
        args: Vec<Expr>,
        span: Span,
    ) -> Result<(Vec<Expr>, Vec<(String, Type)>)> {
        let types: Vec<Type> = args.iter().map(|arg| arg.ty().clone()).collect();
        let Some((targets, columns)) = signature(function, name, &types) else {
            let shown: Vec<String> = types.iter().map(Type::sql_name).collect();
            let message = format!("function {name}({}) does not exist", shown.join(", "));
            let error = Error::new(SqlState::UNDEFINED_FUNCTION, message).with_hint(
                "No function matches the given name and argument types. You might need to add explicit type casts.",
            );
            return Err(self.at(error, span));
        };
        let mut cast = Vec::with_capacity(args.len());
        for (arg, target) in args.into_iter().zip(&targets) {
            cast.push(self.coerce(arg, target, CastKind::Implicit, span)?);
        }
        Ok((cast, columns))
    }
}

fn signature(function: TableFunction, name: &str, args: &[Type]) -> Option<(Vec<Type>, Vec<(String, Type)>)> {
    use TableFunction as T;
    let one = |targets: Vec<Type>, ty: Type| Some((targets, vec![(name.to_string(), ty)]));
    match (function, args) {
        (T::GenerateSeries, [_, _] | [_, _, _]) => {
            let series = super::operator::comparison_type(&args[0], &args[1])?;
            let series = match (series, args.get(2)) {
                (Type::Int2, None) => Type::Int4,
                (Type::Text, _) => Type::Int4,
                (number, Some(step)) if number.is_number() && step.is_number() => {
                    super::operator::number_type(&number, step)
                }
                (other, _) => other,
            };
            match series {
                Type::Int2 | Type::Int4 | Type::Int8 | Type::Numeric(_) => {
                    let ty = if series == Type::Int2 { Type::Int4 } else { series };
                    one(vec![ty.clone(); args.len()], ty)
                }
                Type::Date | Type::Timestamp(_) | Type::Timestamptz(_) if args.len() == 3 => {
                    let ty = if series == Type::Date { Type::TIMESTAMPTZ } else { series };
                    one(vec![ty.clone(), ty.clone(), Type::INTERVAL], ty)
                }
                _ => None,
            }
        }
        (T::Unnest, [_, ..]) => {
            let mut columns = Vec::with_capacity(args.len());
            for arg in args {
                columns.push((name.to_string(), arg.element()?.clone()));
            }
            Some((args.to_vec(), columns))
        }
        (T::GenerateSubscripts, [array, _] | [array, _, _]) => {
            array.element()?;
            one([array.clone(), Type::Int4, Type::Bool][..args.len()].to_vec(), Type::Int4)
        }
        (T::RegexpSplitToTable | T::StringToTable, [_, _] | [_, _, _]) => one(vec![Type::Text; args.len()], Type::Text),
        (T::RegexpMatches, [_, _] | [_, _, _]) => one(vec![Type::Text; args.len()], Type::array_of(Type::Text)),
        (T::JsonArrayElements, [_]) => {
            let ty = if name.starts_with("jsonb") { Type::Jsonb } else { Type::Json };
            Some((vec![ty.clone()], vec![("value".to_string(), ty)]))
        }
        (T::PartitionAncestors, [_]) => one(vec![Type::Regclass], Type::Regclass),
        (T::OptionsToTable, [_]) => Some((
            vec![Type::array_of(Type::Text)],
            named(&[("option_name", Type::Text), ("option_value", Type::Text)]),
        )),
        (T::Keywords, []) => Some((
            Vec::new(),
            named(&[
                ("word", Type::Text),
                ("catcode", Type::InternalChar),
                ("barelabel", Type::Bool),
                ("catdesc", Type::Text),
                ("baredesc", Type::Text),
            ]),
        )),
        (T::AclExplode, [_]) => Some((
            vec![Type::array_of(Type::Text)],
            named(&[
                ("grantor", Type::Oid),
                ("grantee", Type::Oid),
                ("privilege_type", Type::Text),
                ("is_grantable", Type::Bool),
            ]),
        )),
        _ => None,
    }
}

fn named(columns: &[(&str, Type)]) -> Vec<(String, Type)> {
    columns.iter().map(|(name, ty)| (name.to_string(), ty.clone())).collect()
}

/// Whether an item may see those to its left: LATERAL, and functions always.
fn is_lateral(factor: &TableFactor) -> bool {
    match factor {
        TableFactor::Derived { lateral, .. } => *lateral,
        TableFactor::Function { .. } | TableFactor::UNNEST { .. } => true,
        TableFactor::Table { args, .. } => args.is_some(),
        _ => false,
    }
}
