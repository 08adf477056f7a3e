use bytes::Bytes;
use http::{HeaderMap, Method};

use super::super::picture;
use super::*;
use crate::apis::multipart::tests::form;

fn answer(body: &Value, faults: &Faults) -> Result<Simulated, Problem> {
    let body = Bytes::from(body.to_string());
    super::answer(Kind::Generation, None, &RequestView { method: &Method::POST, path: "", query: None, headers: &HeaderMap::new(), body: &body }, faults)
}

fn json(simulated: &Simulated) -> Value {
    serde_json::from_slice(&simulated.chunks.concat()).unwrap()
}

#[test]
fn tokens_are_reported_and_images_come_inside() {
    let body = json!({"model": "gpt-image-1", "prompt": "a cat", "n": 2, "size": "1536x1024", "quality": "low"});
    let simulated = answer(&body, &Faults::default()).unwrap();
    let answer_json = json(&simulated);
    assert_eq!(answer_json["data"].as_array().unwrap().len(), 2);
    assert_ne!(answer_json["data"][0], answer_json["data"][1]);
    assert_eq!((&answer_json["size"], &answer_json["quality"], &answer_json["output_format"]), (&json!("1536x1024"), &json!("low"), &json!("png")));
    assert_eq!(answer_json["usage"]["output_tokens"], 2 * 408);
    assert_eq!(answer(&body, &Faults::default()).unwrap(), simulated, "the same request, the same answer");
    let silent = answer(&body, &Faults { no_usage: true, ..Faults::default() }).unwrap();
    assert!(json(&silent).get("usage").is_none());
}

#[test]
fn dall_e_answers_with_addresses_unless_told_otherwise() {
    let answered = json(&answer(&json!({"model": "dall-e-3", "prompt": "a cat", "size": "1024x1792"}), &Faults::default()).unwrap());
    assert!(answered["data"][0]["url"].as_str().unwrap().starts_with("data:image/png;base64,"));
    assert!(answered["data"][0]["revised_prompt"] == "a cat" && answered.get("usage").is_none());
    let inside = json(&answer(&json!({"model": "dall-e-2", "prompt": "a cat", "response_format": "b64_json"}), &Faults::default()).unwrap());
    assert!(inside["data"][0]["b64_json"].is_string());
}

#[test]
fn a_stream_ends_with_the_image_that_is_sent_when_it_is_not_streamed() {
    let mut body = json!({"model": "gpt-image-1", "prompt": "a cat", "quality": "low"});
    let whole = json(&answer(&body, &Faults::default()).unwrap());
    body["stream"] = json!(true);
    body["partial_images"] = json!(2);
    let simulated = answer(&body, &Faults::default()).unwrap();
    let events: Vec<Value> = simulated
        .chunks
        .iter()
        .map(|event| {
            let (name, data) = std::str::from_utf8(event).unwrap().strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
            let data: Value = serde_json::from_str(data.trim_end()).unwrap();
            assert_eq!(data["type"], name);
            data
        })
        .collect();
    let types: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["image_generation.partial_image", "image_generation.partial_image", "image_generation.completed"]);
    assert_eq!((&events[1]["partial_image_index"], &events[2]["b64_json"]), (&json!(1), &whole["data"][0]["b64_json"]));
    assert_eq!(events[2]["usage"]["output_tokens"], whole["usage"]["output_tokens"].as_u64().unwrap() + 200);
}

#[test]
fn a_form_is_answered_alike_whatever_its_boundary() {
    let view = |headers: &HeaderMap, body: &Bytes| {
        super::answer(Kind::Edit, None, &RequestView { method: &Method::POST, path: "", query: None, headers, body }, &Faults::default()).unwrap()
    };
    let (headers, body) = form(&[("model", None, b"gpt-image-1"), ("prompt", None, b"a hat"), ("image", Some("a.png"), b"x")]);
    let simulated = view(&headers, &body);
    assert!(json(&simulated)["usage"]["input_tokens_details"]["image_tokens"].as_u64().unwrap() > 0);
    let other = Bytes::from(String::from_utf8(body.to_vec()).unwrap().replace("b0undary", "other"));
    let headers = crate::apis::multipart::tests::headers("multipart/form-data; boundary=other");
    assert_eq!(view(&headers, &other), simulated);
}

#[test]
fn bad_requests_are_refused_as_the_provider_does() {
    for (body, param) in [
        (json!({"model": "gpt-image-1", "prompt": "x", "n": 11}), "n"),
        (json!({"model": "gpt-image-1", "prompt": "x", "size": "big"}), "size"),
        (json!({"model": "gpt-image-1", "prompt": "x", "size": "9000x9000"}), "size"),
        (json!({"model": "gpt-image-1", "prompt": "x", "response_format": "url"}), "response_format"),
        (json!({"model": "dall-e-2", "prompt": "x", "response_format": "ftp"}), "response_format"),
        (json!({"model": "gpt-image-1"}), "prompt"),
    ] {
        let problem = answer(&body, &Faults::default()).unwrap_err();
        assert_eq!((problem.status, problem.param.as_deref()), (400, Some(param)), "{body}");
    }
}

#[test]
fn pictures_are_small_and_say_their_size() {
    for (width, height) in [(1, 1), (7, 3), (1024, 1536), (3840, 2160)] {
        let png = picture::draw(Format::Png, width, height, [1, 2, 3]);
        assert!(png.starts_with(b"\x89PNG\r\n\x1a\n") && png.ends_with(b"IEND\xae\x42\x60\x82") && png.len() < 10_000, "{}", png.len());
        assert_eq!(png[16..24], [u32::from(width).to_be_bytes(), u32::from(height).to_be_bytes()].concat());
        let jpeg = picture::draw(Format::Jpeg, width, height, [200, 100, 0]);
        assert!(jpeg.starts_with(b"\xff\xd8\xff\xe0") && jpeg.ends_with(b"\xff\xd9") && jpeg.len() < 100_000, "{}", jpeg.len());
        let webp = picture::draw(Format::Webp, width, height, [200, 100, 0]);
        assert!(webp.starts_with(b"RIFF") && webp.len() < 40);
    }
}
