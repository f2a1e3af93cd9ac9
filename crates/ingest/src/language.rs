//! Detection of a text's language.

use futures_util::stream::{Stream, StreamExt as _};
use isolang::Language;
use whatlang::{Detector, Lang};

use super::split::SplitText;
use workspace_db::Result;
use workspace_db::load::{Passage, SourceDocument};
use workspace_db::models::WorkspaceLanguages;
use workspace_db::sql_types::LanguageTag;

/// Languages of `whatlang`, each with the group of languages whose code is usually used for it: Chinese, Persian, Norwegian.
const GROUPS: &[(Lang, &str)] = &[(Lang::Cmn, "zho"), (Lang::Pes, "fas"), (Lang::Nob, "nor")];

/// Number of characters of a text in which its language is detected.
const DETECTED_IN: usize = 20_000;

/// Returns the language of a text, or `None` if the text is too short or mixed to tell.
///
/// With `among`, only these languages are considered, which makes short texts clearer; a subtag such as that of `pt-BR`
/// is ignored, and the result is the tag as it was passed. Without it, all languages of the crate `whatlang` are considered, and
/// the result has the two letters of ISO 639-1.
///
/// ```
/// use workspace_db_ingest::detect_language;
///
/// let text = "Das Haus steht in einer kleinen Straße, und niemand weiß, wem es gehört.";
/// assert_eq!(detect_language(text, &[]).unwrap().as_str(), "de");
/// assert_eq!(detect_language("42", &[]), None);
///
/// let (english, brazilian) = ("en".parse()?, "pt-BR".parse()?);
/// let text = "A casa fica no fim da rua e ninguém sabe de quem ela é.";
/// assert_eq!(detect_language(text, &[english, brazilian]).unwrap().as_str(), "pt-BR");
/// # Ok::<(), workspace_db::Error>(())
/// ```
#[must_use]
pub fn detect_language(text: &str, among: &[LanguageTag]) -> Option<LanguageTag> {
    let candidates: Vec<(Lang, &LanguageTag)> = among.iter().filter_map(|tag| Some((lang(tag)?, tag))).collect();
    if !among.is_empty() && candidates.is_empty() {
        return None;
    }
    let detector = match &candidates[..] {
        [] => Detector::new(),
        _ => Detector::with_allowlist(candidates.iter().map(|(lang, _)| *lang).collect()),
    };
    let found = detector.detect(text).filter(whatlang::Info::is_reliable)?.lang();
    match candidates.iter().find(|(lang, _)| *lang == found) {
        Some((_, tag)) => Some((*tag).clone()),
        None => code(found)?.parse().ok(),
    }
}

/// Returns true if a tag begins with the code of a language.
fn is_known(tag: &LanguageTag) -> bool {
    language(tag).is_some()
}

fn language(tag: &LanguageTag) -> Option<Language> {
    let code = tag.as_str().split('-').next()?.to_ascii_lowercase();
    Language::from_639_1(&code).or_else(|| Language::from_639_3(&code))
}

/// Returns the language of a tag, which begins with two or three letters.
fn lang(tag: &LanguageTag) -> Option<Lang> {
    let code = language(tag)?.to_639_3();
    let member = GROUPS.iter().find(|(_, group)| *group == code).map(|(member, _)| *member);
    member.or_else(|| Lang::from_code(code))
}

/// Returns the code of two letters.
fn code(lang: Lang) -> Option<&'static str> {
    let group = GROUPS.iter().find(|(member, _)| *member == lang).map(|(_, group)| *group);
    let of = |code| Language::from_639_3(code)?.to_639_1();
    of(lang.code()).or_else(|| of(group?))
}

/// Returns the language of a text: the one that it names, or `given`, or the detected one, or else the workspace's default.
///
/// The language is detected among those that the workspace offers, or among all if it names none.
pub(super) fn language_of(
    workspace: &WorkspaceLanguages,
    given: Option<&LanguageTag>,
    whole: &str,
    text: &SplitText,
) -> LanguageTag {
    let detect = || detect_for(workspace, if text.prose.trim().is_empty() { whole } else { &text.prose });
    // Authors also write the names of languages, or those of programming languages.
    let named = text.language.as_deref().and_then(|tag| tag.replace('_', "-").parse().ok());
    let named = named.filter(|tag: &LanguageTag| is_known(tag));
    named.or_else(|| given.cloned()).or_else(detect).unwrap_or_else(|| workspace.default.clone())
}

/// Returns the language of a text among those that the workspace offers, or among all if it names none.
pub(super) fn detect_for(workspace: &WorkspaceLanguages, text: &str) -> Option<LanguageTag> {
    let end = text.char_indices().nth(DETECTED_IN).map_or(text.len(), |(end, _)| end);
    let mut among = workspace.offered.clone();
    if !among.is_empty() {
        among.push(workspace.default.clone());
    }
    detect_language(text.get(..end)?, &among)
}

/// Gives passages without a language that of their document, for [`load`](workspace_db::load::load): the detected one, or else
/// the workspace's default.
///
/// It is detected in the passages of the document that have none, among the languages that the workspace offers, or among all if
/// it names none.
///
/// ```no_run
/// use futures_util::stream::Stream;
/// use workspace_db::Result;
/// use workspace_db::load::{LoadOptions, SourceDocument, load};
/// use workspace_db::models::WorkspaceLanguages;
/// use workspace_db::tenancy::{Database, WorkspaceScope};
/// use workspace_db_ingest::with_languages;
///
/// # async fn example(
/// #     db: Database, scope: WorkspaceScope, options: LoadOptions,
/// #     documents: impl Stream<Item = Result<SourceDocument>> + Send,
/// # ) -> Result<()> {
/// let languages = WorkspaceLanguages::load(&mut db.workspace(&scope).await?).await?;
/// load(&db, &scope, &options, with_languages(documents, languages), &|_| ()).await?;
/// # Ok(())
/// # }
/// ```
pub fn with_languages(
    documents: impl Stream<Item = Result<SourceDocument>> + Send,
    workspace: WorkspaceLanguages,
) -> impl Stream<Item = Result<SourceDocument>> + Send {
    documents.map(move |document| {
        let mut document = document?;
        let mut without: Vec<&mut Passage> =
            document.passages.iter_mut().filter(|passage| passage.language.is_none()).collect();
        if !without.is_empty() {
            let mut text = String::new();
            for passage in &without {
                if text.len() < DETECTED_IN {
                    text.push_str(&passage.content);
                    text.push('\n');
                }
            }
            let language = detect_for(&workspace, &text).unwrap_or_else(|| workspace.default.clone());
            for passage in &mut without {
                passage.language = Some(language.clone());
            }
        }
        Ok(document)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A language without a code of two letters would never be found.
    #[test]
    fn every_language_has_a_tag_that_names_it() {
        for lang in Lang::all() {
            let tag: LanguageTag = code(*lang).unwrap_or_else(|| panic!("{lang:?}")).parse().unwrap();
            assert_eq!(super::lang(&tag), Some(*lang), "{tag}");
        }
        assert_eq!(
            [lang(&"no".parse().unwrap()), lang(&"zh-Hant".parse().unwrap())],
            [Some(Lang::Nob), Some(Lang::Cmn)]
        );
        assert_eq!(lang(&"tlh".parse().unwrap()), None);
    }

    #[test]
    fn a_text_has_a_language_only_if_it_is_clear() {
        let detect = |text: &str| detect_language(text, &[]).map(String::from);
        assert_eq!(detect("东京是日本的首都，也是世界上人口最多的城市之一。").as_deref(), Some("zh"));
        assert_eq!(detect("De fiets staat achter het huis, omdat het in de schuur te vol is. Wie hem nodig heeft, mag hem lenen, maar moet hem voor het eten terugbrengen en de banden oppompen.").as_deref(), Some("nl"));
        for unclear in ["", "1234 5678", "npm ci", "x"] {
            assert_eq!(detect(unclear), None, "{unclear}");
        }
        // A language of the list that the crate does not know matches nothing.
        assert_eq!(detect_language("This is a plain English sentence.", &["tlh".parse().unwrap()]), None);
    }
}
