use super::*;

#[test]
fn a_generated_secret_is_well_formed_and_unique() {
    for kind in [SecretKind::Main, SecretKind::Live, SecretKind::Test] {
        let first = Secret::generate(kind).unwrap();
        let second = Secret::generate(kind).unwrap();
        assert_ne!(first.reveal(), second.reveal());
        assert_eq!(Secret::form(first.reveal()), SecretForm::WellFormed(kind));
        assert!(first.reveal().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
    }
}

#[test]
fn any_single_changed_character_is_noticed() {
    let secret = Secret::generate(SecretKind::Live).unwrap();
    for position in 0..secret.reveal().len() {
        let mut changed: Vec<u8> = secret.reveal().bytes().collect();
        changed[position] = if changed[position] == b'x' { b'y' } else { b'x' };
        assert_eq!(Secret::form(&String::from_utf8(changed).unwrap()), SecretForm::Malformed, "position {position}");
    }
    assert_eq!(Secret::form(&secret.reveal()[..secret.reveal().len() - 1]), SecretForm::Malformed);
    assert_eq!(Secret::form(&format!("{}0", secret.reveal())), SecretForm::Malformed);
    assert_eq!(Secret::form(""), SecretForm::Malformed);
    assert_eq!(Secret::form("sg_live_é"), SecretForm::Malformed);
}

#[test]
fn a_secret_cannot_be_printed() {
    let secret = Secret::generate(SecretKind::Live).unwrap();
    assert_eq!(format!("{secret:?} {:?}", secret.hash()), "Secret(..) SecretHash(..)");
    let masked = secret.masked();
    assert!(masked.starts_with("sg_live_") && masked.len() == "sg_live_a1B2...c5D6".len());
}
