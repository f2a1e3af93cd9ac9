//! One file per table: the row, the row to insert, and the changes.

mod notes;

pub use self::notes::{NewNote, Note, NoteChanges};
