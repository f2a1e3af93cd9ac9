//! The list of all environment variables, from which docs/reference/settings.md is generated.

use super::env::{Config, SearchLimits, Timeouts};

/// One environment variable that the library or the command line reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Name of the variable.
    pub name: &'static str,
    /// Value if the variable is unset or empty; `None` if there is none.
    pub default: Option<String>,
    /// Meaning, in one or two sentences.
    pub meaning: &'static str,
}

/// Returns every environment variable that the library and the command line read, in the order of the reference.
///
/// ```
/// use workspace_db::config::settings;
///
/// let pool = settings().into_iter().find(|setting| setting.name == "WORKSPACE_DB_POOL_SIZE");
/// assert_eq!(pool.and_then(|setting| setting.default).as_deref(), Some("8"));
/// ```
#[must_use]
pub fn settings() -> Vec<Setting> {
    [connections(), searches(), retention(), command_line()].concat()
}

fn setting(name: &'static str, default: impl Into<Option<String>>, meaning: &'static str) -> Setting {
    Setting { name, default: default.into(), meaning }
}

fn connections() -> Vec<Setting> {
    let (config, timeouts) = (Config::default(), Timeouts::default());
    vec![
        setting(
            "DATABASE_URL",
            None,
            "URL of the owner of the tables, who migrates. Also read from `.env` in the working folder, if the file is yours and nobody else can write it.",
        ),
        setting(
            "DATABASE_APP_URL",
            None,
            "URL of the application login, which sees one workspace per transaction. If unset, the owner's login switches to the role `workspace_app` in each transaction.",
        ),
        setting(
            "DATABASE_PLATFORM_URL",
            None,
            "URL of the platform login, which sees every workspace. If unset, the owner's login switches to the role `workspace_platform` in each transaction.",
        ),
        setting(
            "WORKSPACE_DB_ENV",
            Some("development".to_owned()),
            "`development` or `production`. In production the bootstrap inserts nothing, `migrate revert` needs `--yes`, and an application login that could bypass row-level security is refused.",
        ),
        setting(
            "WORKSPACE_DB_POOL_SIZE",
            Some(config.pool_size.to_string()),
            "Maximum number of connections of each login.",
        ),
        setting(
            "WORKSPACE_DB_POOL_WAIT",
            Some(config.pool_wait.as_secs().to_string()),
            "Seconds that a caller waits for a free connection.",
        ),
        setting(
            "WORKSPACE_DB_PREPARED_STATEMENTS",
            Some("on".to_owned()),
            "`on` or `off`. Connections keep the statements that they have prepared. Set it to `off` for a pooler that does not support them.",
        ),
        setting(
            "WORKSPACE_DB_APPLICATION_NAME",
            Some(config.application_name.clone()),
            "Name of the connections in `pg_stat_activity`, to which each pool adds `app`, `platform` or `raw`. An `application_name` in a URL takes precedence.",
        ),
        setting(
            "WORKSPACE_DB_WORKSPACE_CONNECTIONS",
            Some("half of the pool".to_owned()),
            "Maximum number of connections of the application's pool that one workspace may hold at once. Half of the processors keeps the influence of a busy workspace on others low.",
        ),
        setting(
            "WORKSPACE_DB_STATEMENT_TIMEOUT",
            Some(timeouts.statement.as_secs().to_string()),
            "Seconds after which a statement of the application is cancelled; 0 disables the timeout.",
        ),
        setting(
            "WORKSPACE_DB_LOCK_TIMEOUT",
            Some(timeouts.lock.as_secs().to_string()),
            "Seconds that a statement of the application waits for a lock; 0 disables the timeout.",
        ),
        setting(
            "WORKSPACE_DB_IDLE_TIMEOUT",
            Some(timeouts.idle_in_transaction.as_secs().to_string()),
            "Seconds after which an idle transaction of the application is ended; 0 disables the timeout.",
        ),
    ]
}

fn searches() -> Vec<Setting> {
    let limits = SearchLimits::default();
    vec![
        setting(
            "WORKSPACE_DB_SEARCH_EXACT_BELOW",
            Some(limits.exact_below.to_string()),
            "Workspaces with fewer chunks are searched exactly.",
        ),
        setting(
            "WORKSPACE_DB_SEARCH_CANDIDATES_PER_HIT",
            Some(limits.candidates_per_hit.to_string()),
            "Candidates of a vector search per requested hit, in addition to 40.",
        ),
        setting(
            "WORKSPACE_DB_SEARCH_MAX_CANDIDATES",
            Some(limits.max_candidates.to_string()),
            "Maximum number of candidates of a vector search.",
        ),
        setting(
            "WORKSPACE_DB_SEARCH_MAX_MATCHES",
            Some(limits.max_matches.to_string()),
            "Maximum number of chunks that a search by words ranks.",
        ),
        setting(
            "WORKSPACE_DB_OWN_INDEX_FROM",
            Some(Config::default().own_index_from.to_string()),
            "Number of chunks from which `index retrain` builds an approximate index for a workspace.",
        ),
        setting(
            "WORKSPACE_DB_EMBEDDINGS_URL",
            None,
            "Base URL of an endpoint with OpenAI's embeddings protocol. If unset, the built-in model embeds.",
        ),
        setting(
            "WORKSPACE_DB_HASH_WORDS",
            None,
            "`true` to hash words in place of the built-in model, which pip downloads once.",
        ),
        setting("WORKSPACE_DB_EMBEDDINGS_MODEL", None, "Model to request from the endpoint."),
        setting(
            "WORKSPACE_DB_EMBEDDINGS_NAME",
            None,
            "Name to store with each vector, if a model gets other dimensions, prefixes or fields.",
        ),
        setting("WORKSPACE_DB_EMBEDDINGS_KEY", None, "API key of the endpoint."),
        setting("WORKSPACE_DB_EMBEDDINGS_DIMENSIONS", None, "Number of dimensions to request from the endpoint."),
        setting("WORKSPACE_DB_EMBEDDINGS_SHORTEN", None, "`true` to keep the first 1536 dimensions of longer vectors."),
        setting("WORKSPACE_DB_EMBEDDINGS_QUESTION_PREFIX", None, "Text in front of each question for the endpoint."),
        setting("WORKSPACE_DB_EMBEDDINGS_PASSAGE_PREFIX", None, "Text in front of each passage for the endpoint."),
        setting(
            "WORKSPACE_DB_EMBEDDINGS_QUESTION_FIELDS",
            None,
            "JSON object with further fields of a request for a question.",
        ),
        setting(
            "WORKSPACE_DB_EMBEDDINGS_PASSAGE_FIELDS",
            None,
            "JSON object with further fields of a request for passages.",
        ),
        setting("WORKSPACE_DB_RERANK_URL", None, "Base URL of an endpoint that orders the best passages of a search."),
        setting("WORKSPACE_DB_RERANK_MODEL", None, "Model to request from the endpoint for reranking."),
        setting("WORKSPACE_DB_RERANK_KEY", None, "API key of the endpoint for reranking."),
        setting("WORKSPACE_DB_RERANK_FIELDS", None, "JSON object with further fields of a request for reranking."),
    ]
}

fn retention() -> Vec<Setting> {
    vec![
        setting(
            "WORKSPACE_DB_RETENTION_AUDIT_DAYS",
            None,
            "Days that audit entries are kept. If unset, for ever. A workspace can only lengthen it.",
        ),
        setting(
            "WORKSPACE_DB_RETENTION_CONVERSATION_DAYS",
            None,
            "Days that closed conversations are kept, unless the settings of the workspace differ. If unset, for ever.",
        ),
        setting(
            "WORKSPACE_DB_RETENTION_EVENT_DAYS",
            None,
            "Days that analytics events are kept, unless the settings of the workspace differ. If unset, for ever.",
        ),
        setting(
            "WORKSPACE_DB_RETENTION_JOB_DAYS",
            None,
            "Days that finished jobs are kept, unless the settings of the workspace differ. If unset, for ever.",
        ),
    ]
}

fn command_line() -> Vec<Setting> {
    vec![
        setting(
            "WORKSPACE_DB_WORKSPACE",
            Some("acme".to_owned()),
            "Workspace of `ingest`, `reembed` and `search` without `--workspace`.",
        ),
        setting(
            "WORKSPACE_DB_DATA_DIR",
            Some("the user's data folder".to_owned()),
            "Folder of the server that `up` starts.",
        ),
        setting("WORKSPACE_DB_CACHE_DIR", Some("the user's cache folder".to_owned()), "Folder of downloaded programs."),
        setting(
            "WORKSPACE_DB_SYSTEM_POSTGRES",
            None,
            "`off` ignores an installed PostgreSQL, so that `up` and the tests download one.",
        ),
        setting(
            "WORKSPACE_DB_LOG",
            Some("warn".to_owned()),
            "Log filter for standard error, such as `workspace_db=debug`.",
        ),
        setting(
            "WORKSPACE_DB_RECEIPT_KEY",
            None,
            "Seed of the key that signs receipts of erasures: 32 bytes in base64.",
        ),
        setting(
            "WORKSPACE_DB_SECRET_KEY",
            None,
            "Key that encrypts webhook secrets: 32 bytes in base64. `adopt` and a copy of a workspace need it.",
        ),
        setting("WORKSPACE_DB_ADOPT_FROM", None, "URL of the other database, for `adopt`."),
        setting("WORKSPACE_DB_MOVE_TO", None, "URL of the other database, for `workspace move`."),
        setting(
            "WORKSPACE_DB_TEST_POSTGRES",
            Some("18".to_owned()),
            "Major version of PostgreSQL for tests: 16 or 18.",
        ),
    ]
}
