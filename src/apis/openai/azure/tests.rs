use http::{HeaderMap, HeaderValue};

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
        ("deployments/d/images/generations", "images.generations"),
        ("openai/deployments/d/images/edits", "images.edits"),
        ("deployments/d/audio/speech", "audio.speech"),
        ("deployments/d/audio/transcriptions", "audio.transcriptions"),
        ("deployments/d/audio/translations", "audio.translations"),
        ("v1/images/generations", "images.generations"),
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
        // Not below a deployment: the model would be that of the body.
        "deployments/d/responses",
        "deployments/d/moderations",
        "deployments/d/images/variations",
        "deployments/d/models",
        "deployments/d/deployments/e/chat/completions",
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

/// A form of an edit or a transcription, with a model in it or none.
fn form(model: Option<&str>, file: &[u8]) -> (HeaderMap, Bytes) {
    let headers = HeaderMap::from_iter([(http::header::CONTENT_TYPE, HeaderValue::from_static("multipart/form-data; boundary=x"))]);
    let mut body = Vec::new();
    let mut part = |name: &str, data: &[u8]| {
        body.extend_from_slice(format!("--x\r\nContent-Disposition: form-data; name={name}\r\n\r\n").as_bytes());
        body.extend_from_slice(data);
        body.extend_from_slice(b"\r\n");
    };
    part("prompt", b"a hat");
    if let Some(model) = model {
        part("model", model.as_bytes());
    }
    part("\"image\"; filename=\"a.png\"", file);
    body.extend_from_slice(b"--x--\r\n");
    (headers, body.into())
}

#[test]
fn the_deployment_is_the_model_of_images_and_audio_too() {
    let none = HeaderMap::new();
    let json = |body: &str| (none.clone(), Bytes::from(body.to_owned()));
    let cases = [
        ("images/generations", json(r#"{"prompt":"a cat","size":"1024x1024","quality":"high"}"#)),
        ("images/generations", json(r#"{"model":"dall-e-2","prompt":"a cat","size":"1024x1024","quality":"high"}"#)),
        ("images/edits", form(None, b"\x89PNG")),
        ("images/edits", form(Some("dall-e-2"), b"\x89PNG")),
        ("audio/speech", json(r#"{"input":"hello","voice":"alloy"}"#)),
        ("audio/speech", json(r#"{"model":"tts-1","input":"hello","voice":"alloy"}"#)),
    ];
    for (operation, (headers, body)) in &cases {
        let path = format!("deployments/gpt-image-1/{operation}");
        let view = view(&path, headers, body);
        let found = Azure.operation(&Method::POST, &path).ok().unwrap();
        let ask = found.ask(&view).unwrap();
        assert_eq!(ask.model, "gpt-image-1", "{operation}");
        // What it is said to be is what it is bounded as.
        let renamed = format!("deployments/prod/{operation}");
        let said = found.ask_as(&RequestView { path: &renamed, ..view }, "gpt-image-1").unwrap();
        assert_eq!((said.model, said.bound), (ask.model, ask.bound), "{operation}");
    }
    let (_, (headers, body)) = &cases[1];
    let simulated = Azure.operation(&Method::POST, "images/generations").ok().unwrap();
    let path = "deployments/gpt-image-1/images/generations";
    let answer = simulated.simulate(&view(path, headers, body), &crate::sandbox::Faults::default(), &mut std::iter::empty()).unwrap();
    assert!(String::from_utf8(answer.chunks.concat()).unwrap().contains("\"usage\""), "as the model of the path does");
}

#[test]
fn the_key_goes_where_azure_wants_it() {
    let mut headers = HeaderMap::new();
    Azure.envelope().put_key(&mut headers, &HeaderValue::from_static("azure-key"));
    assert_eq!((&headers["api-key"], headers.len()), (&HeaderValue::from_static("azure-key"), 1));
    assert!(headers["api-key"].is_sensitive());
    assert!(Azure.passes_query("api-version") && !Azure.passes_query("key"));
}
