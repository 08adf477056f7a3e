//! Errors in files that people edit: which file, which line, which column, what is wrong and what would be right.

use std::fmt;

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file as it was named, or the setting's name.
    pub file: String,
    /// Line, from 1. Zero where the whole file is meant.
    pub line: u32,
    /// Column in characters, from 1. Zero where the whole file is meant.
    pub column: u32,
    /// What is wrong, and what would be right.
    pub what: String,
}

// === impl Diagnostic ===

impl Diagnostic {
    /// At a byte offset of the file's text.
    pub fn at(file: &str, text: &str, offset: usize, what: impl Into<String>) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before[line_start..].chars().count() + 1;
        Self { file: file.to_owned(), line: u32::try_from(line).unwrap_or(u32::MAX), column: u32::try_from(column).unwrap_or(u32::MAX), what: what.into() }
    }

    /// About the file as a whole.
    pub fn whole_file(file: &str, what: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: 0, column: 0, what: what.into() }
    }

    /// What the TOML parser says.
    pub fn from_toml(file: &str, text: &str, error: &toml::de::Error) -> Self {
        let what = error.message().trim().replace('\n', "; ");
        match error.span() {
            Some(span) => Self::at(file, text, span.start, what),
            None => Self::whole_file(file, what),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 { write!(out, "{}: {}", self.file, self.what) } else { write!(out, "{}:{}:{}: {}", self.file, self.line, self.column, self.what) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_as_people_count() {
        let text = "a = 1\nbé = 2\n";
        assert_eq!(Diagnostic::at("f", text, 0, "x").to_string(), "f:1:1: x");
        assert_eq!(Diagnostic::at("f", text, 9, "x").to_string(), "f:2:3: x");
        assert_eq!(Diagnostic::at("f", text, 999, "x").to_string(), "f:3:1: x");
        assert_eq!(Diagnostic::whole_file("f", "x").to_string(), "f: x");
    }
}
