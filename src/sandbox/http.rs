//! The answer of a route that only speaks HTTP: nothing is known about what its provider would say.

use serde_json::json;

use super::Simulated;
use super::seed::Seed;

/// A small JSON object that says it is simulated; the id follows from the body.
pub(super) fn answer(body: &[u8]) -> Simulated {
    let seed = Seed::of_bytes("http", body);
    let answer = json!({
        "simulated": true,
        "id": seed.id("sim_", 24),
        "message": "This is a simulated answer; no provider was asked.",
    });
    Simulated::json(answer.to_string())
}
