"""The official `google-genai` package against the gateway: only the base URL and the key differ from talking to Google.

Everything that answers runs twice: on a sandbox token, which no provider sees, and on an `api_token` with a budget. The current generation calls
`/v1/models/..`, the one before `/v1beta/models/..`.
"""

import asyncio
import decimal
import json
import threading
import unittest
import warnings

import pydantic
from google import genai
from google.genai import errors, types

import harness

MODEL = "gemini-2.5-flash"
EMBEDDER = "gemini-embedding-001"
QUESTION = "What is the weather in Paris?"
# A client that nobody holds closes its connections, while its `models` are still in use.
kept = []
PICTURE = b"\x89PNG\r\n\x1a\n not really"


class Hour(pydantic.BaseModel):
    hour: int
    degrees: float | None = None


class Weather(pydantic.BaseModel):
    city: str
    sunny: bool
    hours: list[Hour]


def get_weather(city: str, days: int) -> str:
    """Tells the weather."""
    return f"sunny in {city[:0] or 'Paris'} for {int(days) * 0 + 1} days"


def setUpModule():
    global gateway
    warnings.simplefilter("ignore")
    gateway = harness.Gateway()


def tearDownModule():
    gateway.stop()


def client(secret, headers=None):
    options = types.HttpOptions(base_url=gateway.url, timeout=harness.PATIENCE * 1000, headers=headers)
    kept.append(genai.Client(api_key=secret, http_options=options))
    return kept[-1]


class Answers:
    """What works the same on both kinds of token."""

    def ask(self, contents=QUESTION, model=MODEL, **config):
        return self.client.models.generate_content(model=model, contents=contents, config={"max_output_tokens": 400, **config})

    def test_generate_content(self):
        answer = self.ask(max_output_tokens=50)
        self.assertTrue(answer.text)
        self.assertIn(answer.candidates[0].finish_reason, (types.FinishReason.STOP, types.FinishReason.MAX_TOKENS))
        usage = answer.usage_metadata
        self.assertTrue(0 < usage.candidates_token_count <= 50)
        self.assertEqual(usage.total_token_count, usage.prompt_token_count + usage.candidates_token_count)
        self.assertEqual(answer.model_version, MODEL)
        self.assertTrue(answer.response_id)

    def test_without_any_configuration(self):
        self.assertTrue(self.client.models.generate_content(model=MODEL, contents=QUESTION).text)

    def test_streamed_text_is_the_text(self):
        whole = self.ask(max_output_tokens=40)
        chunks = list(self.client.models.generate_content_stream(model=MODEL, contents=QUESTION, config={"max_output_tokens": 40}))
        self.assertGreater(len(chunks), 1)
        self.assertEqual("".join(chunk.text or "" for chunk in chunks), whole.text)
        self.assertEqual(chunks[-1].usage_metadata, whole.usage_metadata)
        self.assertEqual((chunks[-1].candidates[0].finish_reason, chunks[-1].response_id), (whole.candidates[0].finish_reason, whole.response_id))

    def test_functions(self):
        declared = types.Tool(function_declarations=[types.FunctionDeclaration.from_callable(client=self.client._api_client, callable=get_weather)])
        off = types.AutomaticFunctionCallingConfig(disable=True)
        answer = self.ask(tools=[declared], automatic_function_calling=off)
        call = answer.function_calls[0]
        self.assertEqual((call.name, set(call.args)), ("get_weather", {"city", "days"}))
        self.assertIsInstance(call.args["days"], int)
        # As agents do: the answer goes back as it is, with the result.
        result = types.Part.from_function_response(name=call.name, response={"result": "sunny"})
        history = [types.Content(role="user", parts=[types.Part(text=QUESTION)]), answer.candidates[0].content, types.Content(role="user", parts=[result])]
        self.assertTrue(self.ask(history, tools=[declared], automatic_function_calling=off).text)
        forced = types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode="NONE"))
        self.assertTrue(self.ask(tools=[declared], tool_config=forced, automatic_function_calling=off).text)

    def test_functions_that_the_sdk_calls_itself(self):
        chat = self.client.chats.create(model=MODEL, config={"tools": [get_weather], "max_output_tokens": 400})
        answer = chat.send_message(QUESTION)
        self.assertTrue(answer.text)
        self.assertTrue(any(part.function_response for turn in chat.get_history() for part in turn.parts))

    def test_streamed_functions(self):
        declared = {"function_declarations": [{"name": "f", "parameters": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}, "required": ["a"]}}]}
        chunks = list(self.client.models.generate_content_stream(model=MODEL, contents=QUESTION, config={"tools": [declared]}))
        calls = [call for chunk in chunks for call in chunk.function_calls or []]
        self.assertEqual([(call.name, set(call.args)) for call in calls], [("f", {"a"})])

    def test_structured_output(self):
        for schema in ({"response_schema": Weather}, {"response_json_schema": Weather.model_json_schema()}, {"response_schema": list[Hour]}):
            answer = self.ask(response_mime_type="application/json", **schema)
            if schema.get("response_schema") is Weather:
                self.assertIsInstance(answer.parsed, Weather)
            elif "response_json_schema" in schema:
                self.assertIsInstance(Weather.model_validate_json(answer.text), Weather)
            else:
                self.assertTrue(all(isinstance(hour, Hour) for hour in answer.parsed))
        self.assertIn(self.ask(response_mime_type="text/x.enum", response_schema={"type": "STRING", "enum": ["yes", "no"]}).text, ("yes", "no"))

    def test_thoughts(self):
        answer = self.ask(thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=200))
        self.assertEqual([bool(part.thought) for part in answer.candidates[0].content.parts], [True, False])
        usage = answer.usage_metadata
        self.assertGreater(usage.thoughts_token_count, 0)
        self.assertEqual(usage.total_token_count, usage.prompt_token_count + usage.candidates_token_count + usage.thoughts_token_count)

    def test_everything_that_is_input(self):
        contents = [types.Part.from_bytes(data=PICTURE, mime_type="image/png"), types.Part.from_bytes(data=b"a,b", mime_type="text/csv"), "Why?"]
        answer = self.ask(
            contents, system_instruction="Be brief.", temperature=0.5, top_k=40, top_p=0.9, seed=7, stop_sequences=["zzz"], candidate_count=2,
            presence_penalty=0.1, safety_settings=[types.SafetySetting(category="HARM_CATEGORY_HARASSMENT", threshold="BLOCK_NONE")], media_resolution="MEDIA_RESOLUTION_LOW",
        )
        self.assertEqual(len(answer.candidates), 2)

    def test_images_and_sound(self):
        image = self.ask(max_output_tokens=4000, response_modalities=["TEXT", "IMAGE"])
        self.assertEqual(image.candidates[0].content.parts[0].inline_data.mime_type, "image/png")
        self.assertEqual(image.usage_metadata.candidates_tokens_details[0].modality, types.MediaModality.IMAGE)
        voice = types.SpeechConfig(voice_config=types.VoiceConfig(prebuilt_voice_config=types.PrebuiltVoiceConfig(voice_name="Kore")))
        sound = self.ask(response_modalities=["AUDIO"], speech_config=voice)
        self.assertTrue(sound.candidates[0].content.parts[0].inline_data.data)

    def test_search(self):
        self.assertTrue(self.ask(tools=[types.Tool(google_search=types.GoogleSearch()), types.Tool(url_context=types.UrlContext())]).text)

    def test_embeddings(self):
        one = self.client.models.embed_content(model=EMBEDDER, contents="hello", config={"output_dimensionality": 8, "task_type": "RETRIEVAL_QUERY"})
        many = self.client.models.embed_content(model=EMBEDDER, contents=["hello", "other"], config={"output_dimensionality": 8})
        self.assertEqual([len(embedding.values) for embedding in many.embeddings], [8, 8])
        self.assertEqual(one.embeddings[0].values, many.embeddings[0].values)
        self.assertAlmostEqual(sum(value * value for value in one.embeddings[0].values), 1, places=4)

    def test_counting_tokens(self):
        counted = self.client.models.count_tokens(model=MODEL, contents=QUESTION)
        self.assertEqual(counted.total_tokens, self.ask().usage_metadata.prompt_token_count)

    def test_models(self):
        models = {model.name: model for model in self.client.models.list(config={"page_size": 50})}
        self.assertIn(f"models/{MODEL}", models)
        self.assertIn("generateContent", models[f"models/{MODEL}"].supported_actions)
        self.assertEqual(self.client.models.get(model=MODEL).name, f"models/{MODEL}")

    def test_chats(self):
        chat = self.client.chats.create(model=MODEL, config={"max_output_tokens": 30})
        first = chat.send_message(QUESTION).text
        second = "".join(chunk.text or "" for chunk in chat.send_message_stream("And tomorrow?"))
        self.assertTrue(first and second and first != second)
        self.assertGreaterEqual(len(chat.get_history()), 4)

    def test_the_async_client(self):
        async def ask():
            mine = client(self.secret).aio
            config = {"max_output_tokens": 20}
            answers = await asyncio.gather(*(mine.models.generate_content(model=MODEL, contents=QUESTION, config=config) for _ in range(8)))
            stream = await mine.models.generate_content_stream(model=MODEL, contents=QUESTION, config=config)
            return {answer.text for answer in answers}, "".join([chunk.text or "" async for chunk in stream])

        text, streamed = asyncio.run(ask())
        self.assertEqual(text, {streamed})

    def test_headers(self):
        headers = self.ask().sdk_http_response.headers
        self.assertEqual(headers.get("spendgate-sandbox"), self.sandbox)
        self.assertTrue(headers.get("spendgate-request-id"))

    def test_an_invalid_request(self):
        with self.assertRaises(errors.ClientError) as raised:
            self.ask(candidate_count=100)
        self.assertEqual((raised.exception.code, raised.exception.status), (400, "INVALID_ARGUMENT"))
        self.assertIn("candidateCount", raised.exception.message)

    def test_uploads_are_refused_with_the_reason(self):
        with self.assertRaises(errors.ClientError) as raised:
            self.client.files.upload(file=__file__, config={"mime_type": "text/plain"})
        self.assertEqual(raised.exception.code, 404)
        self.assertIn("inline", raised.exception.message)


class Sandbox(Answers, unittest.TestCase):
    sandbox = "true"

    @classmethod
    def setUpClass(cls):
        cls.secret = gateway.token("sdk-sandbox", token_type="sandbox_api_token")
        cls.client = client(cls.secret)

    def fault(self, fault):
        return client(self.secret, headers={"spendgate-simulate": fault})

    def test_faults_raise_what_the_provider_would(self):
        kinds = ((400, errors.ClientError), (401, errors.ClientError), (429, errors.ClientError), (500, errors.ServerError), (503, errors.ServerError))
        for status, kind in kinds:
            for ask in (lambda mine: mine.generate_content(model=MODEL, contents="x"), lambda mine: list(mine.generate_content_stream(model=MODEL, contents="x"))):
                with self.assertRaises(kind) as raised:
                    ask(self.fault(f"status={status}").models)
                self.assertEqual(raised.exception.code, status)
                self.assertTrue(raised.exception.message)

    def test_a_cut_stream(self):
        seen = []
        with self.assertRaises(Exception):
            for chunk in self.fault("cut=3").models.generate_content_stream(model=MODEL, contents="x"):
                seen.append(chunk)
        self.assertEqual(len(seen), 3)

    def test_nothing_is_spent(self):
        self.ask()
        self.assertEqual(decimal.Decimal(gateway.me(self.secret)["spent"]), 0)


class Live(Answers, unittest.TestCase):
    sandbox = None

    @classmethod
    def setUpClass(cls):
        cls.secret = gateway.token("sdk-live", balance="50.00", active_balance=True)
        cls.client = client(cls.secret)

    def test_a_model_without_a_price(self):
        with self.assertRaises(errors.ClientError) as raised:
            self.ask(model="nobody-knows-this")
        self.assertEqual((raised.exception.code, raised.exception.status), (403, "PERMISSION_DENIED"))
        self.assertIn("nobody-knows-this", raised.exception.message)

    def test_the_charge_is_the_usage(self):
        secret = gateway.token("sdk-exact", balance="1.00", active_balance=True)
        mine = client(secret)
        usages = []
        for limit in (7, 30, 120):
            config = {"max_output_tokens": limit, "thinking_config": {"include_thoughts": limit > 50}}
            usages.append(mine.models.generate_content(model=MODEL, contents=QUESTION, config=config).usage_metadata)
            *_, last = mine.models.generate_content_stream(model=MODEL, contents=QUESTION, config=config)
            usages.append(last.usage_metadata)
        nanos = sum(usage.prompt_token_count * 300 + ((usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)) * 2500 for usage in usages)
        token = gateway.me(secret)
        self.assertEqual(decimal.Decimal(token["spent"]) * 10**9, nanos)
        self.assertEqual((1 - decimal.Decimal(token["balance"])) * 10**9, nanos)


class Refusals(unittest.TestCase):
    """Our own errors, as the SDK's typed exceptions with our message."""

    def test_an_unknown_key(self):
        for secret in ("AIza-not-one-of-ours", "sg_live_00000000000000000000000000000000000000000000000000"):
            with self.assertRaises(errors.ClientError) as raised:
                client(secret).models.generate_content(model=MODEL, contents="x")
            self.assertEqual((raised.exception.code, raised.exception.status), (401, "UNAUTHENTICATED"))
            self.assertNotIn(secret, str(raised.exception))

    def test_a_spent_budget(self):
        secret = gateway.token("sdk-poor", balance="0.000001", active_balance=True)
        for ask in (lambda mine: mine.generate_content(model=MODEL, contents="x"), lambda mine: list(mine.generate_content_stream(model=MODEL, contents="x"))):
            with self.assertRaises(errors.ClientError) as raised:
                ask(client(secret).models)
            refusal = raised.exception
            self.assertEqual((refusal.code, refusal.status), (402, "RESOURCE_EXHAUSTED"))
            self.assertIn("sdk-poor", refusal.message)
            details = refusal.details["error"]["details"][0]
            self.assertEqual((details["reason"], details["metadata"]["balance"]), ("BUDGET_EXHAUSTED", "0.000001000"))

    def test_a_budget_that_others_hold(self):
        secret = gateway.token("sdk-held", balance="1.00", active_balance=True)
        slow = threading.Thread(target=lambda: gateway.api("POST", "/silent", {}, key=secret))
        slow.start()
        try:
            self.assertTrue(gateway.silence.arrived.acquire(timeout=harness.PATIENCE))
            with self.assertRaises(errors.ClientError) as raised:
                client(secret).models.generate_content(model=MODEL, contents="x", config={"max_output_tokens": 20})
            self.assertEqual((raised.exception.code, raised.exception.details["error"]["details"][0]["metadata"]["code"]), (429, "budget_held"))
        finally:
            gateway.silence.release.set()
            slow.join(harness.PATIENCE)

    def test_a_budget_near_its_end_is_clamped(self):
        secret = gateway.token("sdk-clamped", balance="0.002", active_balance=True)
        answer = client(secret).models.generate_content(model=MODEL, contents=QUESTION, config={"max_output_tokens": 5000})
        limit = int(answer.sdk_http_response.headers["spendgate-clamped"])
        self.assertLessEqual(answer.usage_metadata.candidates_token_count, limit)
        self.assertGreaterEqual(decimal.Decimal(gateway.me(secret)["balance"]), 0)

    def test_what_cannot_be_priced_is_named(self):
        secret = gateway.token("sdk-odd", balance="1.00", active_balance=True)
        for config, name in (({"tools": [types.Tool(code_execution=types.ToolCodeExecution())]}, "codeExecution"), ({"cached_content": "cachedContents/1"}, "cachedContent")):
            with self.assertRaises(errors.ClientError) as raised:
                client(secret).models.generate_content(model=MODEL, contents="x", config=config)
            self.assertEqual(raised.exception.code, 400)
            self.assertIn(name, raised.exception.message)


if __name__ == "__main__":
    unittest.main()
