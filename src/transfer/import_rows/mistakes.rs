//! The mistakes in lines of another system, collected so that one run reports them all.

use crate::error::{Error, ErrorKind, Result};

/// Maximum number of mistakes that one run reports.
pub(super) const MAX_MISTAKES: usize = 100;

/// Maximum number of rows without a parent that one run counts; each takes a few statements to find.
const MAX_WITHOUT_PARENT: usize = 1_000;

/// Mistake in a line.
#[derive(Clone, Debug)]
pub(super) struct Mistake {
    pub(super) line: u64,
    /// Table, column and reason, as far as they are known.
    pub(super) what: String,
}

/// Mistakes of a run.
#[derive(Debug, Default)]
pub(super) struct Mistakes {
    found: Vec<Mistake>,
    /// Rows that refer to a row that does not exist, which may be the row of another mistake.
    without_parent: Vec<Mistake>,
}

impl Mistakes {
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty() && self.without_parent.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.found.len() >= MAX_MISTAKES || self.without_parent.len() >= MAX_WITHOUT_PARENT
    }

    pub(super) fn extend(&mut self, mistakes: impl IntoIterator<Item = Mistake>) {
        self.found.extend(mistakes);
    }

    pub(super) fn add_without_parent(&mut self, mistake: Mistake) {
        self.without_parent.push(mistake);
    }

    /// Returns an error that lists the mistakes, if there are any. Lines up to `written` are in the database.
    pub(super) fn into_result(mut self, written: u64) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        // The row without which another has no parent comes first, so that its children don't hide it.
        self.found.sort_by_key(|mistake| mistake.line);
        self.without_parent.sort_by_key(|mistake| mistake.line);
        let all = || self.found.iter().chain(&self.without_parent);
        let listed: Vec<String> =
            all().take(MAX_MISTAKES).map(|Mistake { line, what }| format!("line {line}, {what}")).collect();
        let more = match all().count().saturating_sub(listed.len()) {
            _ if self.is_full() => "\nthere may be more: the check ended here".to_owned(),
            0 => String::new(),
            more => format!("\nand {more} more rows that refer to rows that do not exist"),
        };
        let stays = match written {
            0 => "nothing was written; correct the lines and import the file again".to_owned(),
            last => format!(
                "the rows of the lines 1 to {last} were written and stay; correct the lines and import the whole file again, which skips existing rows"
            ),
        };
        Err(Error::new(ErrorKind::InvalidInput, format!("{}{more}", listed.join("\n"))).remedy(stays))
    }
}
