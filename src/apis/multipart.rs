//! Reads a body that is `multipart/form-data` (RFC 7578, with the syntax of RFC 2046): the fields of a form and the files in it.
//!
//! What is priced must be what the provider parses, so there is one way to write a form and all others are refused: one boundary, no
//! preamble and no epilogue, lines that end in CR LF, headers that are known, a name for each part, one value for each name unless the
//! name ends in `[]`, and nowhere in the data the boundary itself. The body is there already; parts are slices of it.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use memchr::memmem::Finder;

/// Parts in one form.
const MAX_PARTS: usize = 256;
/// Bytes of the headers of one part.
const MAX_HEAD: usize = 4 << 10;
/// Bytes of a value that is no file.
const MAX_VALUE: usize = 512 << 10;
/// RFC 2046, section 5.1.1.
const MAX_BOUNDARY: usize = 70;
const MAX_NAME: usize = 64;

/// A form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) parts: Vec<Part>,
}

/// One part of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) data: Bytes,
    /// None for a value that is no file.
    pub(super) file: Option<File>,
}

/// What a part says of its file. It decides nothing; providers may go by it, so it must not contradict the data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct File {
    /// Its names, as `filename` and `filename*` have them.
    pub(super) names: Vec<String>,
    /// Its `Content-Type`, lower case, without parameters.
    pub(super) kind: Option<String>,
}

/// Why a body is not such a form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FormError {
    #[error("the body must be multipart/form-data, with one boundary of 1 to 70 plain characters in the header Content-Type")]
    NoBoundary,
    #[error("the form is malformed at byte {at}: {what}")]
    Syntax { at: usize, what: &'static str },
    #[error("the field '{name}' appears twice in the form: which of the two counts is not defined, so send it once")]
    Duplicate { name: String },
    #[error("the form has more than {MAX_PARTS} parts")]
    TooMany,
    #[error("the field '{name}' is longer than {MAX_VALUE} bytes")]
    TooLong { name: String },
    #[error("the field '{name}' is not valid UTF-8")]
    NoText { name: String },
}

/// Where the reader stands.
struct Reader<'a> {
    body: &'a Bytes,
    at: usize,
}

/// Reads the body of a request with these headers.
pub(super) fn read(headers: &HeaderMap, body: &Bytes) -> Result<Form, FormError> {
    let boundary = boundary(headers).ok_or(FormError::NoBoundary)?;
    let delimiter = [b"--", boundary.as_bytes()].concat();
    let finder = Finder::new(&delimiter);
    let mut reader = Reader { body, at: 0 };
    let mut form = Form { parts: Vec::new() };
    reader.expect(&delimiter, "it must begin with the boundary")?;
    while !reader.take(b"--") {
        if form.parts.len() == MAX_PARTS {
            return Err(FormError::TooMany);
        }
        reader.expect(b"\r\n", "a boundary must be followed by CR LF")?;
        let (name, file) = reader.head()?;
        let data = reader.data(&finder)?;
        reader.expect(&delimiter, "expected the boundary")?;
        if file.is_none() {
            check_value(&name, &data)?;
        }
        if !name.ends_with("[]") && form.parts.iter().any(|part| part.name == name) {
            return Err(FormError::Duplicate { name });
        }
        form.parts.push(Part { name, data, file });
    }
    reader.take(b"\r\n");
    if reader.at == body.len() { Ok(form) } else { Err(reader.error("expected the end")) }
}

/// The boundary that the one header `Content-Type` names.
fn boundary(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (value, None) = (values.next()?.to_str().ok()?, values.next()) else { return None };
    let (kind, parameters) = value.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let mut boundary = None;
    // Quoted or not, a boundary has no semicolon in it here: so they may be split at.
    for parameter in parameters.split(';') {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim();
        let value = value.strip_prefix('"').map_or(Some(value), |rest| rest.strip_suffix('"'))?;
        match name.trim().to_ascii_lowercase().as_str() {
            "boundary" if boundary.is_none() => boundary = Some(value),
            "charset" if value.eq_ignore_ascii_case("utf-8") => {}
            _ => return None,
        }
    }
    // RFC 2046 allows more; no client writes it.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=?".contains(&byte);
    boundary.filter(|boundary| (1..=MAX_BOUNDARY).contains(&boundary.len()) && boundary.bytes().all(plain)).map(str::to_owned)
}

fn check_value(name: &str, data: &[u8]) -> Result<(), FormError> {
    let name = || name.to_owned();
    if data.len() > MAX_VALUE {
        return Err(FormError::TooLong { name: name() });
    }
    std::str::from_utf8(data).map(|_| ()).map_err(|_| FormError::NoText { name: name() })
}

// === impl Part ===

impl Part {
    /// The value of a part that is no file.
    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.data).unwrap_or_default()
    }
}

// === impl Reader ===

impl Reader<'_> {
    /// The headers of a part, up to the empty line that ends them.
    fn head(&mut self) -> Result<(String, Option<File>), FormError> {
        let (began, mut disposition, mut kind, mut seen) = (self.at, None, None, Vec::new());
        loop {
            let line = self.line(began)?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| self.error("a header has no colon"))?;
            let name = name.to_ascii_lowercase();
            if seen.contains(&name) {
                return Err(self.error("a header of a part appears twice"));
            }
            let value = value.trim();
            match name.as_str() {
                "content-disposition" => disposition = Some(self.disposition(value)?),
                "content-type" => kind = value.split(';').next().map(|kind| kind.trim().to_ascii_lowercase()),
                // What clients write that changes nothing.
                "content-length" => {}
                "content-transfer-encoding" if ["binary", "8bit", "7bit"].iter().any(|plain| value.eq_ignore_ascii_case(plain)) => {}
                _ => return Err(self.error("a part has a header that is not known")),
            }
            seen.push(name);
        }
        let (name, names) = disposition.ok_or_else(|| self.error("a part has no Content-Disposition"))?;
        Ok((name, (!names.is_empty()).then_some(File { names, kind })))
    }

    /// A line without the CR LF at its end.
    fn line(&mut self, began: usize) -> Result<String, FormError> {
        let most = (began + MAX_HEAD).min(self.body.len());
        let rest = self.body.get(self.at..most).unwrap_or_default();
        let length = memchr::memchr2(b'\r', b'\n', rest).ok_or_else(|| self.error("the headers of a part do not end"))?;
        let line = rest.get(..length).unwrap_or_default();
        let text = std::str::from_utf8(line).ok().filter(|text| !text.starts_with([' ', '\t']) && !text.chars().any(char::is_control));
        let text = text.ok_or_else(|| self.error("a header of a part is malformed"))?.to_owned();
        self.at += length;
        self.expect(b"\r\n", "lines must end in CR LF")?;
        Ok(text)
    }

    /// `form-data; name="file"; filename="speech.mp3"`: the name, and the names of a file.
    fn disposition(&self, value: &str) -> Result<(String, Vec<String>), FormError> {
        let wrong = |what| self.error(what);
        let mut parameters = split_quoted(value).ok_or_else(|| wrong("a quoted string in Content-Disposition does not end"))?.into_iter();
        if !parameters.next().is_some_and(|kind| kind.eq_ignore_ascii_case("form-data")) {
            return Err(wrong("Content-Disposition must be form-data"));
        }
        let (mut name, mut names, mut seen) = (None, Vec::new(), Vec::new());
        for parameter in parameters {
            let (key, value) = parameter.split_once('=').ok_or_else(|| wrong("a parameter of Content-Disposition has no value"))?;
            let key = key.trim().to_ascii_lowercase();
            if seen.contains(&key) {
                return Err(wrong("a parameter of Content-Disposition appears twice"));
            }
            let value = value.trim();
            let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
            match key.as_str() {
                "name" => name = Some(value),
                "filename" | "filename*" => names.push(value.to_owned()),
                _ => return Err(wrong("Content-Disposition has a parameter that is not known")),
            }
            seen.push(key);
        }
        let plain = |name: &&str| (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.[]".contains(&byte));
        let name = name.filter(plain).ok_or_else(|| wrong("the name of a field must be of letters, digits, '_', '-', '.' and brackets"))?;
        Ok((name.to_owned(), names))
    }

    /// The data of a part: up to the CR LF before the boundary.
    fn data(&mut self, delimiter: &Finder<'_>) -> Result<Bytes, FormError> {
        let rest = self.body.get(self.at..).unwrap_or_default();
        let length = delimiter.find(rest).ok_or_else(|| self.error("the form does not end with its boundary"))?;
        // A boundary that no line break stands before is data to some readers, and an end to others.
        let data = rest.get(..length).and_then(|data| data.strip_suffix(b"\r\n")).ok_or(FormError::Syntax {
            at: self.at + length,
            what: "the boundary must stand at the beginning of a line that follows CR LF, and nowhere else",
        })?;
        let data = self.body.slice_ref(data);
        self.at += length;
        Ok(data)
    }

    fn expect(&mut self, bytes: &[u8], what: &'static str) -> Result<(), FormError> {
        if self.take(bytes) { Ok(()) } else { Err(self.error(what)) }
    }

    fn take(&mut self, bytes: &[u8]) -> bool {
        let found = self.body.get(self.at..).unwrap_or_default().starts_with(bytes);
        self.at += if found { bytes.len() } else { 0 };
        found
    }

    fn error(&self, what: &'static str) -> FormError {
        FormError::Syntax { at: self.at, what }
    }
}

/// Splits at semicolons that stand outside quotes. None where quotes do not end, or where a backslash would make them ambiguous.
fn split_quoted(text: &str) -> Option<Vec<&str>> {
    let (mut parts, mut begin, mut quoted) = (Vec::new(), 0, false);
    for (at, letter) in text.char_indices() {
        match letter {
            '"' => quoted = !quoted,
            '\\' => return None,
            ';' if !quoted => {
                parts.push(text.get(begin..at)?.trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(begin..)?.trim());
    (!quoted).then_some(parts)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
pub(super) mod tests;
