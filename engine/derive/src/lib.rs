//! Derive macros of the `quorate` crate.
//!
//! ```text
//!  #[derive(FromRow)]                    columns are found by name, once per result
//!  struct Account {
//!      id: i64,                          column "id"
//!      #[quorate(rename = "name")]
//!      owner: String,                    column "name"
//!  }
//!  #[derive(FromRow)]
//!  struct Pair(i64, String);             columns by position
//! ```
//! Invariant: only paths below `::quorate` are named in what is generated.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::{Data, DeriveInput, Field, Fields, LitStr, parse_macro_input};

/// Implements `quorate::FromRow` for a struct: fields by column name (`#[quorate(rename = "...")]` overrides it), or by
/// position if they have no names.
#[proc_macro_derive(FromRow, attributes(quorate))]
pub fn derive_from_row(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

fn expand(input: &DeriveInput) -> syn::Result<Tokens> {
    let Data::Struct(data) = &input.data else {
        return Err(syn::Error::new_spanned(&input.ident, "FromRow can be derived for structs only"));
    };
    let (resolve, build) = match &data.fields {
        Fields::Named(fields) => named(fields.named.iter())?,
        Fields::Unnamed(fields) => by_position(fields.unnamed.len()),
        Fields::Unit => by_position(0),
    };
    let name = &input.ident;
    let (generics, arguments, bounds) = input.generics.split_for_impl();
    Ok(quote! {
        impl #generics ::quorate::FromRow for #name #arguments #bounds {
            fn resolve(columns: &[::quorate::session::ColumnDesc]) -> ::quorate::Result<::quorate::ColumnMap> {
                #resolve
            }

            fn from_row(mut row: ::quorate::Row, map: &::quorate::ColumnMap) -> ::quorate::Result<Self> {
                ::std::result::Result::Ok(#build)
            }
        }
    })
}

fn named<'a>(fields: impl Iterator<Item = &'a Field> + Clone) -> syn::Result<(Tokens, Tokens)> {
    let columns = fields.clone().map(column_name).collect::<syn::Result<Vec<String>>>()?;
    let idents = fields.map(|field| &field.ident);
    let positions = 0..columns.len();
    let resolve = quote! { ::quorate::ColumnMap::by_name(columns, &[#(#columns),*]) };
    let build = quote! { Self { #(#idents: row.take(map.position(#positions))?),* } };
    Ok((resolve, build))
}

fn by_position(count: usize) -> (Tokens, Tokens) {
    let positions = 0..count;
    let resolve = quote! { ::quorate::ColumnMap::by_position(columns, #count) };
    let indexes = (0..count).map(syn::Index::from);
    let build = quote! { Self { #(#indexes: row.take(map.position(#positions))?),* } };
    (resolve, build)
}

/// The column of a named field.
fn column_name(field: &Field) -> syn::Result<String> {
    let mut name = field.ident.as_ref().map(|ident| ident.to_string().trim_start_matches("r#").to_owned());
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("quorate")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("rename") {
                return Err(meta.error("expected `rename = \"column\"`"));
            }
            name = Some(meta.value()?.parse::<LitStr>()?.value());
            Ok(())
        })?;
    }
    name.ok_or_else(|| syn::Error::new_spanned(field, "the field has no name"))
}
