//! One file a table: the row, what is inserted, what may change.

mod captions;
mod document_tags;
mod pictures;

pub use self::captions::{Caption, CaptionChanges, NewCaption};
pub use self::document_tags::{DocumentTag, DocumentTagChanges, NewDocumentTag};
pub use self::pictures::{NewPicture, Picture, PictureChanges};
