//! HTTPS on both sides: a gateway with a certificate of its own, and another that reaches it as its upstream.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio_rustls::TlsConnector;

use crate::support::asks::{CHAT, limited, send};
use crate::support::gateway::MAIN_KEY;
use crate::support::routes::Routes;
use crate::support::{Gateway, Setup, StandIn, eventually};

/// A self-signed certificate for localhost, in files.
struct Certificate {
    folder: tempfile::TempDir,
}

impl Certificate {
    fn new() -> Self {
        let certificate = Self { folder: tempfile::tempdir().unwrap() };
        certificate.renew();
        certificate
    }

    /// Puts another certificate in the same files.
    fn renew(&self) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(self.key(), made.signing_key.serialize_pem()).unwrap();
        std::fs::write(self.cert(), made.cert.pem()).unwrap();
    }

    fn cert(&self) -> String {
        self.folder.path().join("tls.crt").display().to_string()
    }

    fn key(&self) -> String {
        self.folder.path().join("tls.key").display().to_string()
    }

    /// Posts over TLS, trusting this certificate as it stands in the file now, and no other.
    async fn post(&self, address: SocketAddr, path: &str, secret: &str, body: &Value) -> Result<Value, String> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.cert()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
        let connector = TlsConnector::from(Arc::new(config.with_no_client_auth()));
        let stream = tokio::net::TcpStream::connect(address).await.map_err(|error| error.to_string())?;
        let stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.map_err(|error| error.to_string())?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        let driver = tokio::spawn(connection);
        let request = hyper::Request::post(path).header("host", "localhost").header("authorization", format!("Bearer {secret}"));
        let request = request.header("content-type", "application/json").body(Full::new(Bytes::from(body.to_string()))).unwrap();
        let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        driver.abort();
        serde_json::from_slice(&body).map_err(|error| error.to_string())
    }
}

/// A gateway that speaks HTTPS, and the secret of a sandbox token of it.
async fn behind_tls(certificate: &Certificate) -> (Gateway, String) {
    let provider = StandIn::start().await;
    let setup = Setup::new(&Routes::at(provider.address()).openai(""));
    let gateway = Gateway::start(setup.env("SPENDGATE_TLS_CERT", &certificate.cert()).env("SPENDGATE_TLS_KEY", &certificate.key())).await;
    let token = json!({"name": "tls", "token_type": "sandbox_api_token"});
    let made = certificate.post(gateway.client().address, "/v2/user/custom_token/", MAIN_KEY, &token).await.unwrap();
    (gateway, made["token"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_with_a_certificate_of_its_own_is_trusted_where_the_route_says_so() {
    let certificate = Certificate::new();
    let (upstream, secret) = behind_tls(&certificate).await;
    let url = format!("https://localhost:{}", upstream.client().address.port());
    let routes = |extra: &str| Routes::of(format!("[upstreams.openai]\nurl = \"{url}\"\nkey = \"${{OPENAI_API_KEY}}\"\n{extra}\n")).openai("");
    let trusting = Gateway::start(Setup::new(&routes(&format!("ca = \"{}\"", certificate.cert()))).env("OPENAI_API_KEY", &secret)).await;
    let token = trusting.tokens().with_budget("trusting", "1.00").await;
    let answer = trusting.client().ask(send(&token, &limited("hello", 20))).await.expect(200);
    assert_eq!(answer.json()["object"], "chat.completion");
    assert!(answer.header("spendgate-cost").is_some());

    let wary = Gateway::start(Setup::new(&routes("")).env("OPENAI_API_KEY", &secret)).await;
    let token = wary.tokens().with_budget("wary", "1.00").await;
    wary.client().ask(send(&token, &limited("hello", 20))).await.refused(502, "upstream_error");
    let money = wary.tokens().settled("wary").await;
    assert_eq!((money.held, money.spent), (0, 0), "nothing was sent, so nothing is charged");
    trusting.close().await;
    wary.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_certificate_is_taken_up() {
    let certificate = Certificate::new();
    let (gateway, secret) = behind_tls(&certificate).await;
    let address = gateway.client().address;
    certificate.post(address, CHAT, &secret, &limited("hello", 20)).await.unwrap();
    certificate.renew();
    gateway.signal("HUP");
    eventually("the new certificate", async || certificate.post(address, CHAT, &secret, &limited("hello", 20)).await.ok()).await;
}
