//! Forms with files, as SDKs send them; and recordings to put into them.

use super::Request;

const BOUNDARY: &str = "--------------------------4d6b8f2a90c1";

/// A form to that path: names and values, and the name of the file where it is one.
pub(crate) fn post(path: &str, parts: &[(&str, Option<&str>, &[u8])]) -> Request {
    post_body(path, body(parts))
}

/// The body of a form, whatever it is.
pub(crate) fn post_body(path: &str, body: Vec<u8>) -> Request {
    Request::new(hyper::Method::POST, path).header("content-type", &format!("multipart/form-data; boundary={BOUNDARY}")).body(body)
}

/// The body that [`post`] sends.
pub(crate) fn body(parts: &[(&str, Option<&str>, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, file, data) in parts {
        let file = file.map_or_else(String::new, |file| format!("; filename=\"{file}\"\r\nContent-Type: application/octet-stream"));
        body.extend_from_slice(format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").as_bytes());
        body.extend_from_slice(data);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

/// A recording of silence: 8,000 samples a second of 16 bits, so many milliseconds; its header says `told` milliseconds.
pub(crate) fn wav(millis: u32, told: u32) -> Vec<u8> {
    let mut file = [&b"RIFF"[..], &(36 + told * 16).to_le_bytes(), b"WAVEfmt ", &16_u32.to_le_bytes(), &[1, 0, 1, 0]].concat();
    file.extend_from_slice(&8_000_u32.to_le_bytes());
    file.extend_from_slice(&16_000_u32.to_le_bytes());
    file.extend_from_slice(&[2, 0, 16, 0]);
    file.extend_from_slice(b"data");
    file.extend_from_slice(&(told * 16).to_le_bytes());
    file.resize(file.len() + millis as usize * 16, 0);
    file
}
