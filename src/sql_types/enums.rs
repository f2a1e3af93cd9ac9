//! The native enums of the schema. Each is its own SQL type, so that queries and `schema.rs` use the same name.

crate::pg_enums! {
    /// Reach of an administrator.
    AdminRole = "admin_role" {
        /// Every workspace.
        Superadmin = "superadmin",
        /// The workspaces of `workspace_admins`.
        Admin = "admin",
    }

    /// Status of an administrator's account.
    AdminStatus = "admin_status" {
        /// The administrator may log in.
        Active = "active",
        /// The administrator may not log in.
        Disabled = "disabled",
    }

    /// Purpose of an administrator's token.
    AdminTokenKind = "admin_token_kind" {
        /// A session after a login.
        Session = "session",
        /// An API client of the administrator.
        Api = "api",
        /// A secret that sets a password once.
        Password = "password",
    }

    /// Kind of actor in an audit entry.
    AuditActor = "audit_actor" {
        /// An administrator with a session.
        Administrator = "administrator",
        /// An operator with the platform's login.
        Operator = "operator",
    }

    /// Kind of a datasource.
    DatasourceType = "datasource_type" {
        /// Pages of a site.
        Web = "web",
        /// Files of a folder.
        File = "file",
        /// Responses of a service.
        Api = "api",
        /// A Notion space.
        Notion = "notion",
        /// A Slack team.
        Slack = "slack",
        /// Texts that people type.
        Manual = "manual",
    }

    /// Status of the last synchronization of a datasource.
    DatasourceSyncStatus = "datasource_sync_status" {
        /// Not started.
        Idle = "idle",
        /// Running.
        Running = "running",
        /// Failed with an error.
        Failed = "failed",
        /// Completed.
        Completed = "completed",
    }

    /// Status of a document.
    DocumentStatus = "document_status" {
        /// Draft, still being written.
        Draft = "draft",
        /// In processing: it is split and embedded.
        Processing = "processing",
        /// Ready; searches find it.
        Ready = "ready",
        /// Archived; searches don't find it.
        Archived = "archived",
        /// Not processed because of an error.
        Error = "error",
    }

    /// Status of a conversation.
    ConversationStatus = "conversation_status" {
        /// Open.
        Open = "open",
        /// Waiting for a reply.
        Pending = "pending",
        /// Answered.
        Resolved = "resolved",
        /// Closed.
        Closed = "closed",
    }

    /// Who answers the visitor of a conversation.
    ConversationSpeaker = "conversation_speaker" {
        /// The assistant.
        Bot = "bot",
        /// A person.
        Human = "human",
        /// Nobody yet: the visitor waits for a person.
        Nobody = "nobody",
    }

    /// Author of a message.
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

    /// Who judges a message.
    FeedbackJudge = "feedback_judge" {
        /// A visitor.
        Visitor = "visitor",
        /// A person who reviews answers.
        Reviewer = "reviewer",
    }

    /// State of a message.
    MessageState = "message_state" {
        /// Being made; nothing has arrived yet.
        Pending = "pending",
        /// Being made; a part has arrived.
        Streaming = "streaming",
        /// Complete.
        Complete = "complete",
        /// Ended before it was complete, with what had arrived.
        Interrupted = "interrupted",
        /// Ended with an error.
        Failed = "failed",
        /// Kept from the visitor, because a person had taken over.
        Withheld = "withheld",
    }

    /// Status of a job.
    JobStatus = "job_status" {
        /// Waiting for a worker.
        Queued = "queued",
        /// Leased by a worker.
        Running = "running",
        /// Completed.
        Completed = "completed",
        /// Failed, without a further attempt.
        Failed = "failed",
        /// Cancelled on request.
        Cancelled = "cancelled",
    }

    /// Statuses in which a job reserves its unique key.
    JobUniqueness = "job_uniqueness" {
        /// Until its first start.
        Queued = "queued",
        /// While it waits or runs.
        Unfinished = "unfinished",
        /// While it waits or runs, and after it has completed.
        Succeeded = "succeeded",
        /// As long as its row exists.
        Kept = "kept",
    }

    /// Access of a service to its workspace.
    ServiceAccess = "service_access" {
        /// Reads rows.
        Read = "read",
        /// Reads and changes rows.
        Write = "write",
    }
}
