//! Macro that declares native enums of PostgreSQL.

/// Declares native enums of PostgreSQL, each as one Rust enum that is also its SQL type, and lists them in `PG_ENUMS`.
///
/// `Mood = "mood" { Happy = "happy", }` is the enum `mood` of the database. A column of it is `mood -> Mood` in
/// `schema.rs`, where `diesel print-schema` writes the name in camel case: `LinkKind` for `link_kind`. List every label, in the order of the database: another label is an unreadable value, and the order of
/// the variants is that of `ORDER BY`. `serde`, `Display` and `FromStr` use the labels. Invoke the macro once per module;
/// it defines the list there.
///
/// If your `diesel.toml` has `"crate::sql_types::*"` in `import_types`, `diesel print-schema` finds the enums of a module
/// `sql_types`. `workspace-db migrate generate` writes the migration of an enum that the database lacks.
///
/// ```
/// workspace_db::pg_enums! {
///     /// Urgency of a ticket.
///     Urgency = "urgency" {
///         /// It can wait.
///         Low = "low",
///         /// It can't.
///         High = "high",
///     }
/// }
/// diesel::table! {
///     tickets (workspace_id, id) {
///         id -> Uuid,
///         workspace_id -> Uuid,
///         urgency -> crate::Urgency,
///     }
/// }
///
/// # fn main() -> workspace_db::Result<()> {
/// assert_eq!("high".parse::<Urgency>()?, Urgency::High);
/// assert_eq!(Urgency::Low.label(), "low");
/// assert!(Urgency::Low < Urgency::High);
/// assert_eq!(PG_ENUMS, [("urgency", &["low", "high"][..])]);
/// # Ok(())
/// # }
/// ```
#[macro_export]
macro_rules! pg_enums {
    ($(
        $(#[$doc:meta])*
        $name:ident = $pg_name:tt { $($(#[$variant_doc:meta])* $variant:ident = $label:literal),+ $(,)? }
    )+) => {
        $(
            $(#[$doc])*
            #[derive(
                Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
                ::diesel::expression::AsExpression, ::diesel::deserialize::FromSqlRow,
                ::diesel::query_builder::QueryId, ::diesel::sql_types::SqlType,
            )]
            #[diesel(sql_type = $name)]
            #[diesel(postgres_type(name = $pg_name))]
            pub enum $name {
                $($(#[$variant_doc])* $variant,)+
            }

            impl $name {
                /// All values, in the order of the database.
                pub const ALL: &[Self] = &[$(Self::$variant),+];

                /// Returns the label in the database.
                #[must_use]
                pub const fn label(self) -> &'static str {
                    match self {
                        $(Self::$variant => $label,)+
                    }
                }
            }

            impl ::std::fmt::Display for $name {
                fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                    f.pad(self.label())
                }
            }

            impl ::std::str::FromStr for $name {
                type Err = $crate::Error;

                fn from_str(text: &str) -> $crate::Result<Self> {
                    let found = Self::ALL.iter().copied().find(|value| value.label() == text);
                    found.ok_or_else(|| $crate::__private::not_a_label(text, $pg_name, &[$($label),+]))
                }
            }

            impl $crate::__private::serde::Serialize for $name {
                fn serialize<S: $crate::__private::serde::Serializer>(
                    &self,
                    serializer: S,
                ) -> ::std::result::Result<S::Ok, S::Error> {
                    serializer.serialize_str(self.label())
                }
            }

            impl<'de> $crate::__private::serde::Deserialize<'de> for $name {
                fn deserialize<D: $crate::__private::serde::Deserializer<'de>>(
                    deserializer: D,
                ) -> ::std::result::Result<Self, D::Error> {
                    let text = <::std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
                    text.parse().map_err($crate::__private::serde::de::Error::custom)
                }
            }

            impl ::diesel::serialize::ToSql<$name, ::diesel::pg::Pg> for $name {
                fn to_sql<'b>(
                    &'b self,
                    out: &mut ::diesel::serialize::Output<'b, '_, ::diesel::pg::Pg>,
                ) -> ::diesel::serialize::Result {
                    ::std::io::Write::write_all(out, self.label().as_bytes())?;
                    Ok(::diesel::serialize::IsNull::No)
                }
            }

            impl ::diesel::deserialize::FromSql<$name, ::diesel::pg::Pg> for $name {
                fn from_sql(value: ::diesel::pg::PgValue<'_>) -> ::diesel::deserialize::Result<Self> {
                    Ok(::std::str::from_utf8(value.as_bytes())?.parse()?)
                }
            }
        )+

        /// Names of the enums that are declared here, with their labels in the order of the database.
        pub const PG_ENUMS: &[(&str, &[&str])] = &[$(($pg_name, &[$($label),+])),+];
    };
}

/// Returns the error of [`pg_enums!`](crate::pg_enums) for a text that is no label.
#[doc(hidden)]
#[must_use]
pub fn not_a_label(text: &str, name: &str, labels: &[&str]) -> crate::Error {
    crate::Error::invalid(format!("{text:?} is not a value of the enum {name}"))
        .remedy(format!("use one of {}", labels.join(", ")))
}
