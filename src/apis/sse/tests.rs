use super::*;

fn ends(chunks: &[&[u8]]) -> Vec<usize> {
    let mut scanner = EventScanner::new();
    let mut ends = Vec::new();
    let mut base = 0;
    for chunk in chunks {
        let mut at = 0;
        while let Some(end) = scanner.event_end(chunk, at) {
            ends.push(base + end);
            at = end;
        }
        base += chunk.len();
    }
    ends
}

#[test]
fn finds_ends_with_every_line_end() {
    assert_eq!(ends(&[b"data: a\n\ndata: b\n\n"]), [9, 18]);
    assert_eq!(ends(&[b"data: a\r\n\r\ndata: b\r\n\r\n"]), [11, 22]);
    assert_eq!(ends(&[b"data: a\r\rdata: b\r\r"]), [9, 18]);
    assert_eq!(ends(&[b"a: b\nc\r\nd\n\r\ne\r\n\n"]), [12, 16]);
    assert_eq!(ends(&[b"\n\n"]), [1, 2]);
    assert_eq!(ends(&[b"data: a\n"]), Vec::<usize>::new());
}

#[test]
fn finds_the_same_ends_however_chunks_are_cut() {
    let stream = b": hi\n\ndata: a\n\nevent: x\r\ndata: b\r\n\r\ndata: c\r\rdata: d\n\r\ne\r\n\n\n";
    let whole = ends(&[stream]);
    for first in 0..stream.len() {
        for second in first..stream.len() {
            let cut = ends(&[&stream[..first], &stream[first..second], &stream[second..]]);
            assert_eq!(cut.len(), whole.len(), "{first} {second}");
            for (cut, whole) in cut.iter().zip(&whole) {
                // Behind a CR the end is there at once; the LF that belongs to it may come with the next chunk.
                assert!(cut == whole || cut + 1 == *whole && stream[*cut] == b'\n' && (*cut == first || *cut == second), "{first} {second}");
            }
        }
    }
}

#[test]
fn finds_data() {
    let line = |event: &'static [u8]| match event_data(event) {
        Some(EventData::Line(range)) => std::str::from_utf8(&event[range]).unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(line(b"data: x y \n\n"), "x y");
    assert_eq!(line(b"data:x\r\n\r\n"), "x");
    assert_eq!(line(b": c\nevent: e\ndata:  [DONE]\nid: 1\n\n"), "[DONE]");
    assert_eq!(line(b"data:\n\n"), "");
    assert_eq!(line(b"data: x"), "x");
    assert_eq!(event_data(b"data: {\ndata: }\r\ndata:z\n\n"), Some(EventData::Lines(b"{ } z".to_vec())));
    assert_eq!(event_data(b": ping\n\n"), None);
    assert_eq!(event_data(b"datax: 1\n data: 2\n\n"), None);
    assert_eq!(event_data(b"\n"), None);
    assert_eq!(event_data(b""), None);
}
