//! Enums of this crate.

workspace_db::pg_enums! {
    /// Result of a review.
    Verdict = "verdict" {
        /// The first picture is better.
        Before = "before",
        /// The second picture is better.
        After = "after",
    }
    /// Enum `urgency` of the database.
    Urgency = "urgency" {
        /// `low`
        Low = "low",
        /// `very high`
        VeryHigh = "very high",
    }
}
