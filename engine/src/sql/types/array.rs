//! Arrays: values of one type in up to six dimensions, and their text form `{1,NULL,"a b"}`.

use super::{Text, Type, TypeContext, Value};
use crate::error::{Error, Result, SqlState};

/// Most dimensions of an array.
pub(crate) const MAX_DIMENSIONS: usize = 6;
/// Most elements of an array.
pub(crate) const MAX_ELEMENTS: usize = 1 << 27;

/// An array value. Elements lie in row-major order; an empty array has no dimensions.
#[derive(Clone, Debug)]
pub struct Array {
    element: Type,
    dimensions: Vec<Dimension>,
    values: Vec<Value>,
}

/// One dimension of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dimension {
    /// Elements along it.
    pub length: u32,
    /// Subscript of the first.
    pub lower: i32,
}

impl Array {
    /// A one-dimensional array with subscripts from 1.
    pub fn new(element: Type, values: Vec<Value>) -> Array {
        Array::with_lower(element, values, 1)
    }

    /// A one-dimensional array with subscripts from `lower`.
    pub fn with_lower(element: Type, values: Vec<Value>, lower: i32) -> Array {
        let dimensions = match values.len() {
            0 => Vec::new(),
            length => vec![Dimension { length: length as u32, lower }],
        };
        Array { element, dimensions, values }
    }

    /// The array whose outermost dimension runs over `rows`, which are arrays of one shape; SQLSTATE 2202E if they differ.
    pub fn from_rows(element: Type, rows: &[Value]) -> Result<Array> {
        let mut shape: Option<&[Dimension]> = None;
        let mut values = Vec::new();
        for row in rows {
            let (dimensions, elements): (&[Dimension], &[Value]) = match row {
                Value::Array(array) => (&array.dimensions, &array.values),
                _ => (&[], &[]),
            };
            if *shape.get_or_insert(dimensions) != dimensions {
                let message = "multidimensional arrays must have array expressions with matching dimensions";
                return Err(Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message));
            }
            values.extend_from_slice(elements);
        }
        let mut dimensions = vec![Dimension { length: rows.len() as u32, lower: 1 }];
        dimensions.extend_from_slice(shape.unwrap_or(&[]));
        Array::with_dimensions(element, dimensions, values)
    }

    /// An array of any shape; an error if the lengths do not multiply to the number of values.
    pub fn with_dimensions(element: Type, dimensions: Vec<Dimension>, values: Vec<Value>) -> Result<Array> {
        let size = dimensions.iter().try_fold(1usize, |size, dimension| size.checked_mul(dimension.length as usize));
        if values.is_empty() {
            return Ok(Array { element, dimensions: Vec::new(), values });
        }
        if dimensions.len() > MAX_DIMENSIONS {
            return Err(too_many_dimensions(dimensions.len()));
        }
        if size != Some(values.len()) {
            return Err(Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, "wrong number of array elements"));
        }
        Ok(Array { element, dimensions, values })
    }

    /// The type of the elements.
    pub fn element_type(&self) -> &Type {
        &self.element
    }

    /// The dimensions; none for an empty array.
    pub fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    /// The elements in row-major order.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The element at `subscripts`; `None` outside, or if their number is not that of the dimensions.
    pub fn get(&self, subscripts: &[i64]) -> Option<&Value> {
        if subscripts.len() != self.dimensions.len() || self.values.is_empty() {
            return None;
        }
        let mut at = 0usize;
        for (dimension, subscript) in self.dimensions.iter().zip(subscripts) {
            let offset = subscript.checked_sub(i64::from(dimension.lower))?;
            let inside = (0..i64::from(dimension.length)).contains(&offset);
            at = at * dimension.length as usize + inside.then_some(offset as usize)?;
        }
        self.values.get(at)
    }

    /// The array with each element changed by `change`, and the type of the new elements.
    pub fn map(&self, element: Type, change: impl FnMut(&Value) -> Result<Value>) -> Result<Array> {
        let values = self.values.iter().map(change).collect::<Result<_>>()?;
        Ok(Array { element, dimensions: self.dimensions.clone(), values })
    }

    /// Appends the text form.
    pub fn write(&self, ctx: &TypeContext, out: &mut String) {
        if self.values.is_empty() {
            return out.push_str("{}");
        }
        if self.dimensions.iter().any(|dimension| dimension.lower != 1) {
            for dimension in &self.dimensions {
                let upper = i64::from(dimension.lower) + i64::from(dimension.length) - 1;
                out.push_str(&format!("[{}:{upper}]", dimension.lower));
            }
            out.push('=');
        }
        self.write_dimension(&self.dimensions, &self.values, ctx, out);
    }

    fn write_dimension(&self, dimensions: &[Dimension], values: &[Value], ctx: &TypeContext, out: &mut String) {
        let [first, rest @ ..] = dimensions else {
            return values.iter().for_each(|value| self.write_element(value, ctx, out));
        };
        out.push('{');
        let stride = values.len() / (first.length as usize).max(1);
        for (at, part) in values.chunks(stride.max(1)).enumerate() {
            if at > 0 {
                out.push(',');
            }
            self.write_dimension(rest, part, ctx, out);
        }
        out.push('}');
    }

    fn write_element(&self, value: &Value, ctx: &TypeContext, out: &mut String) {
        if value.is_null() {
            return out.push_str("NULL");
        }
        let start = out.len();
        value.write_text(&self.element, ctx, out);
        if !needs_quotes(&out[start..]) {
            return;
        }
        let plain = out.split_off(start);
        out.push('"');
        for character in plain.chars() {
            if matches!(character, '"' | '\\') {
                out.push('\\');
            }
            out.push(character);
        }
        out.push('"');
    }

    /// Reads the text form; each element is read as `element`.
    pub fn parse(text: &str, element: &Type, ctx: &TypeContext) -> Result<Array> {
        let (lowers, body) = parse_bounds(text)?;
        let mut reader = Reader { text, rest: body, element, ctx, values: Vec::new(), lengths: Vec::new() };
        reader.braces(0)?;
        if !reader.rest.trim().is_empty() {
            return Err(malformed(text, "Junk after closing right brace."));
        }
        if reader.values.is_empty() {
            return Ok(Array::new(element.clone(), Vec::new()));
        }
        if !lowers.is_empty() && lowers.len() != reader.lengths.len() {
            return Err(malformed(text, "Specified array dimensions do not match array contents."));
        }
        let lower = |at: usize| lowers.get(at).map_or(1, |(lower, _)| *lower);
        let dimensions = reader.lengths.iter().enumerate();
        let dimensions: Vec<_> =
            dimensions.map(|(at, length)| Dimension { length: *length, lower: lower(at) }).collect();
        if lowers.iter().zip(&dimensions).any(|((_, length), dimension)| *length != dimension.length) {
            return Err(malformed(text, "Specified array dimensions do not match array contents."));
        }
        Array::with_dimensions(element.clone(), dimensions, reader.values)
    }
}

fn needs_quotes(text: &str) -> bool {
    text.is_empty()
        || text.eq_ignore_ascii_case("null")
        || text.bytes().any(|byte| matches!(byte, b'{' | b'}' | b',' | b'"' | b'\\') || byte.is_ascii_whitespace())
}

/// `[lower:upper]...=` in front of the braces, as lower bounds and lengths.
fn parse_bounds(text: &str) -> Result<(Vec<(i32, u32)>, &str)> {
    let mut rest = text.trim_start();
    let mut bounds = Vec::new();
    while let Some(after) = rest.strip_prefix('[') {
        let missing = || malformed(text, "Missing \"]\" in array dimensions.");
        let (inside, after) = after.split_once(']').ok_or_else(missing)?;
        let (lower, upper) = inside.split_once(':').unwrap_or(("1", inside));
        let number = |part: &str| {
            let explicit = || malformed(text, "\"[\" must introduce explicitly-specified array dimensions.");
            part.trim().parse::<i32>().map_err(|_| explicit())
        };
        let (lower, upper) = (number(lower)?, number(upper)?);
        if upper < lower {
            let message = "upper bound cannot be less than lower bound";
            return Err(Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message));
        }
        bounds.push((lower, (i64::from(upper) - i64::from(lower) + 1) as u32));
        if bounds.len() > MAX_DIMENSIONS {
            return Err(too_many_dimensions(bounds.len()));
        }
        rest = after.trim_start();
    }
    if !bounds.is_empty() {
        rest = rest.strip_prefix('=').ok_or_else(|| malformed(text, "Missing \"=\" after array dimensions."))?;
    }
    Ok((bounds, rest.trim_start()))
}

struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
    element: &'a Type,
    ctx: &'a TypeContext,
    values: Vec<Value>,
    lengths: Vec<u32>,
}

impl Reader<'_> {
    /// Reads `{...}` at nesting `depth`.
    fn braces(&mut self, depth: usize) -> Result<()> {
        let opened = self.rest.strip_prefix('{');
        self.rest = opened
            .ok_or_else(|| malformed(self.text, "Array value must start with \"{\" or dimension information."))?;
        if depth >= MAX_DIMENSIONS {
            return Err(too_many_dimensions(depth + 1));
        }
        let mut count = 0u32;
        let mut leaves = false;
        loop {
            self.rest = self.rest.trim_start();
            if count == 0
                && let Some(after) = self.rest.strip_prefix('}')
            {
                self.rest = after;
                return if depth == 0 { Ok(()) } else { Err(self.unexpected("}")) };
            }
            if self.rest.starts_with('{') {
                if leaves {
                    return Err(self.unexpected("{"));
                }
                self.braces(depth + 1)?;
            } else {
                if count > 0 && !leaves {
                    return Err(malformed(self.text, "Unexpected array element."));
                }
                leaves = true;
                self.check_leaf(depth)?;
                self.element()?;
            }
            count += 1;
            self.rest = self.rest.trim_start();
            match self.rest.as_bytes().first() {
                Some(b',') => self.rest = &self.rest[1..],
                Some(b'}') => break,
                Some(_) => return Err(malformed(self.text, "Unexpected array element.")),
                None => return Err(malformed(self.text, "Unexpected end of input.")),
            }
        }
        self.rest = &self.rest[1..];
        self.note_length(depth, count)
    }

    /// Elements stand at the deepest level only.
    fn check_leaf(&self, depth: usize) -> Result<()> {
        if self.lengths.len() > depth + 1 { Err(self.ragged()) } else { Ok(()) }
    }

    fn note_length(&mut self, depth: usize, count: u32) -> Result<()> {
        if self.lengths.len() <= depth {
            self.lengths.resize(depth + 1, 0);
        }
        match self.lengths[depth] {
            0 => self.lengths[depth] = count,
            known if known == count => {}
            _ => return Err(self.ragged()),
        }
        Ok(())
    }

    fn element(&mut self) -> Result<()> {
        if let Some(after) = self.rest.strip_prefix('"') {
            let (text, rest) = quoted(after).ok_or_else(|| malformed(self.text, "Unexpected end of input."))?;
            self.rest = rest;
            self.values.push(Value::parse(&text, self.element, self.ctx)?);
            return Ok(());
        }
        let mut plain = String::new();
        let mut kept = 0;
        let mut characters = self.rest.char_indices();
        let end = loop {
            match characters.next() {
                None => return Err(malformed(self.text, "Unexpected end of input.")),
                Some((at, ',' | '}')) => break at,
                Some((_, '"')) => return Err(malformed(self.text, "Unexpected array element.")),
                Some((_, '{')) => return Err(self.unexpected("{")),
                Some((_, '\\')) => {
                    plain.extend(characters.next().map(|(_, escaped)| escaped));
                    kept = plain.len();
                }
                Some((_, character)) => {
                    plain.push(character);
                    if !character.is_ascii_whitespace() {
                        kept = plain.len();
                    }
                }
            }
        };
        plain.truncate(kept);
        if plain.is_empty() {
            return Err(self.unexpected(&self.rest[end..end + 1]));
        }
        let is_null = plain.eq_ignore_ascii_case("null") && !self.rest[..end].contains('\\');
        self.rest = &self.rest[end..];
        let value = if is_null { Value::Null } else { Value::parse(&plain, self.element, self.ctx)? };
        self.values.push(value);
        Ok(())
    }

    fn unexpected(&self, found: &str) -> Error {
        malformed(self.text, &format!("Unexpected \"{found}\" character."))
    }

    fn ragged(&self) -> Error {
        malformed(self.text, "Multidimensional arrays must have sub-arrays with matching dimensions.")
    }
}

/// A quoted element after its opening quote, and the rest after the closing one.
fn quoted(text: &str) -> Option<(Text, &str)> {
    let mut plain = String::new();
    let mut characters = text.char_indices();
    loop {
        match characters.next()? {
            (at, '"') => return Some((plain.into(), &text[at + 1..])),
            (_, '\\') => plain.push(characters.next()?.1),
            (_, character) => plain.push(character),
        }
    }
}

fn malformed(text: &str, detail: &str) -> Error {
    Error::new(SqlState::INVALID_TEXT_REPRESENTATION, format!("malformed array literal: \"{text}\""))
        .with_detail(detail)
}

fn too_many_dimensions(found: usize) -> Error {
    let message = format!("number of array dimensions ({found}) exceeds the maximum allowed ({MAX_DIMENSIONS})");
    Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message)
}
