//! Universal AI's jobs: `POST universal-ai/async` begins one, `GET universal-ai/async/{id}` asks for it. What it cost is told by the answer that has its
//! result, and not before: the answer that begins it says `"cost": "0.000"`.
//!
//! Jobs belong to the provider's key, which all tokens share. So the id that a client is told bears the seal of its token ([`crate::apis::Seal`] argues why),
//! and only an id with that seal is asked for.

use bytes::Bytes;

use super::{simulate, universal};
use crate::apis::json::{JsonError, Kind, Scanner};
use crate::apis::pass_meter::reported_cost;
use crate::apis::whole::WholeBody;
use crate::apis::{Ask, AskError, Billing, Job, KeptId, Measured, Meter, Operation, RequestView, Seal};
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

/// What stands before an id.
const JOBS: &str = "universal-ai/async/";
/// Ids are at most this long, their seals left out.
const MAX_ID: usize = 128;
/// An answer with a job's result is kept back whole up to this size, so that the id in it can be sealed. In a longer one it passes without a seal, and is good
/// for nothing.
const MAX_BODY: usize = 64 << 20;

/// The id of the job that a path asks for, perhaps with a seal.
fn job_id(path: &str) -> Option<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    path.strip_prefix(JOBS).filter(|id| (1..=MAX_ID).contains(&KeptId::read(id, None).id.len()) && id.bytes().all(plain))
}

/// Whether a path asks for one job.
pub(super) fn is_job(path: &str) -> bool {
    job_id(path).is_some()
}

/// The path for the provider: its own id, without our seal.
pub(super) fn upstream_path(path: &str) -> String {
    match job_id(path) {
        Some(id) => format!("{JOBS}{}", KeptId::read(id, None).id),
        None => path.to_owned(),
    }
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
        Box::new(JobMeter::new(true, None))
    }

    fn meter_sealed(&self, _ask: &Ask, _streamed: bool, seal: &Seal) -> Box<dyn Meter> {
        Box::new(JobMeter::new(true, Some(seal.clone())))
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
        Box::new(JobMeter::new(false, None))
    }

    fn kept_ids(&self, request: &RequestView<'_>) -> Vec<KeptId> {
        job_id(request.path).map(|id| KeptId::read(id, None)).into_iter().collect()
    }

    fn meter_sealed(&self, _ask: &Ask, _streamed: bool, seal: &Seal) -> Box<dyn Meter> {
        Box::new(JobMeter::new(false, Some(seal.clone())))
    }

    fn simulate(&self, request: &RequestView<'_>, _faults: &Faults, _models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
        Ok(simulate::job(request.path.rsplit('/').next().unwrap_or_default()))
    }
}

/// Reads what an answer says of a job.
struct JobMeter {
    /// The answer is that to the request which begins it.
    begins: bool,
    /// The client's ids get it.
    seal: Option<Seal>,
    body: WholeBody,
}

// === impl JobMeter ===

impl JobMeter {
    fn new(begins: bool, seal: Option<Seal>) -> Self {
        // Its clients and its documentation call the id `public_id`; in webhooks it is `job_id`.
        let body = WholeBody::new(&["public_id", "job_id", "status", "cost"]);
        let body = if seal.is_some() { body.kept_whole_to(MAX_BODY) } else { body };
        Self { begins, seal, body }
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
        let held = self.body.take_held();
        // An answer of which some has passed is left alone.
        let Some(seal) = self.seal.as_ref().filter(|_| held.iter().map(Bytes::len).sum::<usize>() as u64 == self.body.seen()) else { return held };
        let whole: Bytes = if let [one] = held.as_slice() { one.clone() } else { held.concat().into() };
        vec![sealed(&whole, seal).unwrap_or(whole)]
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

/// The answer with its ids sealed. None where it is no object.
fn sealed(body: &[u8], seal: &Seal) -> Option<Bytes> {
    let mut ids = Vec::new();
    let mut scanner = Scanner::lenient(body);
    let mut read = |scanner: &mut Scanner<'_>| -> Result<(), JsonError> {
        scanner.object(|scanner, member| match (member.key.raw(), scanner.kind()?) {
            (b"public_id" | b"job_id", Kind::String) => {
                let id = scanner.string()?.decode().map(|id| id.into_owned()).unwrap_or_default();
                ids.push((scanner.position() - 1, id));
                Ok(())
            }
            _ => scanner.skip(),
        })
    };
    read(&mut scanner).and_then(|()| scanner.finish()).ok()?;
    let mut answer = Vec::with_capacity(body.len() + ids.len() * 40);
    let mut at = 0;
    for (end, id) in ids.iter().filter(|(_, id)| !id.is_empty()) {
        answer.extend_from_slice(body.get(at..*end)?);
        answer.extend_from_slice(seal.suffix(id).as_bytes());
        at = *end;
    }
    answer.extend_from_slice(body.get(at..)?);
    Some(answer.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn met(begins: bool, body: &str) -> (Option<Job>, Option<i64>) {
        let mut meter = JobMeter::new(begins, None);
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

    #[test]
    fn the_id_that_a_client_sees_bears_the_seal_of_its_token() {
        let seal = Seal::new(b"key", "me").unwrap();
        let through = |body: &str, chunk: usize| {
            let mut meter = JobMeter::new(true, Some(seal.clone()));
            let mut pass = Vec::new();
            body.as_bytes().chunks(chunk).for_each(|chunk| meter.chunk(Bytes::copy_from_slice(chunk), &mut pass));
            meter.end(&mut pass);
            let told = meter.job();
            pass.extend(meter.take_held());
            (String::from_utf8(pass.concat()).unwrap(), told)
        };
        let body = |suffix: &str| format!(r#"{{"output":{{"public_id":"a"}},"public_id":"a-1{suffix}","job_id":"","status":"processing","cost":"0"}}"#);
        for chunk in [1, 7, 1_000] {
            // The ledger goes by the provider's own id.
            assert_eq!(through(&body(""), chunk), (body(&seal.suffix("a-1")), Some(Job::Begun { id: "a-1".to_owned() })));
        }
        for odd in ["", "[]", "{\"public_id\":\"a\"", "{\"public_id\":7}"] {
            assert_eq!(through(odd, 4).0, odd);
        }
        let big = format!(r#"{{"output":"{}","public_id":"b"}}"#, "x".repeat(3 << 20));
        assert!(through(&big, 1 << 16).0.ends_with(&format!(r#""public_id":"b{}"}}"#, seal.suffix("b"))));
        // What comes back is asked for by the provider's own id, and only where it is the token's.
        let path = format!("universal-ai/async/a-1{}", seal.suffix("a-1"));
        assert_eq!(upstream_path(&path), "universal-ai/async/a-1");
        assert!(is_job(&format!("universal-ai/async/{}{}", "a".repeat(128), seal.suffix("a"))));
        let headers = http::HeaderMap::new();
        let ids = |path| POLL.kept_ids(&RequestView { method: &http::Method::GET, path, query: None, headers: &headers, body: &Bytes::new() });
        assert!(ids(&path).iter().all(|id| seal.owns(id)) && ids(&path).len() == 1);
        assert!(ids("universal-ai/async/a-1").iter().all(|id| !seal.owns(id)) && ids("universal-ai/async/a-1").len() == 1);
    }
}
