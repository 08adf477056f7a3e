use super::*;

const GOOD: &str = r#"
[upstreams.openai]
url = "https://api.openai.com"
key = "${OPENAI_API_KEY}"

[upstreams.docs]
url = "http://127.0.0.1:9/base/"

[[routes]]
path = "/v1/*"
api = "openai"
upstream = "openai"
models = ["gpt-*", "o*-mini"]

[[routes]]
path = "/ocr"
api = "http"
upstream = "docs"
price = { per_request = "0.01" }
"#;

fn parse(text: &str) -> Result<Routes, Vec<String>> {
    Routes::parse(text, "routes.toml", &Environment::of([("OPENAI_API_KEY", "sk-1")])).map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

/// The file with one thing changed is wrong in one place.
fn wrong(from: &str, to: &str, place: &str, what: &str) {
    let text = GOOD.replacen(from, to, 1);
    assert_ne!(text, GOOD);
    let errors = parse(&text).unwrap_err();
    assert!(errors.len() == 1 && errors[0].starts_with(&format!("routes.toml:{place}: ")) && errors[0].contains(what), "{errors:?}");
}

#[test]
fn a_route_that_is_never_asked_is_told() {
    let twice = "[[routes]]\npath = \"/ocr\"\napi = \"http\"\nupstream = \"docs\"\nprice = \"free\"\n[[routes]]\npath = \"/ocr\"";
    wrong("[[routes]]\npath = \"/ocr\"", twice, "21:8", "the route on line 16 has the same path, api and upstream");
    wrong("models = [\"gpt-*\", \"o*-mini\"]", "models = []", "13:10", "an empty list takes no model");
    let first = "[[routes]]\npath = \"/v1/*\"\napi = \"openai\"\nupstream = \"openai\"\n";
    for models in ["", "models = [\"gpt-*\"]\n"] {
        parse(&format!("{GOOD}{first}{models}")).unwrap();
        parse(&format!("{GOOD}{first}{models}{first}{models}")).unwrap_err();
    }
    let other_upstream = first.replace("upstream = \"openai\"", "upstream = \"docs\"");
    parse(&format!("{GOOD}{first}{other_upstream}")).unwrap();
}

#[test]
fn a_port_is_a_port() {
    for port in [":99999", ":x", ":"] {
        let url = format!("https://api.openai.com{port}");
        wrong("https://api.openai.com", &url, "3:7", "write scheme, host and optional base path");
    }
    for url in ["https://api.openai.com:443/v1", "http://[::1]:8000", "http://[::1]"] {
        parse(&GOOD.replacen("https://api.openai.com", url, 1)).unwrap();
    }
}

#[test]
fn the_builtin_routes_are_right() {
    Routes::builtin(&Environment::of([])).unwrap();
}

#[test]
fn a_path_takes_the_first_route_that_matches() {
    let routes = parse(GOOD).unwrap();
    let (route, below) = routes.matching("/v1/chat/completions").next().unwrap();
    assert_eq!((route.api.name(), below), ("openai", "chat/completions"));
    assert!(route.takes_model("gpt-4o") && route.takes_model("o3-mini") && !route.takes_model("o3") && !route.takes_model("GPT-4o"));
    assert!(routes.matching("/ocr").next().is_some());
    for path in ["/ocr/", "/OCR", "/v1", "//v1/chat", "/v2/x"] {
        assert!(routes.matching(path).next().is_none(), "{path}");
    }
    let docs = routes.upstreams().find(|upstream| upstream.name == "docs").unwrap();
    assert_eq!(docs.base_path, "/base");
}

#[test]
fn a_mount_may_take_some_operations_only() {
    let some = GOOD.replace("path = \"/v1/*\"\napi = \"openai\"", "path = \"/v1/messages*\"\napi = \"anthropic\"");
    let routes = parse(&some).unwrap();
    let below = |path: &'static str| routes.matching(path).next().map(|(route, below)| (route.api.name(), below));
    assert_eq!(below("/v1/messages"), Some(("anthropic", "messages")));
    assert_eq!(below("/v1/messages/count_tokens"), Some(("anthropic", "messages/count_tokens")));
    assert_eq!((below("/v1/models"), below("/v1/message"), below("/messages")), (None, None, None));
    assert_eq!(routes.all()[0].path.pattern(), "/v1/messages*");
}

#[test]
fn the_builtin_routes_take_every_sdk_s_paths() {
    let routes = Routes::builtin(&Environment::of([])).unwrap();
    let first = |path: &'static str| routes.matching(path).next().map(|(route, _)| route.api.name());
    assert_eq!(first("/v1/messages"), Some("anthropic"));
    assert_eq!((first("/v1/chat/completions"), first("/v1/models")), (Some("openai"), Some("openai")));
    assert!(routes.matching("/v1/models").any(|(route, _)| route.api.name() == "anthropic"));
    assert_eq!((first("/openai/deployments/gpt-4o/chat/completions"), first("/openai/v1/responses")), (Some("azure"), Some("azure")));
    for path in ["/v2/chat", "/v2/embed", "/v2/rerank"] {
        assert_eq!(first(path), Some("cohere"), "{path}");
    }
    assert_eq!((first("/mistral/v1/chat/completions"), first("/mistral/v1/ocr")), (Some("mistral"), Some("mistral")));
    for path in ["/v2/user/custom_token/", "/v2/cost_management/", "/v2/", "/v2/audio/transcriptions"] {
        assert_eq!(first(path), None, "{path}");
    }
}

#[test]
fn a_base_url_with_a_step_too_many_is_told_the_right_path() {
    let routes = Routes::builtin(&Environment::of([])).unwrap();
    let find = |path: &'static str| routes.find(&Method::POST, path, None, &HeaderMap::new()).unwrap();
    for (path, right, api) in [
        ("/v1/v1/chat/completions", "/v1/chat/completions", "openai"),
        ("/v1/v1/responses", "/v1/responses", "openai"),
        ("/v1/v1/messages", "/v1/messages", "anthropic"),
        ("/v1/v1/messages/count_tokens", "/v1/messages/count_tokens", "anthropic"),
        ("/openai/v1/v1/chat/completions", "/openai/v1/chat/completions", "azure"),
        ("/openai/openai/deployments/gpt-4o/chat/completions", "/openai/deployments/gpt-4o/chat/completions", "azure"),
        ("/v1beta/v1beta/models/gemini-2.5-flash:generateContent", "/v1beta/models/gemini-2.5-flash:generateContent", "gemini"),
        ("/v1/v1/models/gemini-2.5-flash:generateContent", "/v1/models/gemini-2.5-flash:generateContent", "gemini"),
        ("/v2/v2/chat", "/v2/chat", "cohere"),
        ("/v2/v2/rerank", "/v2/rerank", "cohere"),
        ("/mistral/v1/v1/chat/completions", "/mistral/v1/chat/completions", "mistral"),
        ("/v3/v3/chat/completions", "/v3/chat/completions", "edenai"),
        ("/v3/v1/v1/messages", "/v3/v1/messages", "edenai"),
    ] {
        let found = find(path);
        let message = found.operation.err().unwrap().message;
        assert!(message.contains("twice") && message.contains(&format!("'{right}'")), "{path}: {message}");
        assert_eq!(found.route.api.name(), api, "{path}");
        assert!(find(right).operation.is_ok(), "{right}");
    }
    // Anthropic's shapes there are Eden AI's too.
    assert_eq!(format!("{:?}", find("/v3/v1/v1/messages").api), "EdenMessages");
    // What would not be right with one step less says what it always did.
    assert!(find("/v1/v1/nothing").operation.err().unwrap().message.contains("'nothing'"));
    assert!(routes.find(&Method::POST, "/v2/v2/nothing", None, &HeaderMap::new()).is_none());
    // One version below another mount is no mistake, and neither is what a route without operations names.
    let own = GOOD.replace("path = \"/v1/*\"", "path = \"/any/*\"").replace("path = \"/ocr\"", "path = \"/v1/*\"");
    let own = parse(&own).unwrap();
    assert!(own.find(&Method::POST, "/v1/v1/chat/completions", None, &HeaderMap::new()).unwrap().operation.is_ok());
}

#[test]
fn what_a_client_speaks_decides_where_a_path_belongs_to_several() {
    let routes = Routes::builtin(&Environment::of([])).unwrap();
    let api = |method: Method, path: &'static str, query: Option<&str>, header: &'static str| {
        let headers = HeaderMap::from_iter([(HeaderName::from_static(header), HeaderValue::from_static("x"))]);
        let found = routes.find(&method, path, query, &headers).unwrap();
        (found.route.api.name(), found.operation.is_ok())
    };
    for (query, header, name) in [
        (None, "authorization", "openai"),
        (None, "anthropic-version", "anthropic"),
        (None, "x-goog-api-key", "gemini"),
        (None, "x-goog-api-client", "gemini"),
        (Some("pageSize=1&key=sg"), "accept", "gemini"),
    ] {
        assert_eq!(api(Method::GET, "/v1/models", query, header), (name, true));
    }
    // What only one of them has is found whatever the client says, and what one says it speaks does not hide the others.
    assert_eq!(api(Method::POST, "/v1/models/gemini-2.5-flash:generateContent", None, "authorization"), ("gemini", true));
    assert_eq!(api(Method::POST, "/v1beta/models/gemini-2.5-flash:generateContent", None, "authorization"), ("gemini", true));
    assert_eq!(api(Method::POST, "/v1/chat/completions", None, "x-goog-api-key"), ("openai", true));
    assert_eq!(api(Method::POST, "/v1/files", None, "x-goog-api-key"), ("gemini", false));
    assert_eq!(api(Method::POST, "/upload/v1beta/files", None, "accept"), ("gemini", false));
}

#[test]
fn an_unset_key_turns_the_upstream_off() {
    let routes = Routes::parse(GOOD, "routes.toml", &Environment::of([])).unwrap();
    let off: Vec<Option<&str>> = routes.upstreams().map(|upstream| upstream.off()).collect();
    assert_eq!(off, [None, Some("OPENAI_API_KEY")]);
    assert!(!format!("{routes:?}").contains("sk-"));
}

#[test]
fn an_unset_address_turns_the_upstream_off_too() {
    let text = GOOD.replace("https://api.openai.com", "${SOME_ENDPOINT}");
    let openai = |environment: &Environment| {
        let routes = Routes::parse(&text, "routes.toml", environment).unwrap();
        routes.all()[0].upstream.clone()
    };
    let unset = openai(&Environment::of([("OPENAI_API_KEY", "sk-1")]));
    assert_eq!((unset.off(), unset.origin.authority.as_ref().unwrap().host()), (Some("SOME_ENDPOINT"), "address-is-not-set.invalid"));
    let set = openai(&Environment::of([("OPENAI_API_KEY", "sk-1"), ("SOME_ENDPOINT", "https://me.openai.azure.com")]));
    assert_eq!((set.off(), set.origin.authority.as_ref().unwrap().host()), (None, "me.openai.azure.com"));
}

#[test]
fn a_deployment_is_the_model_that_the_route_says() {
    let routes = parse(&GOOD.replace("models = [\"gpt-*\", \"o*-mini\"]", "deployments = { \"my-gpt\" = \"gpt-4o\" }")).unwrap();
    let route = &routes.all()[0];
    assert_eq!((route.model_of("my-gpt"), route.model_of("o3")), ("gpt-4o", "o3"));
    let errors = parse(&GOOD.replace("price = {", "deployments = { x = \"y\" }\nprice = {")).unwrap_err();
    assert!(errors[0].contains("take `deployments` away"), "{errors:?}");
}

#[test]
fn providers_are_asked_to_count_unless_a_route_says_no() {
    let margin =
        |setting: &str| parse(&GOOD.replace("price = {", &format!("{setting}\nprice = {{"))).unwrap().all()[1].count_margin.map(|margin| margin.to_string());
    assert_eq!(margin("").as_deref(), Some("1.02"));
    assert_eq!(margin("count_margin = \"1.5\"").as_deref(), Some("1.5"));
    assert_eq!(margin("count_margin = \"off\""), None);
}

#[test]
fn each_mistake_is_told_with_its_place() {
    for (from, to, said) in [
        ("path = \"/ocr\"", "path = \"ocr\"", "routes.toml:16:8: "),
        ("\"http\"", "\"htp\"", "routes.toml:17:7: "),
        ("upstream = \"docs\"", "upstream = \"doc\"", "routes.toml:18:12: "),
        ("per_request = \"0.01\"", "per_request = 0.01", "routes.toml:19:9: "),
        ("per_request = \"0.01\"", "per_request = \"1e3\"", "routes.toml:19:9: "),
        ("per_request = \"0.01\"", "reported = { json = \"/cost\" }", "needs a hold"),
        ("per_request = \"0.01\"", "input_mtok = \"1\"", "no tokens to count"),
        ("price = { per_request = \"0.01\" }", "", "needs a price"),
        ("models =", "model =", "routes.toml:13:1: "),
        ("\"${OPENAI_API_KEY}\"", "\"sk-very-secret\"", "routes.toml:4:7: a secret does not stand in this file"),
        ("https://api.openai.com", "ftp://x", "routes.toml:3:7: "),
        ("https://api.openai.com", "https://me@x", "routes.toml:3:7: "),
        ("\"/v1/*\"", "\"/v1*\"", "routes.toml:10:8: "),
        ("api = \"openai\"", "api = \"gemini\"\nstream_cost_comment = true", "routes.toml:12:23: clients of api = \"gemini\" fail on comments"),
        ("api = \"openai\"", "api = \"anthropic\"\nreports_cost = true", "routes.toml:12:16: the answers of api = \"anthropic\" do not tell"),
        ("api = \"openai\"", "api = \"openai\"\nprice = \"free\"\nreports_cost = true", "routes.toml:13:16: reports_cost goes with prices by tokens only"),
        ("api = \"openai\"", "api = \"openai\"\ndefault_tier = \"auto\"", "routes.toml:12:16: default_tier is what the account's setting names"),
        ("api = \"openai\"", "api = \"openai\"\ndefault_tier = \"Priority\"", "is not the name of a tier"),
        ("price = {", "default_tier = \"priority\"\nprice = {", "has no service tiers"),
        ("api = \"openai\"", "api = \"openai\"\nheld_searches = 0", "routes.toml:12:17: held_searches is a number from 1 to 1000"),
        ("api = \"openai\"", "api = \"anthropic\"\ncount_margin = \"0.99\"", "routes.toml:12:16: count_margin must be a decimal factor"),
        ("api = \"openai\"", "api = \"anthropic\"\ncount_margin = \"on\"", "for example \"1.1\"; or \"off\""),
    ] {
        let errors = parse(&GOOD.replace(from, to)).unwrap_err();
        assert!(errors.iter().any(|error| error.contains(said)), "{to}: {errors:?}");
        assert!(!errors.iter().any(|error| error.contains("sk-very-secret")), "{errors:?}");
    }
}

#[test]
fn globs() {
    for (pattern, text, fits) in [
        ("*", "", true),
        ("a*", "a", true),
        ("a*b", "ab", true),
        ("a*b", "a", false),
        ("*b*", "abc", true),
        ("a*a", "a", false),
        ("a", "a", true),
        ("a*c*e", "abcde", true),
        ("a*c*e", "abde", false),
    ] {
        assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
    }
}
