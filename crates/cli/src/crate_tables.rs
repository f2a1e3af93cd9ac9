//! The tenant tables that the sources of a crate register.

use std::fs;
use std::path::Path;

use syn::Ident;
use syn::parse::{Parse, ParseStream};

/// Returns the tables that the sources register, in either place.
pub(super) fn registered(root: &Path) -> Vec<String> {
    let texts = ["src/registry.rs", "src/tenancy/registry.rs"].map(|file| fs::read_to_string(root.join(file)));
    let files = texts.into_iter().flatten().filter_map(|text| syn::parse_file(&text).ok());
    let items = files.flat_map(|file| file.items);
    let tables = items.filter_map(|item| match item {
        syn::Item::Macro(one) => {
            let name = one.mac.path.segments.last()?.ident.to_string();
            let registers = name == "tenant_tables" || (name == "register" && one.ident.is_none());
            registers.then(|| one.mac.parse_body::<Tables>().ok()).flatten()
        }
        _ => None,
    });
    tables.flat_map(|tables| tables.0).collect()
}

/// `documents: DocumentId, jobs: JobId => read_only, ...`
struct Tables(Vec<String>);

impl Parse for Tables {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut names = Vec::new();
        while !input.is_empty() {
            names.push(input.parse::<Ident>()?.to_string());
            if input.parse::<Option<syn::Token![:]>>()?.is_some() {
                input.parse::<syn::Type>()?;
            }
            if input.parse::<Option<syn::Token![=>]>>()?.is_some() {
                input.parse::<Ident>()?;
            }
            if !input.is_empty() {
                input.parse::<syn::Token![,]>()?;
            }
        }
        Ok(Self(names))
    }
}

#[cfg(test)]
mod tests {
    use super::Tables;

    #[test]
    fn tables_are_read_as_people_write_them() {
        let read = |text: &str| syn::parse_str::<Tables>(text).unwrap().0;
        assert_eq!(
            read("// billing\n invoices: InvoiceId, /* x */ items: a::ItemId => read_only, settings"),
            ["invoices", "items", "settings"]
        );
        assert_eq!(read(""), [""; 0]);
    }
}
