use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::seed::Seed;
use super::{Shape, pattern};

/// A value for `schema`, checked by a validator of our own making: the one within [`Shape`] is not asked.
fn value(schema: &Value) -> Value {
    let shape = Shape::new(schema, false).unwrap_or_else(|unmet| panic!("{unmet}: {schema}"));
    let sampled = shape.sample(&Seed::of_bytes("test", b"1")).unwrap_or_else(|unmet| panic!("{unmet}: {schema}"));
    let checker = jsonschema::options().should_validate_formats(true).offline().build(schema).unwrap();
    assert!(checker.is_valid(&sampled), "{sampled} does not conform to {schema}");
    sampled
}

fn unmet(schema: &Value) -> String {
    let sampled = Shape::new(schema, false).and_then(|shape| shape.sample(&Seed::of_bytes("test", b"1")));
    sampled.expect_err(&schema.to_string()).to_string()
}

fn ordinary() -> Vec<Value> {
    vec![
        json!({}),
        json!({"type": "string"}),
        json!({"type": ["null", "integer"]}),
        json!({"const": {"a": [1, null]}}),
        json!({"enum": ["red", "green"]}),
        json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "required": ["a"], "additionalProperties": false}),
        json!({"type": "object", "additionalProperties": {"type": "number"}}),
        json!({"type": "object", "minProperties": 3, "maxProperties": 3}),
        json!({"type": "object", "minProperties": 2, "propertyNames": {"pattern": "^[a-z]{3}$"}}),
        json!({"type": "object", "patternProperties": {"^x-[a-z]+$": {"type": "integer"}}, "additionalProperties": false, "minProperties": 2}),
        json!({"type": "object", "properties": {"n1": {"type": "integer"}}, "patternProperties": {"^n": {"minimum": 10}}, "required": ["n1", "n2"]}),
        json!({"type": "object", "properties": {"card": {"type": "string"}}, "required": ["card"], "dependentRequired": {"card": ["address"]}}),
        json!({"type": "array", "items": {"type": "string", "format": "date-time"}, "minItems": 3, "maxItems": 3}),
        json!({"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 3, "uniqueItems": true}),
        json!({"type": "array", "items": {"type": "boolean"}, "minItems": 2, "uniqueItems": true}),
        json!({"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 5}, "minItems": 5, "uniqueItems": true}),
        json!({"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": false, "minItems": 2}),
        json!({"type": "array", "contains": {"const": 7}, "minContains": 2, "items": {"type": "integer"}}),
        json!({"$schema": "http://json-schema.org/draft-07/schema#", "type": "array", "items": [{"type": "string"}, {"type": "null"}], "minItems": 2}),
        json!({"type": "string", "minLength": 50, "maxLength": 55}),
        json!({"type": "string", "maxLength": 2}),
        json!({"type": "string", "maxLength": 0}),
        json!({"type": "string", "pattern": "^[A-Z]{2}-\\d{4}$"}),
        json!({"type": "string", "pattern": "^(foo|bar)+(?:-[^a-z]){2,3}$", "minLength": 12}),
        json!({"type": "string", "pattern": "^[a-z0-9_]*$", "minLength": 20, "maxLength": 20}),
        json!({"type": "string", "pattern": "^\\+?[1-9]\\d{1,14}$"}),
        json!({"type": "string", "pattern": "^(?=.*\\d)[a-z\\d]{8,}$"}),
        json!({"type": "integer", "minimum": 10, "exclusiveMaximum": 12}),
        json!({"type": "integer", "multipleOf": 7, "minimum": 50, "maximum": 60}),
        json!({"type": "integer", "minimum": -9_007_199_254_740_993_i64, "maximum": -9_007_199_254_740_993_i64}),
        json!({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}),
        json!({"type": "number", "multipleOf": 0.01, "minimum": 1.11, "maximum": 1.13}),
        json!({"type": "number", "minimum": 1e300}),
        json!({"type": "number", "maximum": -1e-300}),
        json!({"anyOf": [{"type": "null"}, {"type": "string", "minLength": 3}]}),
        json!({"oneOf": [{"type": "integer"}, {"type": "number"}]}),
        json!({"oneOf": [{"type": "object", "properties": {"kind": {"const": "a"}}, "required": ["kind"]},
                         {"type": "object", "properties": {"kind": {"const": "b"}, "x": {"type": "integer"}}, "required": ["kind", "x"]}]}),
        json!({"allOf": [{"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]}, {"properties": {"a": {"type": "integer", "minimum": 4}}}]}),
        json!({"allOf": [{"enum": [1, 2, 3]}, {"enum": [3, 4]}]}),
        json!({"type": "integer", "not": {"multipleOf": 2}, "maximum": 100}),
        json!({"type": "object", "properties": {"c": {"enum": ["de", "us"]}}, "required": ["c"],
               "if": {"properties": {"c": {"const": "us"}}}, "then": {"required": ["zip"]}, "else": {"required": ["plz"]}}),
        json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "required": ["a"], "$defs": {"A": {"type": "string", "format": "uuid"}}}),
        json!({"type": "object", "properties": {"a": {"$ref": "#/definitions/x~1y%25"}}, "required": ["a"], "definitions": {"x/y%": {"type": "boolean"}}}),
        json!({"$ref": "#/$defs/Node", "$defs": {"Node": {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}},
               "required": ["next"]}}}),
        json!({"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#"}}, "name": {"type": "string"}}, "required": ["name", "children"],
               "additionalProperties": false}),
        // Recursive twice over, with the way out standing last.
        json!({"$ref": "#/$defs/Expr", "$defs": {"Expr": {"anyOf": [
            {"type": "object", "properties": {"left": {"$ref": "#/$defs/Expr"}, "right": {"$ref": "#/$defs/Expr"}}, "required": ["left", "right"]},
            {"type": "integer"}]}}}),
        json!({"type": "object", "properties": {"when": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}], "default": null}}}),
        json!({"$id": "https://example.com/root.json", "type": "object", "properties": {"enum": {"type": "string"}, "$ref": {"type": "integer"}}, "required": ["enum", "$ref"]}),
    ]
}

#[test]
fn ordinary_schemas_get_a_conforming_value() {
    for schema in ordinary() {
        value(&schema);
    }
}

#[test]
fn every_format_is_met() {
    for format in [
        "date-time",
        "date",
        "time",
        "duration",
        "email",
        "hostname",
        "ipv4",
        "ipv6",
        "uri",
        "uri-reference",
        "iri",
        "uuid",
        "json-pointer",
        "regex",
        "unknown",
    ] {
        let schema = json!({"type": "array", "items": {"type": "string", "format": format}, "minItems": 12});
        value(&schema);
    }
}

#[test]
fn choices_are_the_predictable_ones() {
    assert_eq!(value(&json!({"enum": ["red", "green"]})), "red");
    assert!(value(&json!({"anyOf": [{"type": "null"}, {"type": "integer"}]})).is_i64());
    assert!(value(&json!({"type": ["null", "string"]})).is_string());
    let object = value(&json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "required": ["a"]}));
    assert!(object.get("b").is_some(), "near the top optional properties are there too");
    let seed = Seed::of_bytes("test", b"2");
    let empty = json!({});
    assert!(Shape::new(&empty, true).unwrap().sample(&seed).unwrap().is_object(), "arguments are an object even if the schema is open");
}

#[test]
fn values_are_drawn_from_the_seed_alone() {
    for schema in ordinary() {
        assert_eq!(value(&schema), value(&schema));
    }
}

#[test]
fn schemas_that_cannot_be_met_are_refused() {
    let endless = json!({"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]});
    for (schema, reason) in [
        (json!({"type": "integer", "minimum": 5, "maximum": 4}), "bounds"),
        (json!({"type": "string", "minLength": 5, "maxLength": 4}), "longer"),
        (json!({"type": "string", "minLength": 1_000_000_000}), "characters"),
        (json!({"type": "array", "minItems": 1_000_000_000}), "too many items"),
        (json!({"type": "array", "minItems": 3, "items": {"type": "boolean"}, "uniqueItems": true}), "different items"),
        (json!({"type": "object", "minProperties": 1_000_000}), "too many"),
        (json!({"allOf": [{"type": "string"}, {"type": "integer"}]}), "types"),
        (json!({"not": {}}), "no value"),
        (json!({"type": "object", "properties": {"a": false}, "required": ["a"]}), ""),
        (json!({"type": "strange"}), "valid JSON Schema"),
        (json!({"type": "string", "pattern": "("}), ""),
        (json!({"type": "string", "pattern": "^(a)\\1$"}), "refers back"),
        (json!({"$ref": "https://example.com/schema.json"}), "leads nowhere"),
        (json!({"$ref": "#/$defs/missing"}), "leads nowhere"),
        (json!({"$ref": "#"}), "leads back"),
        (json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"}), "leads back"),
        (json!({"$dynamicRef": "#x"}), "not supported"),
        (endless, "no end"),
    ] {
        let got = unmet(&schema);
        assert!(got.contains(reason), "{schema}: {got}");
    }
}

/// `count` definitions, each of which `link` makes refer to the next.
fn linked(count: usize, link: impl Fn(&str) -> Value, last: Value) -> Value {
    let mut definitions: serde_json::Map<String, Value> = (0..count).map(|index| (format!("d{index}"), link(&format!("#/$defs/d{}", index + 1)))).collect();
    definitions.insert(format!("d{count}"), last);
    json!({"$defs": definitions, "$ref": "#/$defs/d0"})
}

#[test]
fn hostile_schemas_cost_little() {
    let twice = |keyword: &'static str| move |next: &str| json!({keyword: [{"$ref": next}, {"$ref": next}]});
    let both = |next: &str| json!({"type": "object", "properties": {"a": {"$ref": next}, "b": {"$ref": next}}, "required": ["a", "b"]});
    let one = |next: &str| json!({"type": "object", "properties": {"a": {"$ref": next}}, "required": ["a"]});
    let optional = |next: &str| json!({"type": "object", "properties": {"a": {"$ref": next}, "b": {"$ref": next}}});
    let mut nested = json!({"type": "integer"});
    for _ in 0..110 {
        nested = json!({"items": nested});
    }
    let wide: serde_json::Map<String, Value> = (0..4_000).map(|index| (format!("p{index}"), json!({"$ref": "#/$defs/x"}))).collect();
    let schemas = [
        linked(20, twice("allOf"), json!({"type": "string"})),
        linked(11, twice("allOf"), json!({"type": "string"})),
        linked(11, twice("anyOf"), json!({"type": "string"})),
        linked(11, twice("oneOf"), json!({"type": "string"})),
        linked(19, both, json!({"type": "string"})),
        linked(60, both, json!({"type": "string"})),
        linked(150, one, json!({"type": "string"})),
        linked(199, optional, json!({"type": "string"})),
        linked(5_000, one, json!({"type": "string"})),
        linked(5_000, |next| json!({"$ref": next}), json!({"type": "string"})),
        nested,
        json!({"type": "object", "properties": wide, "$defs": {"x": {"type": "object", "properties": wide.clone()}}}),
        json!({"type": "object", "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}, "c": {"$ref": "#"}, "d": {"type": "array", "items": {"$ref": "#"}}}}),
        json!({"type": "array", "minItems": 7_000, "items": {"type": "array", "minItems": 7_000, "items": {"type": "string"}}}),
        json!({"type": "array", "minItems": 100, "uniqueItems": true, "items": {"type": "string", "pattern": "^(a|b)$"}}),
        json!({"type": "string", "pattern": "^(((((a{1000}){1000}){1000}){1000}){1000})$"}),
        json!({"type": "string", "pattern": "^((){1000}){1000}$"}),
        json!({"type": "string", "pattern": "^(([a-z])+.)+[A-Z]([a-z])+$", "minLength": 50_000}),
        json!({"type": "string", "pattern": "(".repeat(900)}),
        json!({"type": "string", "pattern": "^(a+)+(?!b)$", "minLength": 40}),
        json!({"type": "array", "minItems": 500, "items": {"type": "string", "minLength": 100_000}}),
        json!({"enum": (0..15_000).collect::<Vec<_>>(), "not": {"minimum": 0}}),
        json!({"allOf": (0..5_000).map(|_| json!({"enum": [1, 2]})).collect::<Vec<_>>()}),
        json!({"type": "object", "unevaluatedProperties": false, "allOf": [{"properties": {"a": {"$ref": "#"}}}, {"properties": {"a": {"$ref": "#"}}}]}),
    ];
    for (index, schema) in schemas.iter().enumerate() {
        let start = Instant::now();
        let result = Shape::new(schema, false).and_then(|shape| shape.sample(&Seed::of_bytes("test", b"1")));
        let taken = start.elapsed();
        let text = result.map_or_else(|unmet| unmet.to_string(), |value| format!("{} bytes", value.to_string().len()));
        // A guard against what never ends, not a measurement.
        assert!(taken < Duration::from_secs(60), "schema {index} took {taken:?}: {text}");
    }
}

#[test]
fn patterns_give_strings_that_match() {
    for source in [
        "^[\\w.+-]+@[\\w-]+\\.[\\w.-]+$",
        "^#[0-9a-fA-F]{6}$",
        "^(?<year>\\d{4})-(?P<month>\\d{2})$",
        "^[^\\s]{3,}$",
        "^\\u0041\\x42[\\t ]$",
        "^.{5}$",
        "^[\\]\\-a]+$",
        "^[-a]$",
        "^[a-]$",
        "^[^\\w]{2}$",
        "^\\D\\S\\W$",
        "x*?y+?",
        "^$",
        "",
        "^(|a)$",
        "^\\p{Lu}\\p{L}+$",
    ] {
        let parsed = pattern::parse(source).unwrap_or_else(|unmet| panic!("{source}: {unmet}"));
        let regex = regex::Regex::new(source).unwrap();
        let mut dice = Seed::of_bytes("pattern", source.as_bytes()).dice();
        for stretch in [0, 1, 5] {
            let text = parsed.sample(stretch, 1_000, &mut 10_000, &mut dice).unwrap();
            assert!(regex.is_match(&text), "{text:?} does not match {source}");
        }
    }
}

fn schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({"type": "string"})),
        Just(json!({"type": "null"})),
        Just(json!({"$ref": "#/$defs/tree"})),
        (0..20_u32, 0..20_u32).prop_map(|(least, more)| json!({"type": "string", "minLength": least, "maxLength": least + more})),
        (-50..50_i32, 1..50_i32).prop_map(|(least, more)| json!({"type": "integer", "minimum": least, "maximum": least + more})),
        (-50..50_i32, 1..50_i32).prop_map(|(least, more)| json!({"type": "number", "exclusiveMinimum": least, "maximum": least + more})),
        proptest::collection::vec(0..9_u8, 1..4).prop_map(|values| json!({"enum": values.iter().collect::<std::collections::BTreeSet<_>>()})),
    ];
    let nested = leaf.prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            (proptest::collection::btree_map("[a-d]", inner.clone(), 0..4), any::<bool>()).prop_map(|(properties, all)| {
                let required: Vec<&String> = properties.keys().take(if all { 4 } else { 1 }).collect();
                json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
            }),
            (inner.clone(), 0..3_u8, 0..3_u8)
                .prop_map(|(items, least, more)| json!({"type": "array", "items": items, "minItems": least, "maxItems": least + more})),
            proptest::collection::vec(inner, 1..3).prop_map(|branches| json!({"anyOf": branches})),
        ]
    });
    let tree = json!({"type": "object", "properties": {"sub": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}, "required": ["sub"]});
    nested.prop_map(move |mut schema| {
        schema["$defs"] = json!({"tree": tree});
        schema
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// All of these can be met, so all of them must be; and by the independent check of `value`.
    #[test]
    fn satisfiable_schemas_are_met(schema in schema()) {
        value(&schema);
    }

    #[test]
    fn any_pattern_is_parsed_or_refused(source in "[a-c(){}\\[\\]|*+?.^$\\\\,0-9-]{0,20}") {
        if let Ok(parsed) = pattern::parse(&source) {
            let _ = parsed.sample(3, 1_000, &mut 10_000, &mut Seed::of_bytes("test", b"").dice());
        }
    }

    #[test]
    fn any_json_is_a_schema_or_refused(text in "[{}\\[\\]\",:a-z$#/0-9]{0,40}") {
        if let Ok(value) = serde_json::from_str::<Value>(&text) {
            let _ = Shape::new(&value, false).map(|shape| shape.sample(&Seed::of_bytes("test", b"")));
        }
    }
}
