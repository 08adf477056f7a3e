//! Builds a value for a schema: required things always, optional things near the top, and the shortest way out where the schema is recursive.
//!
//! A value is built for a list of schemas that must all hold, so `allOf`, references and chosen branches are just more entries of the list and nothing
//! is ever merged or copied. Each attempt makes other choices where a schema leaves some; whether a value really conforms is for the caller to check.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Map, Value};

use super::super::seed::{Dice, Seed};
use super::{Unmet, number, string, walk};

/// Levels of nesting in a value, at most.
const MAX_DEPTH: u32 = 20;
/// From this level on only what is required is built, and branches are chosen for where they end soonest.
const DEEP: u32 = 3;
/// Values after which everything counts as deep, and values after which the sampler gives up.
const MANY_VALUES: u32 = 400;
const MAX_VALUES: u32 = 8_000;
/// Schemas looked at while building one value; stops branches of branches.
const MAX_STEPS: u32 = 200_000;
/// Bytes of text in one value.
const MAX_TEXT: usize = 1 << 20;
/// Steps of drawing strings from patterns, in one value.
const MAX_DRAWN: usize = 500_000;
/// Other items that are tried where items must differ.
const MAX_PICKS: usize = 64;

/// Builds one value. `attempt` numbers the try, from 0.
pub(super) fn sample<'s>(root: &'s Value, schemas: &[&'s Value], attempt: u32, seed: &Seed) -> Result<Value, Unmet> {
    let mut sampler =
        Sampler { root, attempt, dice: seed.part("attempt", attempt as usize).dice(), values: 0, steps: 0, text: 0, drawn: MAX_DRAWN, endings: HashMap::new() };
    if !schemas.iter().all(|schema| sampler.ends(schema, MAX_DEPTH)) {
        return Err(Unmet::new(format!("every value of it is nested more than {MAX_DEPTH} levels deep, or has no end")));
    }
    sampler.value(schemas, 0, 0)
}

struct Sampler<'s> {
    root: &'s Value,
    attempt: u32,
    dice: Dice,
    values: u32,
    steps: u32,
    text: usize,
    /// What is left of [`MAX_DRAWN`].
    drawn: usize,
    /// Whether a schema (by address) has a value of at most so many levels.
    endings: HashMap<(usize, u32), bool>,
}

/// The schemas of one value, with references followed and branches chosen: plain keywords that must all hold.
type Parts<'s> = Vec<&'s Map<String, Value>>;

// === impl Sampler ===

impl<'s> Sampler<'s> {
    /// A value for `schemas`. `pick` tells apart the items of a list that must differ.
    fn value(&mut self, schemas: &[&'s Value], depth: u32, pick: usize) -> Result<Value, Unmet> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(Unmet::hopeless("the smallest value of it is too large"));
        }
        if depth > MAX_DEPTH {
            return Err(Unmet::new(format!("a value of it is nested more than {MAX_DEPTH} levels deep")));
        }
        let parts = self.expand(schemas, depth)?;
        let kinds = allowed_types(&parts);
        if let Some(value) = self.fixed(&parts, kinds.as_deref(), pick)? {
            return Ok(value);
        }
        let kinds = kinds.unwrap_or_else(|| vec![implied_type(&parts)]);
        let kind = if self.is_deep(depth) && kinds.contains(&"null") {
            "null"
        } else {
            let open: Vec<&str> = kinds.iter().copied().filter(|kind| *kind != "null").collect();
            self.turn(&open).copied().or(kinds.first().copied()).ok_or_else(|| Unmet::new("its types exclude each other"))?
        };
        match kind {
            "null" => Ok(Value::Null),
            "boolean" => Ok(Value::Bool((self.dice.next() as usize).wrapping_add(pick).is_multiple_of(2))),
            "integer" => number::sample(&parts, true, pick, &mut self.dice),
            "number" => number::sample(&parts, false, pick, &mut self.dice),
            "string" => self.string(&parts, pick).map(Value::String),
            "array" => self.array(&parts, depth),
            "object" => self.object(&parts, depth, pick),
            other => Err(Unmet::new(format!("there is no type '{}'", super::shown(other)))),
        }
    }

    /// Optional things are left out, and branches chosen for their end.
    fn is_deep(&self, depth: u32) -> bool {
        depth >= DEEP || self.values > MANY_VALUES
    }

    /// Every second attempt leaves optional things out.
    fn is_sparse(&self) -> bool {
        self.attempt % 2 == 1
    }

    /// The first choice on the first attempts, another one on later ones.
    fn turn<'c, T>(&self, choices: &'c [T]) -> Option<&'c T> {
        let index = (self.attempt / 2) as usize;
        choices.get(index.checked_rem(choices.len())?)
    }

    fn step(&mut self) -> Result<(), Unmet> {
        self.steps += 1;
        if self.steps > MAX_STEPS { Err(Unmet::hopeless("it branches too much")) } else { Ok(()) }
    }

    /// Follows references, opens `allOf` and chooses branches, until only plain keywords are left.
    fn expand(&mut self, schemas: &[&'s Value], depth: u32) -> Result<Parts<'s>, Unmet> {
        let mut parts = Vec::new();
        // Last in, first out: turned round, so that what stands first is looked at first.
        let mut open: Vec<&'s Value> = schemas.iter().rev().copied().collect();
        while let Some(schema) = open.pop() {
            self.step()?;
            let map = match schema {
                Value::Bool(true) => continue,
                Value::Object(map) => map,
                _ => return Err(Unmet::new("it forbids every value (false)")),
            };
            parts.push(map);
            for keyword in ["oneOf", "anyOf"] {
                let branches = walk::list(map, keyword);
                if !branches.is_empty() {
                    open.push(self.branch(branches, depth)?);
                }
            }
            if let Some(condition) = map.get("if") {
                // Either both hold, or `else` does and the check finds out whether the condition is really false.
                if (self.attempt / 2).is_multiple_of(2) {
                    open.extend(map.get("then"));
                    open.push(condition);
                } else {
                    open.extend(map.get("else"));
                }
            }
            open.extend(map.get("dependentSchemas").and_then(Value::as_object).into_iter().flat_map(Map::values));
            open.extend(map.get("dependencies").and_then(Value::as_object).into_iter().flat_map(Map::values).filter(|value| value.is_object()));
            open.extend(walk::list(map, "allOf").iter().rev());
            if let Some(reference) = walk::reference(map) {
                open.push(walk::resolve(self.root, reference).ok_or_else(|| Unmet::new("a reference leads nowhere"))?);
            }
        }
        Ok(parts)
    }

    /// One of the branches: the first that is not null; deep down the one that ends soonest.
    fn branch(&mut self, branches: &'s [Value], depth: u32) -> Result<&'s Value, Unmet> {
        let left = MAX_DEPTH.saturating_sub(depth);
        let fitting: Vec<&Value> = branches.iter().filter(|branch| **branch != Value::Bool(false) && self.ends(branch, left)).collect();
        let chosen = if self.is_deep(depth) {
            fitting.iter().copied().min_by_key(|branch| (self.height(branch, left), !walk::is_null(branch)))
        } else {
            let open: Vec<&Value> = fitting.iter().copied().filter(|branch| !walk::is_null(branch)).collect();
            self.turn(&open).or(fitting.first()).copied()
        };
        chosen.ok_or_else(|| Unmet::new("none of its branches ends"))
    }

    /// The fewest levels that a value of the schema needs.
    fn height(&mut self, schema: &'s Value, left: u32) -> u32 {
        (0..left).find(|levels| self.ends(schema, *levels)).unwrap_or(left)
    }

    /// Whether the schema has a value with at most `levels` levels below the value itself.
    fn ends(&mut self, schema: &'s Value, levels: u32) -> bool {
        let Value::Object(map) = schema else { return *schema != Value::Bool(false) };
        let key = (walk::address(schema), levels);
        if let Some(known) = self.endings.get(&key) {
            return *known;
        }
        let ends = self.find_ending(map, levels);
        self.endings.insert(key, ends);
        ends
    }

    fn find_ending(&mut self, map: &'s Map<String, Value>, levels: u32) -> bool {
        if map.contains_key("const") || map.contains_key("enum") {
            return true;
        }
        let root = self.root;
        let target = walk::reference(map).and_then(|reference| walk::resolve(root, reference));
        if target.is_some_and(|target| !self.ends(target, levels)) {
            return false;
        }
        for keyword in ["anyOf", "oneOf"] {
            let branches = walk::list(map, keyword);
            if !branches.is_empty() && !branches.iter().any(|branch| self.ends(branch, levels)) {
                return false;
            }
        }
        if !walk::list(map, "allOf").iter().all(|schema| self.ends(schema, levels)) {
            return false;
        }
        let kinds = walk::types(map);
        let may_be = |kind: &str| kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind));
        let scalar = ["null", "boolean", "integer", "number", "string"];
        if kinds.as_ref().is_some_and(|kinds| kinds.iter().any(|kind| scalar.contains(kind))) {
            return true;
        }
        let mut within: Vec<&'s Value> = Vec::new();
        if may_be("object") {
            let properties = map.get("properties").and_then(Value::as_object);
            within.extend(walk::names(map, "required").filter_map(|name| properties.and_then(|properties| properties.get(name))));
        }
        if may_be("array") {
            let least = usize::try_from(walk::count(map, "minItems").unwrap_or(0)).unwrap_or(usize::MAX);
            let first = if walk::list(map, "prefixItems").is_empty() { walk::list(map, "items") } else { walk::list(map, "prefixItems") };
            within.extend(first.iter().take(least));
            within.extend(map.get("items").filter(|items| walk::is_schema(items) && least > first.len()));
            within.extend(map.get("contains").filter(|_| walk::count(map, "minContains") != Some(0)));
        }
        match levels.checked_sub(1) {
            Some(levels) => within.into_iter().all(|schema| self.ends(schema, levels)),
            None => within.is_empty(),
        }
    }

    /// The value that `const` or `enum` leaves, where there is one of them.
    fn fixed(&mut self, parts: &Parts<'s>, kinds: Option<&[&str]>, pick: usize) -> Result<Option<Value>, Unmet> {
        let mut choices: Option<Vec<&Value>> = None;
        for part in parts {
            let own: Option<Vec<&Value>> = match (part.get("const"), part.get("enum")) {
                (Some(value), _) => Some(vec![value]),
                (None, Some(Value::Array(values))) => Some(values.iter().collect()),
                _ => None,
            };
            if let Some(own) = own {
                self.steps = self.steps.saturating_add(u32::try_from(own.len()).unwrap_or(u32::MAX));
                self.step()?;
                choices = Some(match choices {
                    None => own,
                    Some(before) => before.into_iter().take(MAX_PICKS).filter(|value| own.contains(value)).collect(),
                });
            }
        }
        let Some(choices) = choices else { return Ok(None) };
        let fitting: Vec<&Value> = choices.into_iter().filter(|value| kinds.is_none_or(|kinds| kinds.iter().any(|kind| is_of_type(value, kind)))).collect();
        let index = pick.wrapping_add((self.attempt / 2) as usize).checked_rem(fitting.len());
        match index.and_then(|index| fitting.get(index)) {
            Some(value) => Ok(Some((*value).clone())),
            None => Err(Unmet::new("its enum or const leaves no value")),
        }
    }

    fn string(&mut self, parts: &Parts<'s>, pick: usize) -> Result<String, Unmet> {
        let text = string::sample(parts, pick, &mut self.dice, &mut self.drawn)?;
        self.text = self.text.saturating_add(text.len());
        if self.text > MAX_TEXT { Err(Unmet::hopeless("the text of its smallest value is too long")) } else { Ok(text) }
    }

    fn array(&mut self, parts: &Parts<'s>, depth: u32) -> Result<Value, Unmet> {
        let least = parts.iter().filter_map(|part| walk::count(part, "minItems")).max().unwrap_or(0);
        let most = parts.iter().filter_map(|part| walk::count(part, "maxItems")).min().unwrap_or(u64::MAX);
        let wanted = parts.iter().filter(|part| part.contains_key("contains")).map(|part| walk::count(part, "minContains").unwrap_or(1)).max().unwrap_or(0);
        let first = parts.iter().map(|part| prefix(part).len()).max().unwrap_or(0) as u64;
        let shallow = !self.is_deep(depth) && !self.is_sparse();
        let count = least.max(wanted).max(if shallow { first.max(1).min(most) } else { 0 });
        if count > most {
            return Err(Unmet::new("it asks for more items than it allows"));
        }
        if count > u64::from(MAX_VALUES) {
            return Err(Unmet::new("it asks for too many items"));
        }
        let distinct = parts.iter().any(|part| part.get("uniqueItems") == Some(&Value::Bool(true)));
        let mut items: Vec<Value> = Vec::new();
        let mut texts = HashSet::new();
        for index in 0..count {
            let schemas = item_schemas(parts, index, index < wanted);
            let built = if distinct { self.another(&schemas, depth, index, &mut texts) } else { self.value(&schemas, depth + 1, 0) };
            match built {
                Ok(item) => items.push(item),
                // An item that is not needed is not worth failing for.
                Err(_) if index >= least.max(wanted) => break,
                Err(unmet) => return Err(unmet),
            }
        }
        Ok(Value::Array(items))
    }

    /// An item that is not yet among `texts`.
    fn another(&mut self, schemas: &[&'s Value], depth: u32, index: u64, texts: &mut HashSet<String>) -> Result<Value, Unmet> {
        let start = usize::try_from(index).unwrap_or(0);
        for pick in start..start + MAX_PICKS {
            let item = self.value(schemas, depth + 1, pick)?;
            if texts.insert(item.to_string()) {
                return Ok(item);
            }
        }
        Err(Unmet::new("it asks for more different items than could be found"))
    }

    fn object(&mut self, parts: &Parts<'s>, depth: u32, pick: usize) -> Result<Value, Unmet> {
        let least = parts.iter().filter_map(|part| walk::count(part, "minProperties")).max().unwrap_or(0);
        let most = parts.iter().filter_map(|part| walk::count(part, "maxProperties")).min().unwrap_or(u64::MAX);
        let mut known: BTreeMap<&'s str, Vec<&'s Value>> = BTreeMap::new();
        let mut order: Vec<&'s str> = Vec::new();
        for (name, schema) in parts.iter().filter_map(|part| part.get("properties")?.as_object()).flatten() {
            self.step()?;
            let schemas = known.entry(name).or_default();
            if schemas.is_empty() {
                order.push(name);
            }
            schemas.push(schema);
        }
        let mut members = Map::new();
        let mut needed: Vec<&'s str> = parts.iter().flat_map(|part| walk::names(part, "required")).collect();
        needed.reverse();
        while let Some(name) = needed.pop() {
            self.step()?;
            if !members.contains_key(name) {
                let member = self.member(parts, &known, name, depth, pick)?;
                members.insert(name.to_owned(), member);
                needed.extend(dependents(parts, name));
            }
        }
        let shallow = !self.is_deep(depth) && !self.is_sparse();
        for name in order {
            let count = members.len() as u64;
            if count >= most || !(shallow || count < least) {
                break;
            }
            let ends = |sampler: &mut Self| {
                known.get(name).is_some_and(|schemas| schemas.iter().all(|schema| sampler.ends(schema, MAX_DEPTH.saturating_sub(depth + 1))))
            };
            if members.contains_key(name) || dependents(parts, name).next().is_some() || !ends(self) {
                continue;
            }
            // An optional member that cannot be built is left out.
            if let Ok(member) = self.member(parts, &known, name, depth, pick) {
                members.insert(name.to_owned(), member);
            }
        }
        let extra = least.max(u64::from(shallow && known.is_empty() && is_open_map(parts))).min(most);
        self.fill(parts, &known, &mut members, depth, (least, extra))?;
        Ok(Value::Object(members))
    }

    /// Adds members with names of our own until there are as many as asked for.
    fn fill(
        &mut self,
        parts: &Parts<'s>,
        known: &BTreeMap<&'s str, Vec<&'s Value>>,
        members: &mut Map<String, Value>,
        depth: u32,
        (least, wanted): (u64, u64),
    ) -> Result<(), Unmet> {
        if wanted > u64::from(MAX_VALUES) {
            return Err(Unmet::new("it asks for too many properties"));
        }
        let mut tries = 0_usize;
        while (members.len() as u64) < wanted {
            let name = string::property_name(parts, tries, &mut self.dice, &mut self.drawn);
            tries += 1;
            let built = match name {
                Ok(name) if members.contains_key(&name) => None,
                Ok(name) => Some(self.member(parts, known, &name, depth, tries).map(|member| (name, member))),
                Err(unmet) => Some(Err(unmet)),
            };
            match built {
                Some(Ok((name, member))) => drop(members.insert(name, member)),
                Some(Err(_)) if members.len() as u64 >= least => break,
                Some(Err(unmet)) => return Err(unmet),
                None if tries as u64 > wanted + MAX_PICKS as u64 => return Err(Unmet::new("it asks for more properties than it has names for")),
                None => {}
            }
        }
        Ok(())
    }

    /// The value of one property, under all schemas that apply to it.
    fn member(&mut self, parts: &Parts<'s>, known: &BTreeMap<&'s str, Vec<&'s Value>>, name: &str, depth: u32, pick: usize) -> Result<Value, Unmet> {
        let mut schemas: Vec<&'s Value> = known.get(name).cloned().unwrap_or_default();
        for (pattern, schema) in parts.iter().filter_map(|part| part.get("patternProperties")?.as_object()).flatten() {
            self.step()?;
            if string::matches(pattern, name) {
                schemas.push(schema);
            }
        }
        if schemas.is_empty() {
            schemas.extend(parts.iter().filter_map(|part| part.get("additionalProperties")));
        }
        self.value(&schemas, depth + 1, pick)
    }
}

/// The types that all parts allow; `None` when none of them says.
fn allowed_types<'s>(parts: &Parts<'s>) -> Option<Vec<&'s str>> {
    let mut lists = parts.iter().filter_map(|part| walk::types(part));
    let mut allowed = lists.next()?;
    for list in lists {
        let narrowed = |kind: &&'s str| match *kind {
            // A whole number is a number: where one part says so, whole it is.
            "number" if !list.contains(&"number") && list.contains(&"integer") => Some("integer"),
            "integer" if list.contains(&"number") => Some("integer"),
            kind if list.contains(&kind) => Some(kind),
            _ => None,
        };
        allowed = allowed.iter().filter_map(narrowed).collect();
    }
    Some(allowed)
}

/// The type that the keywords are about, where no type is named.
fn implied_type(parts: &Parts<'_>) -> &'static str {
    let has = |names: &[&str]| parts.iter().any(|part| names.iter().any(|name| part.contains_key(*name)));
    if has(&["properties", "required", "patternProperties", "minProperties", "propertyNames"]) {
        "object"
    } else if has(&["items", "prefixItems", "minItems", "contains", "uniqueItems"]) {
        "array"
    } else if has(&["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]) {
        "number"
    } else if !has(&["pattern", "minLength", "maxLength", "format"]) && has(&["additionalProperties"]) {
        "object"
    } else {
        "string"
    }
}

fn is_of_type(value: &Value, kind: &str) -> bool {
    match (kind, value) {
        ("null", Value::Null) | ("boolean", Value::Bool(_)) | ("number", Value::Number(_)) => true,
        ("string", Value::String(_)) | ("array", Value::Array(_)) | ("object", Value::Object(_)) => true,
        ("integer", Value::Number(number)) => !number.is_f64() || number.as_f64().is_some_and(|number| number.fract() == 0.0),
        _ => false,
    }
}

/// The schemas of the first items, each its own.
fn prefix(part: &Map<String, Value>) -> &[Value] {
    let first = walk::list(part, "prefixItems");
    if first.is_empty() { walk::list(part, "items") } else { first }
}

fn item_schemas<'s>(parts: &Parts<'s>, index: u64, contained: bool) -> Vec<&'s Value> {
    let mut schemas = Vec::new();
    for part in parts {
        let own = usize::try_from(index).ok().and_then(|index| prefix(part).get(index));
        let rest = || part.get("items").filter(|items| walk::is_schema(items)).or_else(|| part.get("additionalItems"));
        schemas.extend(own.or_else(rest));
        schemas.extend(part.get("contains").filter(|_| contained));
    }
    schemas
}

/// The names that must be there because `name` is.
fn dependents<'s>(parts: &Parts<'s>, name: &str) -> impl Iterator<Item = &'s str> {
    let lists = parts.iter().flat_map(|part| [part.get("dependentRequired"), part.get("dependencies")]).flatten();
    let names: Vec<&'s str> = lists.filter_map(|map| map.get(name)?.as_array()).flatten().filter_map(Value::as_str).collect();
    names.into_iter()
}

/// Whether the object is a map with names of any kind, worth an entry.
fn is_open_map(parts: &Parts<'_>) -> bool {
    parts.iter().any(|part| part.get("additionalProperties").is_some_and(Value::is_object) || part.contains_key("patternProperties"))
}
