//! Names as text: quoting, qualified names in strings (`'s."T"'::regclass`), and the nearest name for hints.

use super::view::{CatalogView, SearchPath};
use crate::sql::parser::is_reserved_word;
use crate::sql::types::{ObjectKind, ObjectNames};
use std::sync::Arc;

/// The name as it must be written in SQL: quoted unless it is a plain lower-case word that is not reserved.
pub fn quote_ident(name: &str) -> String {
    let mut bytes = name.bytes();
    let plain = bytes.next().is_some_and(|first| first.is_ascii_lowercase() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'$');
    if plain && !is_reserved_word(name) { name.to_string() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// The parts of a possibly qualified, possibly quoted name in a string; `None` if it is not one.
pub fn parse_qualified(text: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let (part, after) = parse_part(rest)?;
        parts.push(part);
        rest = after.trim_start();
        match rest.strip_prefix('.') {
            Some(more) => rest = more.trim_start(),
            None if rest.is_empty() => return Some(parts),
            None => return None,
        }
    }
}

fn parse_part(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|c: char| c == '.' || c == '"' || c.is_whitespace()).unwrap_or(text.len());
        return (end > 0).then(|| (text[..end].to_lowercase(), &text[end..]));
    };
    let mut name = String::new();
    let mut chars = quoted.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != '"' {
            name.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == '"') {
            name.push('"');
            chars.next();
        } else {
            return (!name.is_empty()).then(|| (name, &quoted[at + 1..]));
        }
    }
    None
}

/// The candidate that is most like `name`, if one is near enough to be a slip of the keys.
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).min(3);
    candidates
        .into_iter()
        .filter(|candidate| *candidate != name && candidate.len().abs_diff(name.len()) <= limit)
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours that make one name of the other.
pub fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut next = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = row[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            next[j] = replaced.min(row[j] + 1).min(next[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                next[j] = next[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

/// The catalog as the `reg*` types see it from one session.
#[derive(Clone, Debug)]
pub struct CatalogNames {
    /// The catalog.
    pub view: Arc<CatalogView>,
    /// The session's path.
    pub path: SearchPath,
}

impl ObjectNames for CatalogNames {
    fn oid_of(&self, kind: ObjectKind, name: &str) -> Option<u32> {
        let parts = parse_qualified(name)?;
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match (kind, parts.as_slice()) {
            (ObjectKind::Relation, [name]) => self.view.resolve(&self.path, None, name).map(|found| found.oid()),
            (ObjectKind::Relation, [schema, name]) => {
                self.view.resolve(&self.path, Some(schema), name).map(|found| found.oid())
            }
            (ObjectKind::Schema, [name]) => self.view.schema_named(self.path.database, name).map(|id| id.0),
            (ObjectKind::Role, [name]) => self.view.role_named(name).map(|role| role.id.0),
            (ObjectKind::Function, [name] | ["pg_catalog", name]) => function_oid(name),
            _ => None,
        }
    }

    fn name_of(&self, kind: ObjectKind, oid: u32) -> Option<String> {
        match kind {
            ObjectKind::Relation => {
                let relation = self.view.relation(oid)?;
                let name = quote_ident(relation.name());
                if self.view.is_visible(&self.path, &relation) {
                    return Some(name);
                }
                let schema = self.view.schema_name(relation.schema())?;
                Some(format!("{}.{name}", quote_ident(schema)))
            }
            ObjectKind::Schema => self.view.schema_name(super::SchemaId(oid)).map(quote_ident),
            ObjectKind::Role => self.view.roles().find(|role| role.id.0 == oid).map(|role| quote_ident(&role.name)),
            ObjectKind::Function => None,
        }
    }
}

/// OIDs of functions by which drivers tell types, as PostgreSQL has them.
fn function_oid(name: &str) -> Option<u32> {
    match name {
        "array_in" => Some(750),
        "now" => Some(1299),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_only_where_needed() {
        assert_eq!(quote_ident("order_line"), "order_line");
        assert_eq!(quote_ident("order"), "\"order\"");
        assert_eq!(quote_ident("Strange\"one"), "\"Strange\"\"one\"");
    }

    #[test]
    fn qualified_names_are_cut_at_dots_outside_quotes() {
        let parts = |text| parse_qualified(text).unwrap_or_default();
        assert_eq!(parts("Public.\"A.b\""), ["public", "A.b"]);
        assert_eq!(parts(" t "), ["t"]);
        assert!(parse_qualified("a..b").is_none());
        assert!(parse_qualified("\"open").is_none());
    }

    #[test]
    fn near_names_are_found() {
        assert_eq!(closest("acounts", ["accounts", "branches"]), Some("accounts"));
        assert_eq!(closest("selct", ["delete", "select"]), Some("select"));
        assert_eq!(closest("xyz", ["accounts"]), None);
        assert_eq!(distance("ab", "ba"), 1);
    }
}
