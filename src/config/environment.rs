//! Environment variables, behind a type so that tests bring their own.

use std::collections::HashMap;

/// Where `${NAME}` in a file is looked up.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: Option<HashMap<String, String>>,
}

/// A value in a file that may name a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expanded {
    /// No variable, or all of them set.
    Value(String),
    /// This variable is not set, or empty.
    Unset(String),
    /// A `${` without its `}`, or a name that is none.
    Malformed,
}

// === impl Environment ===

impl Environment {
    /// The process's own.
    #[must_use]
    pub fn process() -> Self {
        Self::default()
    }

    /// These variables and no others.
    pub fn of<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self { variables: Some(variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()) }
    }

    /// The variable's value; none where it is unset, empty or not UTF-8.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        let value = match &self.variables {
            Some(variables) => variables.get(name).cloned(),
            None => std::env::var(name).ok(),
        };
        value.filter(|value| !value.is_empty())
    }

    /// Puts in the value of every `${NAME}` of a string that was parsed already, so that a value can never change a file's structure.
    pub(crate) fn expand(&self, text: &str) -> Expanded {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            expanded.push_str(&rest[..start]);
            let Some(end) = rest[start..].find('}') else { return Expanded::Malformed };
            let name = &rest[start + 2..start + end];
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                return Expanded::Malformed;
            }
            let Some(value) = self.get(name) else { return Expanded::Unset(name.to_owned()) };
            expanded.push_str(&value);
            rest = &rest[start + end + 1..];
        }
        expanded.push_str(rest);
        Expanded::Value(expanded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_put_in_once_and_never_read_again() {
        let environment = Environment::of([("KEY", "a${OTHER}b"), ("EMPTY", "")]);
        assert_eq!(environment.expand("x-${KEY}-y"), Expanded::Value("x-a${OTHER}b-y".to_owned()));
        assert_eq!(environment.expand("${EMPTY}"), Expanded::Unset("EMPTY".to_owned()));
        assert_eq!(environment.expand("${NOT_THERE}"), Expanded::Unset("NOT_THERE".to_owned()));
        assert_eq!(environment.expand("${KEY"), Expanded::Malformed);
        assert_eq!(environment.expand("${A B}"), Expanded::Malformed);
        assert_eq!(environment.expand("plain $5"), Expanded::Value("plain $5".to_owned()));
    }
}
