//! The mistakes in lines of another system, collected so that one run reports them all.

use crate::error::{Error, ErrorKind, Result};

/// Maximum number of mistakes that one run reports.
pub(super) const MAX_MISTAKES: usize = 100;

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
}

impl Mistakes {
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.found.len() >= MAX_MISTAKES
    }

    pub(super) fn extend(&mut self, mistakes: impl IntoIterator<Item = Mistake>) {
        self.found.extend(mistakes);
    }

    /// Returns an error that lists the mistakes by line, if there are any. Lines up to `written` are in the database.
    pub(super) fn into_result(mut self, written: u64) -> Result<()> {
        if self.found.is_empty() {
            return Ok(());
        }
        self.found.sort_by_key(|mistake| mistake.line);
        let is_full = self.is_full();
        self.found.truncate(MAX_MISTAKES);
        let listed: Vec<String> =
            self.found.iter().map(|Mistake { line, what }| format!("line {line}, {what}")).collect();
        let more = if is_full { "\nthere may be more: the check ended at 100" } else { "" };
        let stays = match written {
            0 => "nothing was written; correct the lines and import the file again".to_owned(),
            last => format!(
                "the rows of the lines 1 to {last} were written and stay; correct the lines and import the whole file again, which skips existing rows"
            ),
        };
        Err(Error::new(ErrorKind::InvalidInput, format!("{}{more}", listed.join("\n"))).remedy(stays))
    }
}
