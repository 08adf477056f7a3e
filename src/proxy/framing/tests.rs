use super::*;
use proptest::prelude::*;

fn verdicts(bytes: &[u8], pieces: &[usize]) -> Vec<Verdict> {
    let mut scanner = Scanner::default();
    let seen = Verdicts::default();
    let mut rest = bytes;
    for piece in pieces {
        let (now, later) = rest.split_at((*piece).min(rest.len()));
        scanner.scan(now, &seen);
        rest = later;
    }
    scanner.scan(rest, &seen);
    std::iter::from_fn(|| Some(seen.next()).filter(|verdict| *verdict != Verdict::Unseen)).collect()
}

#[test]
fn odd_framings_are_found() {
    for (head, oddity) in [
        ("content-length: 3\r\nTransfer-Encoding: chunked", Oddity::TwoFramings),
        ("Transfer-Encoding: chunked\r\nContent-Length: 3", Oddity::TwoFramings),
        ("Content-Length: 3\r\nContent-Length: 3", Oddity::Length),
        ("Content-Length: +3", Oddity::Length),
        ("Content-Length: 0x3", Oddity::Length),
        ("Content-Length: 3, 3", Oddity::Length),
        ("Content-Length:", Oddity::Length),
        ("Transfer-Encoding: gzip, chunked", Oddity::Coding),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", Oddity::Coding),
        ("Transfer-Encoding: xchunked", Oddity::Coding),
        ("A: b\nC: d", Oddity::Line),
        ("A: b\r\n c", Oddity::Line),
        ("A: b\rc", Oddity::Line),
        ("A: b\0c", Oddity::Line),
    ] {
        let request = format!("POST / HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n");
        assert_eq!(verdicts(request.as_bytes(), &[]), [Verdict::Odd(oddity)], "{head:?}");
    }
}

#[test]
fn a_head_that_ends_in_bare_line_feeds_is_unseen() {
    assert_eq!(verdicts(b"GET / HTTP/1.1\nHost: x\n\n", &[]), []);
}

proptest! {
    #[test]
    fn each_request_of_a_connection_gets_its_verdict_however_the_bytes_arrive(
        bodies in prop::collection::vec(0_usize..50, 1..6),
        pieces in prop::collection::vec(1_usize..40, 0..60),
    ) {
        let mut bytes = Vec::new();
        for body in &bodies {
            bytes.extend_from_slice(format!("POST / HTTP/1.1\r\ncontent-length: {body}\r\n\r\n").as_bytes());
            bytes.extend(std::iter::repeat_n(b'\n', *body));
        }
        bytes.extend_from_slice(b"POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n");
        let found = verdicts(&bytes, &pieces);
        prop_assert_eq!(found.len(), bodies.len() + 1);
        prop_assert!(found[..bodies.len()].iter().all(|verdict| *verdict == Verdict::Fine));
        prop_assert_eq!(found[bodies.len()], Verdict::Odd(Oddity::Length));
    }
}
