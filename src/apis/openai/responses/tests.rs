use bytes::Bytes;
use http::HeaderMap;

use super::*;
use crate::apis::Api;
use crate::apis::openai::OpenAi;

const SEAL: &str = "_sg00112233445566778899aabbccddeeff";

fn view<'a>(method: &'a Method, path: &'a str, query: Option<&'a str>, headers: &'a HeaderMap, body: &'a Bytes) -> RequestView<'a> {
    RequestView { method, path, query, headers, body }
}

#[test]
fn knows_its_operations() {
    for (method, path, name, billing) in [
        (Method::POST, "responses", "responses", Billing::Tokens),
        (Method::POST, "responses/input_tokens", "responses.input_tokens", Billing::Free),
        (Method::GET, "responses/resp_1", "responses.retrieve", Billing::Free),
        (Method::DELETE, "responses/resp_1", "responses.delete", Billing::Free),
        (Method::POST, "responses/resp_1/cancel", "responses.cancel", Billing::Free),
        (Method::GET, "responses/resp_1/input_items", "responses.input_items", Billing::Free),
    ] {
        let operation = OpenAi.operation(&method, path).ok().unwrap();
        assert_eq!((operation.name(), operation.billing()), (name, billing), "{path}");
    }
    for (method, path, said) in [
        (Method::GET, "responses", "POST only"),
        (Method::DELETE, "responses", "POST only"),
        (Method::POST, "responses/resp_1", "GET and DELETE only"),
        (Method::DELETE, "responses/resp_1/input_items", "GET only"),
        (Method::GET, "responses/resp_1/cancel", "POST only"),
        (Method::POST, "responses/compact", "not available through this gateway yet"),
        (Method::GET, "responses/resp_1/other", "not available through this gateway yet"),
        (Method::GET, "responses/", "not available"),
        (Method::GET, "responses/resp_1/", "not available"),
        (Method::GET, "responses/resp%5f1", "not available"),
        (Method::GET, "responses/..", "not available"),
    ] {
        let message = OpenAi.operation(&method, path).err().unwrap().message;
        assert!(message.contains(said), "{path}: {message}");
    }
}

#[test]
fn the_id_in_the_path_is_told_and_loses_its_seal() {
    let (headers, body) = (HeaderMap::new(), Bytes::new());
    for (below, expected) in [("", "/v1/responses/resp_1"), ("/cancel", "/v1/responses/resp_1/cancel")] {
        let path = format!("responses/resp_1{SEAL}{below}");
        let method = if below.is_empty() { Method::GET } else { Method::POST };
        let request = view(&method, &path, None, &headers, &body);
        assert_eq!(
            OpenAi.operation(&method, &path).ok().unwrap().kept_ids(&request),
            [KeptId { id: "resp_1".to_owned(), seal: Some(SEAL.to_owned()), param: None }]
        );
        assert_eq!(OpenAi.upstream_path("", &request, ""), expected);
    }
    let bare = view(&Method::GET, "responses/resp_1", None, &headers, &body);
    assert_eq!(RETRIEVE.kept_ids(&bare)[0].seal, None);
    let azure = format!("openai/v1/responses/resp_1{SEAL}");
    assert_eq!(RETRIEVE.kept_ids(&view(&Method::GET, &azure, None, &headers, &body))[0].id, "resp_1");
    assert_eq!(upstream_path("responses"), "responses");
    assert_eq!(upstream_path("responses/input_tokens"), "responses/input_tokens");
}

#[test]
fn a_kept_response_is_not_streamed_again() {
    let (headers, body) = (HeaderMap::new(), Bytes::new());
    let ask = |query| RETRIEVE.ask(&view(&Method::GET, "responses/resp_1", query, &headers, &body));
    for query in [None, Some("include[]=x"), Some("stream=false"), Some("stream=False&limit=3")] {
        assert!(ask(query).is_ok(), "{query:?}");
    }
    for query in ["stream=true", "a=b&stream=1", "stream="] {
        assert!(ask(Some(query)).unwrap_err().message.contains("background"), "{query}");
    }
    assert!(passes_query("include%5B%5D") && passes_query("after") && !passes_query("stream") && !passes_query("key"));
}

#[test]
fn the_ids_in_the_input_of_a_response_are_not_sealed() {
    let seal = Seal::new(b"sk-provider", "me").unwrap();
    let list = r#"{"object":"list","data":[{"id":"msg_of_another","type":"message"}],"first_id":"msg_of_another"}"#;
    let passed = |stored: Stored| {
        let mut meter = stored.meter_sealed(&Ask::free(String::new()), false, &seal);
        let mut pass = Vec::new();
        meter.chunk(Bytes::from_static(list.as_bytes()), &mut pass);
        meter.end(&mut pass);
        pass.extend(meter.take_held());
        String::from_utf8(pass.concat()).unwrap()
    };
    assert_eq!(passed(INPUT_ITEMS), list);
}
