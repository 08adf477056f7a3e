//! The router as a client sees it, on a real ledger.

mod access;
mod reports;
mod tokens;

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower_service::Service;

use super::*;
use crate::ledger::{Admission, AdmitRequest, Certainty, ChargeLabel, HoldId, LedgerOptions, StoreAddress};
use crate::money::Usd;
use crate::prices::{Unit, Usage};
use crate::tokens::{DEFAULT_ACCOUNT, SecretHash};

/// A main key of the operator's own choice: it need not have the form of a generated one.
const MAIN_KEY: &str = "an-operator-chose-this-key-of-many-characters";
const TOKENS: &str = "/v2/user/custom_token/";

/// A ledger in a folder of its own, with the router on it.
struct Api {
    ledger: Ledger,
    router: Router,
    _folder: tempfile::TempDir,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// A field of the answer that is a string.
    fn field(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn is(&self, status: u16, text: &str) {
        assert_eq!((self.status.as_u16(), self.text.as_str()), (status, text));
    }
}

impl Api {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = LedgerOptions::at(StoreAddress::Sqlite(folder.path().join("ledger.db")));
        let ledger = Ledger::open(options).await.unwrap();
        ledger.ensure_account(DEFAULT_ACCOUNT, Some(SecretHash::of(MAIN_KEY))).await.unwrap();
        Self { router: router(AdminState { ledger: ledger.clone() }), ledger, _folder: folder }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response: Response = self.router.clone().call(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: head.status, headers: head.headers, text: String::from_utf8(body.to_vec()).unwrap() }
    }

    async fn call(&self, method: &str, path: &str, key: &str, body: impl Into<Body>) -> Answer {
        self.send(Request::builder().method(method).uri(path).header("authorization", format!("Bearer {key}")).body(body.into()).unwrap()).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, MAIN_KEY, "").await
    }

    async fn post(&self, path: &str, body: &str) -> Answer {
        self.call("POST", path, MAIN_KEY, body.to_owned()).await
    }

    async fn patch(&self, path: &str, body: &str) -> Answer {
        self.call("PATCH", path, MAIN_KEY, body.to_owned()).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, MAIN_KEY, "").await
    }

    /// Creates a token and returns its secret.
    async fn token(&self, body: &str) -> String {
        let answer = self.post(TOKENS, body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        answer.field("token")
    }

    /// Lets a token spend, on the road that requests take.
    async fn spend(&self, secret: &str, cost: &str, provider: &str, model: &str, feature: &str) {
        let secret = SecretHash::of(secret);
        let facts = self.ledger.token_facts(&secret).await.unwrap().unwrap();
        let cost: Usd = cost.parse().unwrap();
        let label = Arc::new(ChargeLabel { provider: provider.into(), model: model.into(), feature: feature.into() });
        let request = AdmitRequest {
            hold: HoldId::generate(),
            token: facts.id,
            secret,
            want: cost,
            least: cost,
            lease: std::time::Duration::from_secs(60),
            label: label.clone(),
        };
        let Admission::Granted(grant) = self.ledger.admit(request).await.unwrap() else { panic!("refused") };
        grant.settle(cost, Certainty::Exact, Usage::default().with(Unit::Input, 10), label, "test").await.unwrap();
    }
}
