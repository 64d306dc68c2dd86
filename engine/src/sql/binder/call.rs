//! Function calls: scalar functions, aggregates, and set-returning functions in the select list.

use super::functions::{self, Choice};
use super::{Binder, scope};
use crate::error::{Error, Result, SqlState};
use crate::sql::catalog::closest;
use crate::sql::catalog::system::QUORATE;
use crate::sql::plan::{AggregateCall, AggregateFunction, Expr, Function, SortKey, TableFunction};
use crate::sql::types::{CastKind, Type};
use sqlparser::ast::{self, Spanned};
use sqlparser::tokenizer::Span;

/// The parts of a call that we take.
struct Call<'a> {
    name: String,
    args: Vec<&'a ast::Expr>,
    /// `count(*)`
    star: bool,
    distinct: bool,
    order_by: &'a [ast::OrderByExpr],
    filter: Option<&'a ast::Expr>,
    span: Span,
}

impl Binder<'_> {
    pub(super) fn function(&mut self, function: &ast::Function) -> Result<Expr> {
        if let ast::FunctionArguments::Subquery(query) = &function.args {
            return match scope::name_parts(&function.name)?.as_slice() {
                [name] if name == "array" => self.array_subquery(query),
                _ => Err(Error::new(SqlState::SYNTAX_ERROR, "a subquery cannot be an argument list")),
            };
        }
        let call = self.call_parts(function)?;
        if let (ast::FunctionArguments::None, Some(value)) =
            (&function.args, self.call_without_parentheses(&call.name)?)
        {
            return Ok(value);
        }
        if function.over.is_some() {
            let hint = "Use GROUP BY, or a correlated subquery.";
            return Err(self.at(Error::unsupported("window functions are not supported", hint), call.span));
        }
        if let Some(aggregate) = functions::aggregate(&call.name) {
            return self.aggregate(aggregate, &call);
        }
        if call.distinct || call.star || call.filter.is_some() || !call.order_by.is_empty() {
            let message = format!("{}(...) is not an aggregate function", call.name);
            return self.fail(SqlState::WRONG_OBJECT_TYPE, message, call.span);
        }
        if let Some(set) = functions::table_function(&call.name) {
            return self.set_in_select(set, &call);
        }
        match call.name.as_str() {
            "coalesce" => return self.coalesce(&call),
            "row" => return self.row_of(&call),
            _ => {}
        }
        let mut args = Vec::with_capacity(call.args.len());
        for arg in &call.args {
            args.push(self.expr(arg)?);
        }
        self.call(&call.name, args, call.span)
    }

    fn row_of(&mut self, call: &Call<'_>) -> Result<Expr> {
        let mut fields = Vec::with_capacity(call.args.len());
        for arg in &call.args {
            let bound = self.expr(arg)?;
            fields.push(self.decided(bound)?);
        }
        Ok(Expr::Row { fields, ty: Type::Record })
    }

    fn coalesce(&mut self, call: &Call<'_>) -> Result<Expr> {
        let mut args = Vec::with_capacity(call.args.len());
        for arg in &call.args {
            args.push(self.expr(arg)?);
        }
        let (args, ty) = self.unify(args, "COALESCE", call.span)?;
        Ok(Expr::Coalesce { args, ty })
    }

    /// A scalar function by name over bound arguments.
    pub(super) fn call(&mut self, name: &str, args: Vec<Expr>, span: Span) -> Result<Expr> {
        let types: Vec<Type> = args.iter().map(|arg| arg.ty().clone()).collect();
        let Some(choice) = functions::scalar(name).and_then(|found| functions::choose(found, &types)) else {
            if let Some(cast) = self.cast_call(name, &args, span)? {
                return Ok(cast);
            }
            return Err(self.no_function(name, &types, span));
        };
        let args = self.cast_args(&choice, args, span)?;
        Ok(Expr::Call { function: choice.function, args, ty: choice.result })
    }

    fn cast_args(&mut self, choice: &Choice, args: Vec<Expr>, span: Span) -> Result<Vec<Expr>> {
        let mut cast = Vec::with_capacity(args.len());
        for (arg, ty) in args.into_iter().zip(&choice.args) {
            cast.push(match ty {
                Some(ty) => self.coerce(arg, &ty.without_modifiers(), CastKind::Implicit, span)?,
                None => self.decided(arg)?,
            });
        }
        Ok(cast)
    }

    /// `text(x)`, `int4(x)`: a type's name called like a function is a cast.
    fn cast_call(&mut self, name: &str, args: &[Expr], span: Span) -> Result<Option<Expr>> {
        let ([arg], Some(ty)) = (args, Type::by_name(name)) else { return Ok(None) };
        self.coerce(arg.clone(), &ty, CastKind::Explicit, span).map(Some)
    }

    fn no_function(&self, name: &str, types: &[Type], span: Span) -> Error {
        let shown: Vec<String> = types.iter().map(Type::sql_name).collect();
        let message = format!("function {name}({}) does not exist", shown.join(", "));
        let known = functions::scalar(name).is_some() || functions::aggregate(name).is_some();
        let near = if known { None } else { closest(name, functions::names()) };
        let hint = match near {
            Some(near) => format!("Did you mean \"{near}\"?"),
            None => "No function matches the given name and argument types. You might need to add explicit type casts."
                .to_string(),
        };
        self.at(Error::new(SqlState::UNDEFINED_FUNCTION, message).with_hint(hint), span)
    }

    /// CURRENT_TIMESTAMP, CURRENT_USER and the like.
    pub(super) fn call_without_parentheses(&mut self, name: &str) -> Result<Option<Expr>> {
        let (function, ty) = match name {
            "current_timestamp" => (Function::Now, Type::TIMESTAMPTZ),
            "localtimestamp" => (Function::LocalTimestamp, Type::TIMESTAMP),
            "current_date" => (Function::CurrentDate, Type::Date),
            "localtime" | "current_time" => (Function::CurrentTime, Type::TIME),
            "current_user" | "user" | "current_role" => (Function::CurrentUser, Type::Name),
            "session_user" => (Function::SessionUser, Type::Name),
            "current_catalog" => (Function::CurrentDatabase, Type::Name),
            "current_schema" => (Function::CurrentSchema, Type::Name),
            _ => return Ok(None),
        };
        Ok(Some(Expr::Call { function, args: Vec::new(), ty }))
    }

    fn aggregate(&mut self, function: AggregateFunction, call: &Call<'_>) -> Result<Expr> {
        let name = function.name();
        let refusal = match self.levels.last() {
            Some(level) if level.in_aggregate => Some("aggregate function calls cannot be nested".to_string()),
            Some(level) if level.aggregates.is_none() => {
                Some(format!("aggregate functions are not allowed in {}", level.clause))
            }
            _ => None,
        };
        if let Some(message) = refusal {
            return self.fail(SqlState::GROUPING_ERROR, message, call.span);
        }
        if call.star && function != AggregateFunction::Count {
            let message = format!("{name}(*) specified, but {name} is not a parameterless aggregate");
            return self.fail(SqlState::UNDEFINED_FUNCTION, message, call.span);
        }
        if let Some(level) = self.levels.last_mut() {
            level.in_aggregate = true;
        }
        let bound = self.aggregate_call(function, call);
        if let Some(level) = self.levels.last_mut() {
            level.in_aggregate = false;
        }
        let bound = bound?;
        let ty = bound.ty.clone();
        let known = self.known_aggregate(&bound);
        let col = match known {
            Some(col) => col,
            None => {
                let col = self.new_col(ty);
                if let Some(aggregates) = self.levels.last_mut().and_then(|level| level.aggregates.as_mut()) {
                    aggregates.push((col.clone(), bound));
                }
                col
            }
        };
        Ok(col.expr())
    }

    /// The column of an equal aggregate of this level.
    fn known_aggregate(&self, call: &AggregateCall) -> Option<crate::sql::optimizer::logical::Col> {
        let aggregates = self.levels.last()?.aggregates.as_ref()?;
        let shown = format!("{call:?}");
        aggregates.iter().find(|(_, known)| format!("{known:?}") == shown).map(|(col, _)| col.clone())
    }

    fn aggregate_call(&mut self, function: AggregateFunction, call: &Call<'_>) -> Result<AggregateCall> {
        let mut args = Vec::with_capacity(call.args.len());
        for arg in &call.args {
            args.push(self.expr(arg)?);
        }
        let mut order_by = Vec::with_capacity(call.order_by.len());
        for key in call.order_by {
            let expr = self.expr(&key.expr)?;
            let expr = self.decided(expr)?;
            order_by.push(sort_key(expr, &key.options));
        }
        let filter = match call.filter {
            Some(filter) => {
                let bound = self.expr(filter)?;
                Some(self.condition(bound, "FILTER", filter.span())?)
            }
            None => None,
        };
        let function = if call.star { AggregateFunction::CountRows } else { function };
        let types: Vec<Type> = args.iter().map(|arg| arg.ty().clone()).collect();
        let Some((targets, ty)) = aggregate_types(function, &types) else {
            return Err(self.no_function(function.name(), &types, call.span));
        };
        let mut cast = Vec::with_capacity(args.len());
        for (arg, target) in args.into_iter().zip(&targets) {
            cast.push(self.coerce(arg, target, CastKind::Implicit, call.span)?);
        }
        Ok(AggregateCall { function, args: cast, distinct: call.distinct, order_by, filter, ty })
    }

    /// A set-returning function in the select list becomes a column of `ExtendSet`.
    fn set_in_select(&mut self, function: TableFunction, call: &Call<'_>) -> Result<Expr> {
        if self.levels.last().is_none_or(|level| level.sets.is_none()) {
            let message = format!("set-returning functions are not allowed in {}", self.clause());
            return self.fail(SqlState::FEATURE_NOT_SUPPORTED, message, call.span);
        }
        let mut args = Vec::with_capacity(call.args.len());
        for arg in &call.args {
            args.push(self.expr(arg)?);
        }
        let (args, columns) = self.table_function_types(function, &call.name, args, call.span)?;
        let [(_, ty)] = columns.as_slice() else {
            let hint = "Call it in FROM.";
            let message = format!("{}(...) returns several columns", call.name);
            return Err(self.at(Error::unsupported(message, hint), call.span));
        };
        let col = self.new_col(ty.clone());
        if let Some(sets) = self.levels.last_mut().and_then(|level| level.sets.as_mut()) {
            sets.push((col.clone(), function, args));
        }
        Ok(col.expr())
    }

    fn call_parts<'a>(&self, function: &'a ast::Function) -> Result<Call<'a>> {
        let span = scope::name_span(&function.name);
        let mut parts = scope::name_parts(&function.name)?;
        let mut name = parts.pop().unwrap_or_default();
        match parts.pop().as_deref() {
            None | Some("pg_catalog" | "information_schema") => {}
            Some(QUORATE) => name = format!("{QUORATE}.{name}"),
            Some(schema) => {
                let message = format!("function {schema}.{name} does not exist");
                return self.fail(SqlState::UNDEFINED_FUNCTION, message, span);
            }
        }
        let mut call = Call { name, args: Vec::new(), star: false, distinct: false, order_by: &[], filter: None, span };
        call.filter = function.filter.as_deref();
        let refused = |what: &str| {
            let hint = "Leave it out.";
            Err(self.at(Error::unsupported(format!("{what} is not supported in a function call"), hint), span))
        };
        if function.null_treatment.is_some() || !function.within_group.is_empty() {
            return refused("this clause");
        }
        let ast::FunctionArguments::List(list) = &function.args else { return Ok(call) };
        call.distinct = list.duplicate_treatment == Some(ast::DuplicateTreatment::Distinct);
        for clause in &list.clauses {
            match clause {
                ast::FunctionArgumentClause::OrderBy(keys) => call.order_by = keys,
                _ => return refused("this clause"),
            }
        }
        for arg in &list.args {
            match arg {
                ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expr)) => call.args.push(expr),
                ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Wildcard) if list.args.len() == 1 => call.star = true,
                _ => return refused("this form of argument"),
            }
        }
        Ok(call)
    }
}

/// A key of ORDER BY with PostgreSQL's defaults for NULLs.
pub(super) fn sort_key(expr: Expr, options: &ast::OrderByOptions) -> SortKey {
    let descending = matches!(options.sort, Some(ast::OrderBySort::Desc));
    SortKey { expr, descending, nulls_first: options.nulls_first.unwrap_or(descending) }
}

/// The types that an aggregate takes and gives.
fn aggregate_types(function: AggregateFunction, args: &[Type]) -> Option<(Vec<Type>, Type)> {
    use AggregateFunction as A;
    let one = |takes: Type, gives: Type| Some((vec![takes], gives));
    match (function, args) {
        (A::CountRows, []) => Some((Vec::new(), Type::Int8)),
        (A::Count, [arg]) => one(decided(arg), Type::Int8),
        (A::Sum, [arg]) => match arg {
            Type::Int2 | Type::Int4 => one(arg.clone(), Type::Int8),
            Type::Int8 | Type::Numeric(_) => one(arg.clone(), Type::NUMERIC),
            Type::Float4 | Type::Float8 => one(arg.clone(), arg.clone()),
            Type::Interval(_) => one(arg.clone(), Type::INTERVAL),
            _ => None,
        },
        (A::Avg, [arg]) => match arg {
            Type::Int2 | Type::Int4 | Type::Int8 | Type::Numeric(_) => one(arg.clone(), Type::NUMERIC),
            Type::Float4 | Type::Float8 => one(arg.clone(), Type::Float8),
            Type::Interval(_) => one(arg.clone(), Type::INTERVAL),
            _ => None,
        },
        (A::Min | A::Max, [arg]) => {
            let arg = decided(arg);
            let result =
                if arg == Type::Name || matches!(arg, Type::Varchar(_)) { Type::Text } else { arg.without_modifiers() };
            (arg.is_orderable() && !matches!(arg, Type::Bool | Type::Uuid | Type::Jsonb)).then(|| (vec![arg], result))
        }
        (A::BoolAnd | A::BoolOr, [Type::Bool | Type::Unknown]) => one(Type::Bool, Type::Bool),
        (A::StringAgg, [Type::Bytea, Type::Bytea | Type::Unknown]) => {
            Some((vec![Type::Bytea, Type::Bytea], Type::Bytea))
        }
        (A::StringAgg, [text, separator]) if text.is_string() && separator.is_string() => {
            Some((vec![Type::Text, Type::Text], Type::Text))
        }
        (A::ArrayAgg, [arg]) => {
            let arg = decided(arg);
            let result = Type::array_of(arg.without_modifiers());
            one(arg, result)
        }
        (A::JsonAgg, [arg]) => one(decided(arg), Type::Json),
        (A::JsonbAgg, [arg]) => one(decided(arg), Type::Jsonb),
        (A::StddevSamp | A::StddevPop | A::VarSamp | A::VarPop, [arg]) if arg.is_number() => match arg {
            Type::Float4 | Type::Float8 => one(Type::Float8, Type::Float8),
            _ => one(Type::NUMERIC, Type::NUMERIC),
        },
        (A::BitAnd | A::BitOr, [arg]) if arg.is_integer() => one(arg.clone(), arg.clone()),
        _ => None,
    }
}

fn decided(ty: &Type) -> Type {
    if *ty == Type::Unknown { Type::Text } else { ty.clone() }
}
