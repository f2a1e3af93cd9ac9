//! One file per table: the row, the row to insert, and the changes.

mod captions;
mod document_tags;
mod pictures;
mod players;
mod reviews;
mod teams;

pub use self::captions::{Caption, CaptionChanges, NewCaption};
pub use self::document_tags::{DocumentTag, DocumentTagChanges, NewDocumentTag};
pub use self::pictures::{NewPicture, Picture, PictureChanges};
pub use self::players::{NewPlayer, Player, PlayerChanges};
pub use self::reviews::{NewReview, Review, ReviewChanges};
pub use self::teams::{NewTeam, Team, TeamChanges};
