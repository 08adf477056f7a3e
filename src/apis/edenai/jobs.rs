//! Universal AI's jobs: `POST universal-ai/async` begins one, `GET universal-ai/async/{id}` asks for it. What it cost is told by the answer that has its
//! result, and not before: the answer that begins it says `"cost": "0.000"`.

use bytes::Bytes;

use super::{simulate, universal};
use crate::apis::pass_meter::reported_cost;
use crate::apis::whole::WholeBody;
use crate::apis::{Ask, AskError, Billing, Job, Measured, Meter, Operation, RequestView};
use crate::money::Usd;
use crate::sandbox::{Faults, Problem, Simulated};

/// `POST universal-ai/async`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begin;

/// `GET universal-ai/async/{id}`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Poll;

pub(super) const BEGIN: Begin = Begin;
pub(super) const POLL: Poll = Poll;

/// Ids are at most this long.
const MAX_ID: usize = 128;

/// Whether a path asks for one job.
pub(super) fn is_job(path: &str) -> bool {
    path.strip_prefix("universal-ai/async/")
        .is_some_and(|id| (1..=MAX_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'))
}

impl Operation for Begin {
    fn name(&self) -> &'static str {
        "universal_ai.begin_job"
    }

    fn feature(&self) -> &'static str {
        "universal__ai"
    }

    fn feature_of(&self, ask: &Ask) -> Option<String> {
        universal::feature_of(&ask.model)
    }

    fn billing(&self) -> Billing {
        Billing::PerRequest
    }

    fn reports_cost(&self) -> bool {
        true
    }

    fn ask(&self, request: &RequestView<'_>) -> Result<Ask, AskError> {
        universal::read(request.body)
    }

    fn meter(&self, _ask: &Ask, _streamed: bool) -> Box<dyn Meter> {
        Box::new(JobMeter::new(true))
    }

    fn simulate(&self, request: &RequestView<'_>, _faults: &Faults, _models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
        simulate::begun(request.body)
    }
}

impl Operation for Poll {
    fn name(&self) -> &'static str {
        "universal_ai.job"
    }

    fn feature(&self) -> &'static str {
        "universal__ai"
    }

    fn billing(&self) -> Billing {
        Billing::Free
    }

    fn ask(&self, _request: &RequestView<'_>) -> Result<Ask, AskError> {
        Ok(Ask::free(String::new()))
    }

    fn meter(&self, _ask: &Ask, _streamed: bool) -> Box<dyn Meter> {
        Box::new(JobMeter::new(false))
    }

    fn simulate(&self, request: &RequestView<'_>, _faults: &Faults, _models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
        Ok(simulate::job(request.path.rsplit('/').next().unwrap_or_default()))
    }
}

/// Reads what an answer says of a job.
struct JobMeter {
    /// The answer is that to the request which begins it.
    begins: bool,
    body: WholeBody,
}

// === impl JobMeter ===

impl JobMeter {
    fn new(begins: bool) -> Self {
        // Its clients and its documentation call the id `public_id`; in webhooks it is `job_id`.
        Self { begins, body: WholeBody::new(&["public_id", "job_id", "status", "cost"]) }
    }

    fn id(&self) -> Option<String> {
        self.body.text("public_id").or_else(|| self.body.text("job_id")).filter(|id| !id.is_empty())
    }

    /// The cost, once the job has ended. One that failed and does not say what it cost did not cost anything.
    fn final_cost(&self) -> Option<Usd> {
        let status = self.body.text("status").filter(|_| self.body.complete())?;
        match (status.as_str(), self.body.member("cost")) {
            ("success" | "fail", Some(cost)) => reported_cost(cost),
            ("fail", None) => Some(Usd::ZERO),
            _ => None,
        }
    }
}

impl Meter for JobMeter {
    fn chunk(&mut self, chunk: Bytes, pass: &mut Vec<Bytes>) {
        self.body.chunk(chunk, pass);
    }

    fn end(&mut self, _pass: &mut Vec<Bytes>) {
        self.body.end();
    }

    fn terminal(&self) -> bool {
        self.body.ended()
    }

    fn take_held(&mut self) -> Vec<Bytes> {
        self.body.take_held()
    }

    fn measured(&self) -> Measured {
        Measured { complete: self.body.complete(), reported_cost: self.final_cost(), ..Measured::default() }
    }

    fn job(&self) -> Option<Job> {
        let id = self.id().filter(|_| self.body.complete())?;
        match (self.begins, self.final_cost()) {
            (true, None) => Some(Job::Begun { id }),
            (false, Some(cost)) => Some(Job::Ended { id, cost }),
            // One that ended at once costs what any answer does that tells its cost.
            _ => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn met(begins: bool, body: &str) -> (Option<Job>, Option<i64>) {
        let mut meter = JobMeter::new(begins);
        let mut pass = Vec::new();
        for chunk in body.as_bytes().chunks(7) {
            meter.chunk(Bytes::copy_from_slice(chunk), &mut pass);
        }
        meter.end(&mut pass);
        (meter.job(), meter.measured().reported_cost.map(Usd::nanos))
    }

    #[test]
    fn a_job_costs_what_the_answer_says_that_has_its_end() {
        let id = || "abc123-def456".to_owned();
        let body = |status: &str, cost: &str| {
            format!(r#"{{"output":{{"cost":"9","status":"success"}},"public_id":"abc123-def456","status":"{status}","cost":{cost},"error":null}}"#)
        };
        let ended = |cost: i64| (Some(Job::Ended { id: id(), cost: Usd::from_nanos(cost).unwrap() }), Some(cost));
        assert_eq!(met(true, &body("processing", "\"0.000\"")), (Some(Job::Begun { id: id() }), None));
        assert_eq!(met(false, &body("processing", "\"0.000\"")), (None, None));
        assert_eq!(met(false, &body("success", "\"0.005\"")), ended(5_000_000));
        assert_eq!(met(false, &body("success", "0.005")), ended(5_000_000));
        assert_eq!(met(false, &body("fail", "\"0.0015\"")), ended(1_500_000));
        assert_eq!(met(false, &body("fail", "null")), ended(0));
        // Not told, not believed, another word, broken off.
        for none in [body("success", "null"), body("success", "-1"), body("fail", "\"x\""), body("finished", "\"0.1\""), body("success", "1").replace('}', "")]
        {
            assert_eq!(met(false, &none), (None, None), "{none}");
        }
        // Ended at once, or without an id: charged as any answer.
        assert_eq!(met(true, &body("fail", "\"0\"")), (None, Some(0)));
        assert_eq!(met(true, r#"{"status":"processing","cost":"0"}"#), (None, None));
        assert_eq!(met(true, r#"{"status":"processing","job_id":"j"}"#), (Some(Job::Begun { id: "j".to_owned() }), None));
    }

    #[test]
    fn the_id_of_a_job_is_one_plain_step() {
        assert!(is_job("universal-ai/async/550e8400-e29b-41d4-a716-446655440000") && is_job("universal-ai/async/a_B"));
        for path in
            ["universal-ai/async/", "universal-ai/async", "universal-ai/async/a/b", "universal-ai/async/..", "universal-ai/async/a%2f", "universal-ai/asyncs/a"]
        {
            assert!(!is_job(path), "{path}");
        }
        assert!(!is_job(&format!("universal-ai/async/{}", "a".repeat(129))));
    }
}
