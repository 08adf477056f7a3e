use super::*;

fn view<'a>(path: &'a str, headers: &'a HeaderMap, body: &'a Bytes) -> RequestView<'a> {
    RequestView { method: &Method::POST, path, query: None, headers, body }
}

#[test]
fn every_form_of_a_path_leads_to_the_operation() {
    for (path, name) in [
        ("deployments/my-gpt4o/chat/completions", "chat.completions"),
        ("openai/deployments/my-gpt4o/chat/completions", "chat.completions"),
        ("deployments/d.1_x/embeddings", "embeddings"),
        ("deployments/d/completions", "completions"),
        ("v1/chat/completions", "chat.completions"),
        ("responses", "responses"),
        ("v1/responses", "responses"),
        ("openai/v1/responses", "responses"),
    ] {
        assert_eq!(Azure.operation(&Method::POST, path).ok().unwrap().name(), name, "{path}");
    }
    assert_eq!(Azure.operation(&Method::GET, "v1/models/gpt-4o").ok().unwrap().name(), "models.retrieve");
    for path in [
        "deployments",
        "deployments/d",
        "deployments//chat/completions",
        "deployments/../chat/completions",
        "deployments/a%2fb/chat/completions",
        "v1/v1/responses",
        "files",
    ] {
        assert!(Azure.operation(&Method::POST, path).is_err(), "{path}");
    }
}

#[test]
fn the_upstream_s_path_is_as_the_client_called() {
    let (headers, body) = (HeaderMap::new(), Bytes::new());
    for base in ["", "/openai", "/openai/v1"] {
        for (path, expected) in [
            ("deployments/d/chat/completions", "/openai/deployments/d/chat/completions"),
            ("openai/deployments/d/chat/completions", "/openai/deployments/d/chat/completions"),
            ("v1/chat/completions", "/openai/v1/chat/completions"),
            ("responses", "/openai/responses"),
            ("v1/responses/resp_1_sg00112233445566778899aabbccddeeff/input_items", "/openai/v1/responses/resp_1/input_items"),
        ] {
            assert_eq!(Azure.upstream_path(base, &view(path, &headers, &body), ""), expected);
        }
    }
    assert_eq!(Azure.upstream_path("/proxy/openai", &view("responses", &headers, &body), ""), "/proxy/openai/responses");
}

#[test]
fn the_deployment_of_the_path_is_the_model() {
    let headers = HeaderMap::new();
    let messages = r#""messages":[{"role":"user","content":"x"}]"#;
    for body in [format!("{{{messages}}}"), format!(r#"{{"model":"something-else",{messages}}}"#)] {
        let body = Bytes::from(body);
        let view = view("deployments/gpt-4o/chat/completions", &headers, &body);
        let operation = Azure.operation(&Method::POST, view.path).ok().unwrap();
        assert_eq!(operation.ask(&view).unwrap().model, "gpt-4o");
        // What the operator says that it is, decides how it is bounded and limited.
        let reasoner = operation.ask_as(&view, "o3").unwrap();
        assert_eq!(reasoner.model, "o3");
        assert!(std::str::from_utf8(&reasoner.upstream_body(&body, Some(9))).unwrap().contains("\"max_completion_tokens\":9"));
    }
    let body = Bytes::from(format!("{{{messages}}}"));
    assert!(OpenAi.operation(&Method::POST, "chat/completions").ok().unwrap().ask(&view("chat/completions", &headers, &body)).is_err());
}

#[test]
fn the_key_goes_where_azure_wants_it() {
    let mut headers = HeaderMap::new();
    Azure.put_key(&mut headers, &HeaderValue::from_static("azure-key"));
    assert_eq!((&headers["api-key"], headers.len()), (&HeaderValue::from_static("azure-key"), 1));
    assert!(headers["api-key"].is_sensitive());
    assert!(Azure.passes_query("api-version") && !Azure.passes_query("key"));
}
