//! What of a text is indexed, and how a query for it is put.
//!
//! The tokenizer takes runs of letters for words. Scripts that are written without blanks would
//! give one word per sentence, so their characters are indexed one by one, and a query for several
//! asks for them in a row.

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
}
