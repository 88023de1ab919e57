//! What of a text is indexed, and how a query for it is put.
//!
//! The tokenizer takes runs of letters for words. Scripts that are written without blanks would
//! give one word per sentence, so their characters are indexed one by one, and a query for several
//! asks for them in a row.

use super::letter::{is_indexed, is_of_word};

/// Most words of a query that are looked for.
const WORDS_MAX: usize = 8;

/// Whether the character is a word by itself.
fn stands_alone(c: char) -> bool {
    matches!(c,
        '\u{0e00}'..='\u{0eff}'      // Thai, Lao
        | '\u{1000}'..='\u{109f}'    // Myanmar
        | '\u{1780}'..='\u{17ff}'    // Khmer
        | '\u{3040}'..='\u{30ff}'    // Hiragana, Katakana
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'    // Han
        | '\u{ac00}'..='\u{d7af}'    // Hangul
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{323af}')
}

/// The text as it is given to the index.
pub(super) fn indexed(text: &str) -> String {
    let mut spread = String::with_capacity(text.len() + text.len() / 2);
    for c in text.chars() {
        let alone = stands_alone(c);
        if alone {
            spread.push(' ');
        }
        spread.push(c);
        if alone {
            spread.push(' ');
        }
    }
    spread
}

/// The words of a text, and what stands alone, one by one, as the tokenizer leaves them whole.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !is_indexed(c)).flat_map(|run| {
        run.split_inclusive(stands_alone).flat_map(|piece| {
            // What stands alone is the last of its piece.
            let last = piece.char_indices().next_back();
            let at = last
                .filter(|&(_, c)| stands_alone(c))
                .map_or(piece.len(), |(at, _)| at);
            let (word, alone) = piece.split_at(at);
            // Of an accent by itself nothing would be left but the mark.
            let says_something = |piece: &&str| piece.contains(char::is_alphanumeric);
            [word, alone].into_iter().filter(says_something)
        })
    })
}

/// What stands before each word of a conversation. It ends in a letter, so that no other number
/// with another word makes the same.
fn mark(conversation: u64) -> String {
    format!("c{conversation}x")
}

/// The text of a message as it is given to the index: each word bears the mark of its conversation,
/// so that a search there meets no word of another.
pub(super) fn indexed_in(conversation: u64, text: &str) -> String {
    let mark = mark(conversation);
    let mut marked = String::with_capacity(2 * text.len());
    for piece in pieces(text) {
        marked.push_str(&mark);
        marked.push_str(piece);
        marked.push(' ');
    }
    marked
}

/// The query for messages in any of these conversations that have all words, each as the beginning
/// of one. None if there is no word in it, or no conversation.
pub(super) fn query_in(conversations: &[u64], text: &str) -> Option<String> {
    let words: Vec<Vec<&str>> = text
        .split(|c: char| !is_of_word(c))
        .map(|word| pieces(word).collect::<Vec<_>>())
        .filter(|pieces| !pieces.is_empty())
        .take(WORDS_MAX)
        .collect();
    if words.is_empty() || conversations.is_empty() {
        return None;
    }
    let there = conversations.iter().map(|&conversation| {
        let mark = mark(conversation);
        let words = words.iter().map(|pieces| {
            let marked: Vec<String> = pieces
                .iter()
                .map(|piece| format!("{mark}{piece}"))
                .collect();
            format!("\"{}\"*", marked.join(" "))
        });
        format!("({})", words.collect::<Vec<_>>().join(" AND "))
    });
    Some(there.collect::<Vec<_>>().join(" OR "))
}

/// The query as the index understands it: all words, each as the beginning of one. None if there is
/// no word in it.
pub(super) fn query(text: &str) -> Option<String> {
    let words: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric() && !stands_alone(c))
        .filter(|word| !word.is_empty())
        .take(WORDS_MAX)
        .map(|word| format!("\"{}\"*", indexed(word).trim()))
        .collect();
    (!words.is_empty()).then(|| words.join(" AND "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_has_words_and_nothing_that_the_index_would_take_for_syntax() {
        assert_eq!(query("Hello wor").unwrap(), "\"Hello\"* AND \"wor\"*");
        assert_eq!(query("你好").unwrap(), "\"你  好\"*");
        assert_eq!(
            query("a\" OR text:(b) NEAR*").unwrap(),
            "\"a\"* AND \"OR\"* AND \"text\"* AND \"b\"* AND \"NEAR\"*"
        );
        assert_eq!(query(" \"*()-: "), None);
    }

    #[test]
    fn words_bear_the_mark_of_their_conversation() {
        assert_eq!(indexed_in(7, "Red, fox2!"), "c7xRed c7xfox2 ");
        assert_eq!(indexed_in(7, "ab你好c"), "c7xab c7x你 c7x好 c7xc ");
        assert_eq!(indexed_in(7, "cafe\u{301}s"), "c7xcafe\u{301}s ");
        assert_eq!(
            indexed_in(7, "हिन्दी ⓒred \u{301}"),
            "c7xह c7xन c7xद c7xred "
        );
        assert_eq!(
            query_in(&[7, 12], "red fo").unwrap(),
            "(\"c7xred\"* AND \"c7xfo\"*) OR (\"c12xred\"* AND \"c12xfo\"*)"
        );
        assert_eq!(
            query_in(&[7], "a你好\" OR").unwrap(),
            "(\"c7xa c7x你 c7x好\"* AND \"c7xOR\"*)"
        );
        assert_eq!(
            query_in(&[7], "दिन ⓒ").unwrap(),
            "(\"c7xद c7xन\"*)",
            "in a row, though a sign stands between"
        );
        assert_eq!(query_in(&[7], " \"*()-: \u{93f} \u{301}"), None);
        assert_eq!(query_in(&[], "red"), None);
    }
}
