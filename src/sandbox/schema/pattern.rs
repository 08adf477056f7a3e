//! Strings that match a regular expression, for the part of the ECMAScript syntax that schemas use.
//!
//! Look-around and word boundaries are passed over: what they forbid is rare in a drawn string, and the check of the finished value finds it.

use std::iter::Peekable;
use std::str::Chars;

use super::super::seed::Dice;
use super::{Unmet, shown};

/// Groups within groups.
const MAX_GROUPS: usize = 40;
/// The largest count in `{..}` that is taken.
const MAX_REPEAT: u32 = 10_000;
/// Characters that a class stands for are looked for here first, so that strings stay readable.
const READABLE: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-. ";
/// Characters from one to another, several times over.
type Ranges = Vec<(char, char)>;

const DIGITS: [(char, char); 1] = [('0', '9')];
const WORD: [(char, char); 4] = [('a', 'z'), ('A', 'Z'), ('0', '9'), ('_', '_')];
const SPACE: [(char, char); 2] = [(' ', ' '), ('\t', '\r')];

/// A parsed pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    node: Node,
    anchored_at_end: bool,
}

#[derive(Debug)]
enum Node {
    /// One of these characters.
    Class(Vec<char>),
    Sequence(Vec<Node>),
    Choice(Vec<Node>),
    Repeat {
        node: Box<Node>,
        least: u32,
        most: u32,
    },
}

/// Reads a pattern.
pub(super) fn parse(source: &str) -> Result<Pattern, Unmet> {
    let mut parser = Parser { rest: source.chars().peekable(), groups: 0, anchored_at_end: false };
    let node = parser.choice()?;
    match parser.rest.next() {
        None => Ok(Pattern { node, anchored_at_end: parser.anchored_at_end }),
        Some(_) => Err(Unmet::new(format!("the pattern '{}' has a bracket too many", shown(source)))),
    }
}

// === impl Pattern ===

impl Pattern {
    /// Whether nothing may be added to a string that matches.
    pub(super) fn is_anchored_at_end(&self) -> bool {
        self.anchored_at_end
    }

    /// A string of about `longest` bytes at most. Repetitions go `stretch` rounds past their least, where they may. Every step counts against `budget`.
    pub(super) fn sample(&self, stretch: u32, longest: usize, budget: &mut usize, dice: &mut Dice) -> Result<String, Unmet> {
        let mut text = String::new();
        write(&self.node, stretch, longest, budget, dice, &mut text)?;
        Ok(text)
    }
}

fn write(node: &Node, stretch: u32, longest: usize, budget: &mut usize, dice: &mut Dice, text: &mut String) -> Result<(), Unmet> {
    let left = budget.checked_sub(1).filter(|_| text.len() <= longest);
    *budget = left.ok_or_else(|| Unmet::hopeless("its pattern asks for too long a string"))?;
    match node {
        Node::Class(letters) => text.extend(dice.choose(letters)),
        Node::Sequence(nodes) => {
            for node in nodes {
                write(node, stretch, longest, budget, dice, text)?;
            }
        }
        Node::Choice(nodes) => {
            if let Some(node) = dice.choose(nodes) {
                write(node, stretch, longest, budget, dice, text)?;
            }
        }
        Node::Repeat { node, least, most } => {
            for _ in 0..least.saturating_add(stretch).min(*most) {
                write(node, stretch, longest, budget, dice, text)?;
            }
        }
    }
    Ok(())
}

/// The characters that a class is drawn from: letters and digits if it has any, else whatever it has.
fn class(ranges: &[(char, char)], negated: bool) -> Result<Node, Unmet> {
    let inside = |letter: char| ranges.iter().any(|(first, last)| (*first..=*last).contains(&letter));
    let readable: Vec<char> = READABLE.chars().filter(|letter| inside(*letter) != negated).collect();
    let plain: Vec<char> = readable.iter().copied().filter(char::is_ascii_alphanumeric).collect();
    let letters = if !plain.is_empty() {
        plain
    } else if !readable.is_empty() {
        readable
    } else if negated {
        ('!'..='\u{2fff}').find(|letter| !inside(*letter)).into_iter().collect()
    } else {
        ranges.iter().find(|(first, last)| first <= last).map(|(first, _)| *first).into_iter().collect()
    };
    if letters.is_empty() { Err(Unmet::new("its pattern has a class with nothing in it")) } else { Ok(Node::Class(letters)) }
}

struct Parser<'p> {
    rest: Peekable<Chars<'p>>,
    groups: usize,
    anchored_at_end: bool,
}

// === impl Parser ===

impl Parser<'_> {
    fn choice(&mut self) -> Result<Node, Unmet> {
        let mut branches = vec![self.sequence()?];
        while self.rest.next_if_eq(&'|').is_some() {
            branches.push(self.sequence()?);
        }
        Ok(if branches.len() == 1 { branches.pop().unwrap_or(Node::Sequence(Vec::new())) } else { Node::Choice(branches) })
    }

    fn sequence(&mut self) -> Result<Node, Unmet> {
        let mut nodes = Vec::new();
        while let Some(letter) = self.rest.next_if(|letter| !matches!(letter, '|' | ')')) {
            let node = match letter {
                '^' => None,
                '$' => {
                    self.anchored_at_end = true;
                    None
                }
                '(' => self.group()?,
                '[' => Some(self.class()?),
                '\\' => self.escape()?.map(|(ranges, negated)| class(&ranges, negated)).transpose()?,
                '.' => Some(class(&[('\n', '\n'), ('\r', '\r')], true)?),
                '*' | '+' | '?' => return Err(Unmet::new("its pattern repeats nothing")),
                letter => Some(Node::Class(vec![letter])),
            };
            let node = self.repeated(node)?;
            nodes.extend(node);
        }
        Ok(Node::Sequence(nodes))
    }

    /// Takes the repetition that follows a node, if there is one. That of an assertion changes nothing.
    fn repeated(&mut self, node: Option<Node>) -> Result<Option<Node>, Unmet> {
        let Some((least, most)) = self.quantifier()? else { return Ok(node) };
        // Lazy and possessive forms match the same strings.
        let _ = self.rest.next_if(|letter| matches!(letter, '?' | '+'));
        Ok(node.map(|node| Node::Repeat { node: Box::new(node), least, most }))
    }

    fn quantifier(&mut self) -> Result<Option<(u32, u32)>, Unmet> {
        let counts = match self.rest.peek() {
            Some('*') => (0, u32::MAX),
            Some('+') => (1, u32::MAX),
            Some('?') => (0, 1),
            Some('{') => {
                let mut ahead = self.rest.clone();
                ahead.next();
                let inner: String = ahead.by_ref().take(24).take_while(|letter| *letter != '}').collect();
                let Some(counts) = counted(&inner) else { return Ok(None) };
                if counts.0 > MAX_REPEAT || counts.1 < counts.0 {
                    return Err(Unmet::new("its pattern repeats too often, or never"));
                }
                // All but the closing brace, which is taken below.
                self.rest.by_ref().take(inner.chars().count() + 1).for_each(drop);
                counts
            }
            _ => return Ok(None),
        };
        self.rest.next();
        Ok(Some(counts))
    }

    /// A group; `None` for the assertions, which match no text of their own.
    fn group(&mut self) -> Result<Option<Node>, Unmet> {
        self.groups += 1;
        if self.groups > MAX_GROUPS {
            return Err(Unmet::new("its pattern has too many groups"));
        }
        let mut assertion = false;
        if self.rest.next_if_eq(&'?').is_some() {
            match self.rest.next() {
                Some(':') => {}
                Some('=' | '!') => assertion = true,
                Some('P') if self.rest.next_if_eq(&'<').is_some() => self.name()?,
                Some('<') if self.rest.next_if(|letter| matches!(letter, '=' | '!')).is_some() => assertion = true,
                Some('<') => self.name()?,
                _ => return Err(Unmet::new("its pattern has a group of an unknown kind")),
            }
        }
        // A dollar within an assertion says nothing about the end of the whole.
        let before = self.anchored_at_end;
        let node = self.choice()?;
        if assertion {
            self.anchored_at_end = before;
        }
        match self.rest.next() {
            Some(')') => Ok((!assertion).then_some(node)),
            _ => Err(Unmet::new("its pattern has a group that is not closed")),
        }
    }

    fn name(&mut self) -> Result<(), Unmet> {
        if self.rest.by_ref().any(|letter| letter == '>') { Ok(()) } else { Err(Unmet::new("its pattern has a group that is not closed")) }
    }

    fn class(&mut self) -> Result<Node, Unmet> {
        let unclosed = || Unmet::new("its pattern has a class that is not closed");
        let negated = self.rest.next_if_eq(&'^').is_some();
        let mut ranges: Ranges = Vec::new();
        loop {
            let letter = match self.rest.next().ok_or_else(unclosed)? {
                ']' => return class(&ranges, negated),
                '\\' => match self.member()? {
                    Ok(letter) => letter,
                    Err(class) => {
                        ranges.extend(class);
                        continue;
                    }
                },
                letter => letter,
            };
            let mut ahead = self.rest.clone();
            // A hyphen at the end stands for itself.
            if ahead.next() == Some('-') && ahead.next().is_some_and(|last| last != ']') {
                self.rest.next();
                let last = match self.rest.next().ok_or_else(unclosed)? {
                    '\\' => self.member()?.map_err(|_| Unmet::new("its pattern has a range that ends with a class"))?,
                    last => last,
                };
                ranges.push((letter, last));
            } else {
                ranges.push((letter, letter));
            }
        }
    }

    /// What an escape means within a class: a character, or a class of its own (turned into ranges).
    fn member(&mut self) -> Result<Result<char, Ranges>, Unmet> {
        if self.rest.next_if_eq(&'b').is_some() {
            return Ok(Ok('\u{8}'));
        }
        let (ranges, negated) = self.escape()?.ok_or_else(|| Unmet::new("its pattern has an assertion in a class"))?;
        match ranges.as_slice() {
            [(first, last)] if first == last && !negated => Ok(Ok(*first)),
            _ if negated => Ok(Err(complement(&ranges))),
            _ => Ok(Err(ranges)),
        }
    }

    /// What follows a backslash: ranges, and whether they are negated. `None` for word boundaries.
    fn escape(&mut self) -> Result<Option<(Ranges, bool)>, Unmet> {
        let letter = self.rest.next().ok_or_else(|| Unmet::new("its pattern ends with a backslash"))?;
        let ranges = match letter {
            'b' | 'B' | 'A' => return Ok(None),
            'z' | 'Z' => {
                self.anchored_at_end = true;
                return Ok(None);
            }
            'd' => DIGITS.to_vec(),
            'D' => return Ok(Some((DIGITS.to_vec(), true))),
            'w' => WORD.to_vec(),
            'W' => return Ok(Some((WORD.to_vec(), true))),
            's' => SPACE.to_vec(),
            'S' => return Ok(Some((SPACE.to_vec(), true))),
            'p' | 'P' => return Ok(Some((self.property()?, letter == 'P'))),
            't' => one('\t'),
            'n' => one('\n'),
            'r' => one('\r'),
            'f' => one('\u{c}'),
            'v' => one('\u{b}'),
            '0' => one('\0'),
            'x' => one(self.code(2)?),
            'u' if self.rest.next_if_eq(&'{').is_some() => one(self.braced_code()?),
            'u' => one(self.code(4)?),
            '1'..='9' | 'k' => return Err(Unmet::new("its pattern refers back to a group, which is not supported")),
            letter => one(letter),
        };
        Ok(Some((ranges, false)))
    }

    fn code(&mut self, digits: usize) -> Result<char, Unmet> {
        let hex: String = self.rest.by_ref().take(digits).collect();
        read_code(&hex)
    }

    fn braced_code(&mut self) -> Result<char, Unmet> {
        let hex: String = self.rest.by_ref().take_while(|letter| *letter != '}').collect();
        read_code(&hex)
    }

    /// A Unicode property. What is drawn for one is always ASCII.
    fn property(&mut self) -> Result<Ranges, Unmet> {
        let name: String = match self.rest.next() {
            Some('{') => self.rest.by_ref().take_while(|letter| *letter != '}').collect(),
            other => other.into_iter().collect(),
        };
        match name.as_str() {
            "L" | "Letter" | "Alphabetic" | "IsAlphabetic" => Ok(vec![('a', 'z'), ('A', 'Z')]),
            "Ll" | "Lowercase_Letter" => Ok(vec![('a', 'z')]),
            "Lu" | "Uppercase_Letter" => Ok(vec![('A', 'Z')]),
            "N" | "Nd" | "Number" => Ok(DIGITS.to_vec()),
            "P" | "Punctuation" => Ok(vec![('!', '#'), ('%', '*'), (',', '/')]),
            "Z" | "Zs" => Ok(one(' ')),
            other => Err(Unmet::new(format!("its pattern has the Unicode property '{}', which is not supported", shown(other)))),
        }
    }
}

fn one(letter: char) -> Ranges {
    vec![(letter, letter)]
}

/// The printable ASCII characters outside the ranges.
fn complement(ranges: &[(char, char)]) -> Ranges {
    (' '..='~').filter(|letter| !ranges.iter().any(|(first, last)| (*first..=*last).contains(letter))).map(|letter| (letter, letter)).collect()
}

fn read_code(hex: &str) -> Result<char, Unmet> {
    u32::from_str_radix(hex, 16).ok().and_then(char::from_u32).ok_or_else(|| Unmet::new("its pattern has a character code that means nothing"))
}

/// The counts of `{3}`, `{3,}` or `{3,5}`; `None` when the braces stand for themselves.
fn counted(inner: &str) -> Option<(u32, u32)> {
    let number = |digits: &str| if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse::<u32>().ok() } else { None };
    match inner.split_once(',') {
        None => number(inner).map(|count| (count, count)),
        Some((least, "")) => number(least).map(|least| (least, u32::MAX)),
        Some((least, most)) => Some((number(least)?, number(most)?)),
    }
}
