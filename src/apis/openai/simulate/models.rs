//! Simulated `GET models` and `GET models/{id}`.

use serde_json::{Value, json};

use crate::sandbox::Simulated;
use crate::sandbox::problem::Problem;
use crate::sandbox::seed::Seed;

/// The list of all models.
pub(in crate::apis::openai) fn list(models: &mut dyn Iterator<Item = &str>) -> Simulated {
    let data: Vec<Value> = models.map(model).collect();
    Simulated::json(json!({"object": "list", "data": data}).to_string())
}

/// One model.
pub(in crate::apis::openai) fn one(id: &str, models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
    let mut models = models.map(|known| known == id);
    let listed = models.any(|found| found);
    if listed { Ok(Simulated::json(model(id).to_string())) } else { Err(Problem::no_such_model(id)) }
}

fn model(id: &str) -> Value {
    json!({"id": id, "object": "model", "created": Seed::of_bytes("model", id.as_bytes()).created(), "owned_by": "system"})
}
