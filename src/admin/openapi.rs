//! The OpenAPI document of the token API and its reports, kept by hand beside the router; a test compares the two.
//!
//! The paths of providers are not in it: they are theirs, and documented by them.

use serde_json::{Map, Value, json};

use crate::tokens::fields::{MAX_GRACE_SECONDS, MAX_NAME_CHARS};

/// The OpenAPI 3.1 document.
#[must_use]
pub fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "spendgate token API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Manages custom tokens and reports what they spent. Every path answers with and without a slash at its end. Amounts are US dollars, exact to 9 decimals.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "security": [{ "bearer": [] }],
        "paths": paths(),
        "components": {
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "description": "The account's main key (sg_main_...). A custom token may call `me` and its own cost report." },
            },
            "parameters": {
                "name": { "name": "name", "in": "path", "required": true, "description": "The token's name, percent-encoded.", "schema": { "type": "string" } },
            },
            "responses": error_responses(),
            "schemas": schemas(),
        },
    })
}

fn paths() -> Value {
    let name = json!([{ "$ref": "#/components/parameters/name" }]);
    json!({
        "/v2/user/custom_token/": {
            "get": operation("listTokens", "Lists all tokens, in order of creation.", &["401", "403", "503"], &answer("200", array(&schema("Token")))),
            "post": with_body(
                operation("createToken", "Creates a token. The secret is in this answer only.", &["400", "401", "403", "413", "503"], &answer("201", schema("CreatedToken"))),
                "NewToken", true,
            ),
        },
        "/v2/user/custom_token/me/": {
            "get": operation("showOwnToken", "Shows the custom token that calls, expired or not.", &["401", "404", "503"], &answer("200", schema("Token"))),
        },
        "/v2/user/custom_token/{name}/": {
            "parameters": name,
            "get": operation("showToken", "Shows a token.", &["401", "403", "404", "503"], &answer("200", schema("Token"))),
            "patch": with_body(
                operation("updateToken", "Changes what is given. Read-only fields are ignored, so that an answer can be sent back changed.", &["400", "401", "403", "404", "413", "503"],
                    &answer("200", schema("Token"))),
                "TokenPatch", true,
            ),
            "delete": operation("deleteToken", "Deletes a token. Its name is free again; what it spent stays in the reports.", &["401", "403", "404", "503"],
                &json!({ "204": { "description": "Deleted." } })),
        },
        "/v2/user/custom_token/{name}/rotate/": {
            "parameters": name,
            "post": with_body(
                operation("rotateToken", "Gives a token a new secret: same name, budget and history.", &["400", "401", "403", "404", "413", "503"], &answer("200", schema("CreatedToken"))),
                "Rotation", false,
            ),
        },
        "/v2/cost_management/": {
            "get": with_query(
                operation("reportCosts", "What each token spent. A custom token sees its own rows.", &["400", "401", "403", "503"], &answer("200", schema("CostReport"))),
                &[
                    ("begin", true, day("The first day.")),
                    ("end", true, day("The last day, included.")),
                    ("step", false, json!({ "enum": ["1", "2", "3", "4"], "default": "1", "description": "Day, week, month, year. A bucket's key is its first day." })),
                    ("provider", false, text("Only this provider.")),
                    ("subfeature", false, text("Only this feature: `text__chat`, or `chat`.")),
                    ("token", false, text("Only this token.")),
                ],
            ),
        },
        "/v2/cost_management/credits/": {
            "get": operation("showCredits", "The account's own balance, above all of its tokens. Null: none is set.", &["401", "403", "503"], &answer("200", schema("Credits"))),
            "patch": with_body(
                operation("setCredits", "Sets the account's own balance, or takes it away.", &["400", "401", "403", "413", "503"], &answer("200", schema("Credits"))),
                "CreditsPatch", true,
            ),
        },
        "/v2/usage/": {
            "get": with_query(
                operation("reportUsage", "Requests, units and cost, grouped.", &["400", "401", "403", "503"], &answer("200", array(&schema("UsageRow")))),
                &[
                    ("from", false, day("The first day.")),
                    ("to", false, day("The last day, included.")),
                    ("by", false, json!({ "type": "string", "default": "token", "description": "Some of day, token, provider, model and feature, separated by commas. A model comes with its provider." })),
                    ("token", false, text("Only this token.")),
                    ("provider", false, text("Only this provider.")),
                    ("feature", false, text("Only this feature: `text__chat`.")),
                ],
            ),
        },
    })
}

fn schemas() -> Value {
    let amount = json!({
        "description": "US dollars: at most 5 digits before and 9 after the point, no exponent.",
        "oneOf": [{ "type": "string", "pattern": "^-?\\d{0,5}(\\.\\d{0,9})?$", "minLength": 1, "examples": ["50.00"] }, { "type": "number" }],
    });
    let amount_or_null = json!({ "anyOf": [amount, { "type": "null" }] });
    let time = json!({ "type": ["string", "null"], "format": "date-time", "description": "RFC 3339; without an offset it is UTC." });
    let period = json!({ "enum": ["none", "daily", "weekly", "monthly"], "default": "none" });
    let kind = json!({ "enum": ["api_token", "sandbox_api_token"], "default": "api_token" });
    let token = json!({
        "name": { "type": "string" },
        "token": { "type": "string", "description": "The masked secret.", "examples": ["sg_live_a1B2...c5D6"] },
        "token_type": kind,
        "balance": { "type": ["number", "null"] },
        "active_balance": { "type": "boolean", "description": "Whether the balance is enforced." },
        "expire_time": time,
        "balance_reset_period": period,
        "balance_reset_amount": { "type": ["number", "null"] },
        "resets_at": time,
        "held": { "type": "number", "description": "Set aside for requests in flight." },
        "spent": { "type": "number", "description": "All it ever cost." },
        "created_at": { "type": "string", "format": "date-time" },
        "last_used_at": time,
    });
    let mut created = token.clone();
    if let Some(fields) = created.as_object_mut() {
        fields.insert("token".into(), json!({ "type": "string", "description": "The secret: shown in this answer and never again." }));
        fields.insert("balance".into(), json!({ "type": ["string", "null"], "description": "Nine decimals.", "examples": ["50.000000000"] }));
    }
    let patch = json!({
        "balance": amount_or_null,
        "active_balance": { "type": "boolean" },
        "expire_time": time,
        "balance_reset_period": period,
        "balance_reset_amount": amount_or_null,
    });
    let mut new = patch.clone();
    if let Some(fields) = new.as_object_mut() {
        fields.insert(
            "name".into(),
            json!({ "type": "string", "minLength": 1, "maxLength": MAX_NAME_CHARS, "description": "No slash, no control character, not `me` or `legacy`." }),
        );
        fields.insert("token_type".into(), kind);
    }
    json!({
        "Token": object(&token),
        "CreatedToken": object(&created),
        "NewToken": { "type": "object", "required": ["name"], "properties": new },
        "TokenPatch": { "type": "object", "properties": patch },
        "Rotation": {
            "type": "object",
            "properties": { "grace_seconds": { "type": "integer", "minimum": 0, "maximum": MAX_GRACE_SECONDS, "default": 0, "description": "For how long the old secret goes on working." } },
        },
        "Credits": object(&json!({ "credits": { "type": ["number", "null"] } })),
        "CreditsPatch": object(&json!({ "credits": amount_or_null })),
        "CostReport": object(&json!({ "response": array(&object(&json!({
            "token": { "type": "string" },
            "data": {
                "type": "object",
                "description": "By the first day of the bucket, then by feature (`text__chat`).",
                "additionalProperties": { "type": "object", "additionalProperties": object(&json!({
                    "total_cost": { "type": "number" },
                    "details": { "type": "integer", "description": "The number of calls." },
                    "cost_per_provider": { "type": "object", "additionalProperties": { "type": "number" } },
                })) },
            },
        }))) })),
        "UsageRow": {
            "type": "object",
            "required": ["requests", "cost", "estimated", "units"],
            "properties": {
                "day": { "type": "string", "format": "date" },
                "token": { "type": "string" },
                "provider": { "type": "string" },
                "model": { "type": "string" },
                "feature": { "type": "string" },
                "requests": { "type": "integer" },
                "cost": { "type": "string", "examples": ["0.000123000"] },
                "estimated": { "type": "integer", "description": "How many of the requests were charged by an estimate." },
                "units": { "type": "object", "additionalProperties": { "type": "integer" } },
            },
        },
        "ValidationError": object(&json!({ "error": object(&json!({
            "type": { "const": "validation_error" },
            "message": { "type": "object", "description": "By field; `non_field_errors` for the body as a whole.", "additionalProperties": array(&json!({ "type": "string" })) },
        })) })),
        "Error": object(&json!({ "error": object(&json!({ "type": { "type": "string" }, "message": { "type": "string" } })) })),
        "InvalidToken": object(&json!({ "detail": { "const": "Invalid token" } })),
        "NotFound": object(&json!({ "details": { "const": "Not Found" } })),
    })
}

fn error_responses() -> Value {
    let response = |description: &str, name: &str| json!({ "description": description, "content": content(&schema(name)) });
    json!({
        "400": response("Everything that is wrong, by field.", "ValidationError"),
        "401": response("No secret, or one that is not known.", "InvalidToken"),
        "403": response("A custom token where the main key is needed.", "Error"),
        "404": response("No such token.", "NotFound"),
        "413": response("The body is too large.", "ValidationError"),
        "503": response("The ledger cannot be reached: try again after `Retry-After` seconds.", "Error"),
    })
}

fn operation(id: &str, summary: &str, failures: &[&str], success: &Value) -> Value {
    let mut responses: Map<String, Value> =
        failures.iter().map(|status| ((*status).to_owned(), json!({ "$ref": format!("#/components/responses/{status}") }))).collect();
    responses.extend(success.as_object().cloned().unwrap_or_default());
    json!({ "operationId": id, "summary": summary, "responses": responses })
}

fn with_body(mut operation: Value, name: &str, required: bool) -> Value {
    if let Some(fields) = operation.as_object_mut() {
        fields.insert("requestBody".into(), json!({ "required": required, "content": content(&schema(name)) }));
    }
    operation
}

fn with_query(mut operation: Value, parameters: &[(&str, bool, Value)]) -> Value {
    let parameters: Vec<Value> =
        parameters.iter().map(|(name, required, schema)| json!({ "name": name, "in": "query", "required": required, "schema": schema })).collect();
    if let Some(fields) = operation.as_object_mut() {
        fields.insert("parameters".into(), parameters.into());
    }
    operation
}

fn answer(status: &str, schema: Value) -> Value {
    let mut answers = Map::new();
    answers.insert(status.to_owned(), json!({ "description": "Done.", "content": content(&schema) }));
    answers.into()
}

/// An object that always has all of its fields.
fn object(properties: &Value) -> Value {
    let required: Vec<&String> = properties.as_object().into_iter().flat_map(Map::keys).collect();
    json!({ "type": "object", "required": required, "properties": properties })
}

fn array(items: &Value) -> Value {
    json!({ "type": "array", "items": items })
}

fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn content(schema: &Value) -> Value {
    json!({ "application/json": { "schema": schema } })
}

fn day(description: &str) -> Value {
    json!({ "type": "string", "format": "date", "description": description })
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}
