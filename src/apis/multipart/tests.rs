use http::HeaderValue;
use proptest::prelude::*;

use super::*;

const TYPE: &str = "multipart/form-data; boundary=b0undary";

pub(in crate::apis) fn headers(kind: &str) -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_str(kind).unwrap())])
}

/// A form as SDKs write it: names with values, and with the file's name where it is one. With the headers that go with it.
pub(in crate::apis) fn form(parts: &[(&str, Option<&str>, &[u8])]) -> (HeaderMap, Bytes) {
    let mut body = Vec::new();
    for (name, file, data) in parts {
        let file = file.map_or_else(String::new, |file| format!("; filename=\"{file}\"\r\nContent-Type: application/octet-stream"));
        body.extend_from_slice(format!("--b0undary\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").as_bytes());
        body.extend_from_slice(data);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--b0undary--\r\n");
    (headers(TYPE), body.into())
}

fn parse(body: &str) -> Result<Form, FormError> {
    read(&headers(TYPE), &Bytes::from(body.to_owned()))
}

fn one(head: &str) -> Result<Form, FormError> {
    parse(&format!("--b0undary\r\n{head}\r\n\r\nx\r\n--b0undary--\r\n"))
}

#[test]
fn a_form_is_read_as_slices_of_the_body() {
    let (headers, body) = form(&[
        ("model", None, b"whisper-1"),
        ("empty", None, b""),
        ("file", Some("a;b.mp3"), b"\x00\r\n--b0und\r\nary\r\n"),
        ("x[]", None, b"1"),
        ("x[]", None, b"2"),
    ]);
    let form = read(&headers, &body).unwrap();
    assert_eq!(form.parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>(), ["model", "empty", "file", "x[]", "x[]"]);
    assert_eq!((form.parts[0].text(), form.parts[1].text()), ("whisper-1", ""));
    let file = &form.parts[2];
    assert_eq!(file.data, &b"\x00\r\n--b0und\r\nary\r\n"[..]);
    assert_eq!(file.file, Some(File { names: vec!["a;b.mp3".to_owned()], kind: Some("application/octet-stream".to_owned()) }));
    let range = body.as_ptr_range();
    assert!(range.contains(&file.data.as_ptr()), "no copy");
    assert_eq!(read(&headers, &Bytes::from_static(b"--b0undary--")).unwrap().parts, []);
}

#[test]
fn the_ways_in_which_clients_write_forms_are_taken() {
    for head in [
        "Content-Disposition: form-data; name=\"n\"",
        "content-disposition:form-data;name=n",
        "Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=\"n\"",
        "Content-Disposition: form-data; name=\"n\"\r\nContent-Length: 1\r\nContent-Transfer-Encoding: binary",
        "Content-Disposition: form-data; name=n; filename=speech.mp3; filename*=utf-8''speech.mp3",
    ] {
        assert_eq!(one(head).unwrap().parts[0].name, "n", "{head}");
    }
    for kind in [TYPE, "Multipart/Form-Data; boundary=\"b0undary\"", "multipart/form-data; charset=UTF-8; boundary=b0undary"] {
        assert!(read(&headers(kind), &Bytes::from_static(b"--b0undary--\r\n")).is_ok(), "{kind}");
    }
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    for head in [
        "",
        "X: y",
        "Content-Disposition: form-data",
        "Content-Disposition: attachment; name=\"n\"",
        "Content-Disposition: form-data; name=\"n\"; name=\"m\"",
        "Content-Disposition: form-data; name=\"n\"; NAME=\"m\"",
        "Content-Disposition: form-data; name*=utf-8''n",
        "Content-Disposition: form-data; name=\"n\"; x=y",
        "Content-Disposition: form-data; name=\"n\\\"; filename=\"x\"",
        "Content-Disposition: form-data; name=\"n",
        "Content-Disposition: form-data; name=\"a b\"",
        "Content-Disposition: form-data; name=\"n\u{e9}\"",
        "Content-Disposition: form-data; name=\"\"",
        "Content-Disposition: form-data; name=\"n\"\r\nContent-Disposition: form-data; name=\"m\"",
        "Content-Disposition: form-data; name=\"n\"\r\n ; filename=\"x\"",
        "Content-Disposition: form-data; name=\"n\"\nContent-Type: text/plain",
        "Content-Disposition: form-data; name=\"n\"\rContent-Type: text/plain",
        "Content-Disposition : form-data; name=\"n\"",
        "Content-Disposition: form-data; name=\"n\"\r\nContent-Transfer-Encoding: base64",
        "Content-Disposition: form-data; name=\"n\"\r\nContent-Encoding: gzip",
    ] {
        assert!(matches!(one(head), Err(FormError::Syntax { .. })), "{head}");
    }
    let part = "--b0undary\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n";
    for body in [
        String::new(),
        format!("\r\n{part}x\r\n--b0undary--\r\n"),
        format!("preamble\r\n{part}x\r\n--b0undary--\r\n"),
        format!("{part}x\r\n--b0undary--\r\nepilogue"),
        format!("{part}x\r\n--b0undary-- \r\n"),
        format!("{part}x\r\n--b0undary \r\n--b0undary--\r\n"),
        format!("{part}x\n--b0undary--\r\n"),
        format!("{part}x--b0undary\r\n--b0undary--\r\n"),
        format!("{part}x\r--b0undary--\r\n"),
        format!("{part}x\n--b0undary\nContent-Disposition: form-data; name=\"m\"\n\ny\r\n--b0undary--\r\n"),
        format!("{part}x\r\n--b0undaryz\r\n--b0undary--\r\n"),
        format!("{part}x\r\n--b0undary"),
        format!("{part}x"),
        "--b0undary".to_owned(),
        format!("--b0undary\r\n{}", "a: b\r\n".repeat(2_000)),
    ] {
        assert!(matches!(parse(&body), Err(FormError::Syntax { .. })), "{body}");
    }
    let twice = format!("{part}1\r\n{part}2\r\n--b0undary--\r\n");
    assert_eq!(parse(&twice), Err(FormError::Duplicate { name: "n".to_owned() }));
    let (headers, body) = form(&[("n", None, b"\xff")]);
    assert_eq!(read(&headers, &body), Err(FormError::NoText { name: "n".to_owned() }));
    let (headers, body) = form(&[("n", None, &vec![b'x'; MAX_VALUE + 1])]);
    assert_eq!(read(&headers, &body), Err(FormError::TooLong { name: "n".to_owned() }));
    let (headers, body) = form(&[("n[]", None, &b"x"[..]); MAX_PARTS + 1]);
    assert_eq!(read(&headers, &body), Err(FormError::TooMany));
}

#[test]
fn the_boundary_comes_from_one_header_and_is_plain() {
    let body = Bytes::from_static(b"--b0undary--\r\n");
    for kind in [
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"b0undary",
        "multipart/form-data; boundary=b0undary; boundary=b0undary",
        "multipart/form-data; boundary=b0undary; x=y",
        "multipart/form-data; boundary=b0 undary",
        "multipart/form-data, multipart/form-data; boundary=b0undary",
        "multipart/mixed; boundary=b0undary",
        &format!("multipart/form-data; boundary={}", "b".repeat(71)),
    ] {
        assert_eq!(read(&headers(kind), &body), Err(FormError::NoBoundary), "{kind}");
    }
    let mut two = headers(TYPE);
    two.append(CONTENT_TYPE, HeaderValue::from_static(TYPE));
    assert_eq!(read(&two, &body), Err(FormError::NoBoundary));
    assert_eq!(read(&HeaderMap::new(), &body), Err(FormError::NoBoundary));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0usize..400) {
        let _ = read(&headers(TYPE), &Bytes::from(bytes.clone()));
        let (headers, body) = form(&[("model", None, &bytes), ("file", Some("x"), &bytes)]);
        let _ = read(&headers, &body.slice(..cut.min(body.len())));
    }

    #[test]
    fn whatever_a_file_holds_comes_back(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let (headers, body) = form(&[("file", Some("x"), &bytes), ("n", None, b"1")]);
        let form = read(&headers, &body).unwrap();
        prop_assert_eq!(&form.parts[0].data[..], &bytes[..]);
        prop_assert_eq!(form.parts.len(), 2);
    }
}
