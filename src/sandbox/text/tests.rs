use proptest::prelude::*;

use super::super::seed::Seed;
use super::{cut, pieces, prose, prose_of, tokens};

#[test]
fn prose_of_a_length_has_that_length() {
    let mut dice = Seed::of_bytes("test", b"").dice();
    for count in [1, 2, 13, 500, 10_000] {
        assert_eq!(tokens(&prose_of(count, &mut dice)), count);
    }
    assert!((15..200).contains(&tokens(&prose(&mut dice))));
}

#[test]
fn short_text_comes_word_by_word_and_long_text_in_few_pieces() {
    assert_eq!(pieces("one two  three", 14).collect::<Vec<_>>(), ["one ", "two ", " ", "three"]);
    let long = "word ".repeat(200_000);
    assert!(pieces(&long, long.len()).count() <= 4_096);
    assert!(pieces("", 0).next().is_none());
}

proptest! {
    #[test]
    fn a_token_is_one_to_four_bytes_and_characters_stay_whole(text in "\\PC{0,60}", limit in 0..40_u64) {
        let count = tokens(&text);
        prop_assert!(count as usize >= text.len().div_ceil(4) && count as usize <= text.len());
        let (kept, was_cut) = cut(&text, limit);
        prop_assert!(text.starts_with(kept));
        prop_assert_eq!(tokens(kept), count.min(limit));
        prop_assert_eq!(was_cut, count > limit);
    }

    #[test]
    fn pieces_make_up_the_text(text in "\\PC{0,200}", total in 0..100_000_usize) {
        prop_assert_eq!(pieces(&text, total).collect::<String>(), text.clone());
        prop_assert!(pieces(&text, total).all(|piece| !piece.is_empty()));
    }
}
