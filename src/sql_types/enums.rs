//! The native enums of the schema. Each is its own SQL type, so that a query and `schema.rs` name the same thing.

use std::fmt;
use std::io::Write as _;
use std::str::FromStr;

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::query_builder::QueryId;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::SqlType;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

// An own macro until a `derive` for enums is part of a Diesel release.
macro_rules! pg_enums {
    ($(
        $(#[$doc:meta])*
        $name:ident = $pg_name:tt { $($(#[$variant_doc:meta])* $variant:ident = $label:literal,)+ }
    )+) => {
        $(
            $(#[$doc])*
            #[derive(
                Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize,
                AsExpression, FromSqlRow, QueryId, SqlType,
            )]
            #[diesel(sql_type = $name)]
            #[diesel(postgres_type(name = $pg_name))]
            pub enum $name {
                $($(#[$variant_doc])* #[serde(rename = $label)] $variant,)+
            }

            impl $name {
                /// All values, in the order of the database.
                pub const ALL: &[Self] = &[$(Self::$variant),+];

                /// The label in the database.
                #[must_use]
                pub const fn label(self) -> &'static str {
                    match self {
                        $(Self::$variant => $label,)+
                    }
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.pad(self.label())
                }
            }

            impl FromStr for $name {
                type Err = Error;

                fn from_str(text: &str) -> Result<Self> {
                    Self::ALL.iter().copied().find(|value| value.label() == text).ok_or_else(|| {
                        let labels: Vec<_> = Self::ALL.iter().map(|value| value.label()).collect();
                        Error::invalid(format!("{text:?} is not a value of {}", $pg_name))
                            .remedy(format!("use one of {}", labels.join(", ")))
                    })
                }
            }

            impl ToSql<$name, Pg> for $name {
                fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                    out.write_all(self.label().as_bytes())?;
                    Ok(IsNull::No)
                }
            }

            impl FromSql<$name, Pg> for $name {
                fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
                    Ok(std::str::from_utf8(value.as_bytes())?.parse()?)
                }
            }
        )+

        /// Every enum of the schema with its labels in order, to be compared with `pg_enum`.
        #[must_use]
        pub fn all_labels() -> Vec<(&'static str, Vec<&'static str>)> {
            vec![$(($pg_name, $name::ALL.iter().map(|value| value.label()).collect()),)+]
        }
    };
}

pg_enums! {
    /// What an administrator may enter.
    AdminRole = "admin_role" {
        /// Every workspace.
        Superadmin = "superadmin",
        /// The workspaces of `workspace_admins`.
        Admin = "admin",
    }

    /// Whether an administrator may log in.
    AdminStatus = "admin_status" {
        /// May log in.
        Active = "active",
        /// May not.
        Disabled = "disabled",
    }

    /// What an administrator's token is for.
    AdminTokenKind = "admin_token_kind" {
        /// A login.
        Session = "session",
        /// A program of the administrator's.
        Api = "api",
        /// Setting a password, once.
        Password = "password",
    }

    /// Who does what the audit log tells.
    AuditActor = "audit_actor" {
        /// Someone with a session.
        Administrator = "administrator",
        /// Whoever holds the platform's login.
        Operator = "operator",
    }

    /// Where a datasource reads from.
    DatasourceType = "datasource_type" {
        /// Pages of a site.
        Web = "web",
        /// Files of a folder.
        File = "file",
        /// Answers of a service.
        Api = "api",
        /// A Notion space.
        Notion = "notion",
        /// A Slack team.
        Slack = "slack",
        /// People's own typing.
        Manual = "manual",
    }

    /// How the last synchronisation of a datasource stands.
    DatasourceSyncStatus = "datasource_sync_status" {
        /// Not begun.
        Idle = "idle",
        /// Under way.
        Running = "running",
        /// Ended with an error.
        Failed = "failed",
        /// Ended well.
        Completed = "completed",
    }

    /// Stage of a document.
    DocumentStatus = "document_status" {
        /// Being written.
        Draft = "draft",
        /// Being split and embedded.
        Processing = "processing",
        /// Searched.
        Ready = "ready",
        /// Kept, not searched.
        Archived = "archived",
        /// Could not be processed.
        Error = "error",
    }

    /// Stage of a conversation.
    ConversationStatus = "conversation_status" {
        /// Going on.
        Open = "open",
        /// Waiting for somebody.
        Pending = "pending",
        /// Answered.
        Resolved = "resolved",
        /// Over.
        Closed = "closed",
    }

    /// Who speaks in a message.
    MessageRole = "message_role" {
        /// The platform.
        System = "system",
        /// The visitor.
        User = "user",
        /// The model.
        Assistant = "assistant",
        /// A tool that the model called.
        Tool = "tool",
    }

    /// State of a job.
    JobStatus = "job_status" {
        /// Waiting.
        Queued = "queued",
        /// Held by a worker.
        Running = "running",
        /// Ended well.
        Completed = "completed",
        /// Ended with an error, and not to be tried again.
        Failed = "failed",
        /// Given up on request.
        Cancelled = "cancelled",
    }

    /// For how long a job keeps its unique key to itself.
    JobUniqueness = "job_uniqueness" {
        /// While it waits for its first start.
        Queued = "queued",
        /// While it waits or runs.
        Unfinished = "unfinished",
        /// While it waits or runs, and once it has ended well.
        Succeeded = "succeeded",
        /// For as long as its row is there.
        Kept = "kept",
    }

    /// What a service may do in its workspace.
    ServiceAccess = "service_access" {
        /// Read its rows.
        Read = "read",
        /// Read and change them.
        Write = "write",
    }
}
