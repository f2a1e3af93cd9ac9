//! Filters of a search.

use chrono::{DateTime, Utc};
use diesel::dsl;
use diesel::expression::{AppearsOnTable, Expression, SelectableExpression, ValidGrouping, is_aggregate};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{Bool, Nullable};
use serde_json::Value;

use crate::id::{DatasourceId, DocumentId};
use crate::schema::{document_chunks, documents};
use crate::sql_types::{DocumentStatus, LanguageTag};

/// Conditions on a passage; `None` sets no condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Filter {
    pub(super) document: Option<DocumentId>,
    pub(super) language: Option<LanguageTag>,
    pub(super) chunk_metadata: Option<Value>,
    pub(super) datasource: Option<DatasourceId>,
    pub(super) status: Option<DocumentStatus>,
    pub(super) published: Option<bool>,
    pub(super) metadata: Option<Value>,
    pub(super) changed_since: Option<DateTime<Utc>>,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            document: None,
            language: None,
            chunk_metadata: None,
            datasource: None,
            status: Some(DocumentStatus::Ready),
            published: None,
            metadata: None,
            changed_since: None,
        }
    }
}

impl Filter {
    /// Returns true if the filter may exclude most of a workspace. Candidates are then picked from the filtered
    /// passages. Status and publication exclude few passages, and are cheaper to check afterwards.
    pub(super) fn is_selective(&self) -> bool {
        self.datasource.is_some() || self.metadata.is_some() || self.changed_since.is_some()
    }

    /// Returns the conditions on the chunk itself.
    pub(super) fn chunk_conditions(&self) -> ChunkConditions {
        ChunkConditions {
            document: self.document.map(|id| document_chunks::document_id.eq(id)),
            language: self.language.as_ref().map(|tag| {
                let tag = tag.as_str().to_owned();
                let regional = format!("{tag}-%");
                document_chunks::language.eq(tag).or(document_chunks::language.like(regional))
            }),
            metadata: self.chunk_metadata.clone().map(|part| document_chunks::metadata.contains(part)),
        }
    }

    /// Returns the conditions on the chunk's document.
    pub(super) fn document_conditions(&self) -> DocumentConditions {
        DocumentConditions {
            datasource: self.datasource.map(|id| documents::datasource_id.eq(id)),
            status: self.status.map(|status| documents::status.eq(status)),
            published: self.published.map(|published| documents::is_published.eq(published)),
            metadata: self.metadata.clone().map(|part| documents::metadata.contains(part)),
            changed_since: self.changed_since.map(|time| documents::updated_at.ge(time)),
        }
    }
}

/// Defines a struct of conditions as a predicate: the present ones, joined by AND.
macro_rules! all_of {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $condition:ty,)+ }) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(super) struct $name {
            $($field: Option<$condition>,)+
        }

        impl Expression for $name {
            type SqlType = Nullable<Bool>;
        }

        impl<QS> AppearsOnTable<QS> for $name where $($condition: AppearsOnTable<QS>,)+ {}
        impl<QS> SelectableExpression<QS> for $name where $($condition: SelectableExpression<QS>,)+ {}

        impl<GB> ValidGrouping<GB> for $name {
            type IsAggregate = is_aggregate::Never;
        }

        impl QueryFragment<Pg> for $name {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
                out.push_sql("TRUE");
                $(
                    if let Some(condition) = &self.$field {
                        out.push_sql(" AND (");
                        condition.walk_ast(out.reborrow())?;
                        out.push_sql(")");
                    }
                )+
                Ok(())
            }
        }

        /// No static id, because the SQL depends on the present conditions.
        impl QueryId for $name {
            type QueryId = ();
            const HAS_STATIC_QUERY_ID: bool = false;
        }
    };
}

all_of! {
    /// Conditions on `document_chunks`.
    ChunkConditions {
        document: dsl::Eq<document_chunks::document_id, DocumentId>,
        language: dsl::Or<
            dsl::Eq<document_chunks::language, String>,
            dsl::Like<document_chunks::language, String>,
            Nullable<Bool>,
        >,
        metadata: dsl::Contains<document_chunks::metadata, Value>,
    }
}

all_of! {
    /// Conditions on `documents`.
    DocumentConditions {
        datasource: dsl::Eq<documents::datasource_id, DatasourceId>,
        status: dsl::Eq<documents::status, DocumentStatus>,
        published: dsl::Eq<documents::is_published, bool>,
        metadata: dsl::Contains<documents::metadata, Value>,
        changed_since: dsl::GtEq<documents::updated_at, DateTime<Utc>>,
    }
}
