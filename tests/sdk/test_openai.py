"""The official `openai` package against the gateway: only the base URL and the key differ from talking to OpenAI.

Everything that answers runs twice: on a sandbox token, which no provider sees, and on an `api_token` with a budget.
"""

import asyncio
import decimal
import json
import threading
import unittest

import openai
import pydantic

import harness

MODEL = "gpt-4o-mini"
QUESTION = [{"role": "user", "content": "What is the weather in Paris?"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1, "maximum": 7}},
            "required": ["city", "days"],
            "additionalProperties": False,
        },
    },
}


# The same, as the Responses API wants it.
FUNCTION = {"type": "function", "strict": True, **TOOL["function"]}


class Weather(pydantic.BaseModel):
    city: str
    degrees: int
    sunny: bool
    hours: list[int]


def setUpModule():
    global gateway
    gateway = harness.Gateway()


def tearDownModule():
    gateway.stop()


def client(secret, **settings):
    return openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=secret, timeout=harness.PATIENCE, **settings)


class Answers:
    """What works the same on both kinds of token."""

    def test_chat(self):
        answer = self.client.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=50)
        self.assertTrue(answer.choices[0].message.content)
        self.assertEqual(answer.choices[0].message.role, "assistant")
        self.assertIn(answer.choices[0].finish_reason, ("stop", "length"))
        self.assertEqual(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)
        self.assertLessEqual(answer.usage.completion_tokens, 50)

    def test_chat_with_max_completion_tokens_and_choices(self):
        answer = self.client.chat.completions.create(model=MODEL, messages=QUESTION, max_completion_tokens=20, n=3)
        self.assertEqual(len(answer.choices), 3)

    def test_stream_without_usage(self):
        chunks = list(self.client.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=50, stream=True))
        self.assertTrue("".join(chunk.choices[0].delta.content or "" for chunk in chunks))
        self.assertTrue(all(chunk.choices for chunk in chunks))
        self.assertTrue(all(chunk.usage is None for chunk in chunks))
        self.assertIn(chunks[-1].choices[0].finish_reason, ("stop", "length"))
        self.assertEqual(len({chunk.id for chunk in chunks}), 1)

    def test_stream_with_usage(self):
        stream = self.client.chat.completions.create(
            model=MODEL, messages=QUESTION, max_tokens=50, stream=True, stream_options={"include_usage": True}
        )
        chunks = list(stream)
        self.assertEqual(chunks[-1].choices, [])
        self.assertGreater(chunks[-1].usage.completion_tokens, 0)
        self.assertTrue(all(chunk.usage is None for chunk in chunks[:-1]))

    def test_streamed_text_is_the_text(self):
        whole = self.client.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=40)
        chunks = self.client.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=40, stream=True)
        self.assertEqual("".join(chunk.choices[0].delta.content or "" for chunk in chunks), whole.choices[0].message.content)

    def test_tools(self):
        answer = self.client.chat.completions.create(model=MODEL, messages=QUESTION, tools=[TOOL], tool_choice="required", max_tokens=200)
        self.assertEqual(answer.choices[0].finish_reason, "tool_calls")
        call = answer.choices[0].message.tool_calls[0]
        self.assertEqual(call.function.name, "get_weather")
        arguments = json.loads(call.function.arguments)
        self.assertEqual(set(arguments), {"city", "days"})
        self.assertTrue(1 <= arguments["days"] <= 7)
        messages = [*QUESTION, answer.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
        final = self.client.chat.completions.create(model=MODEL, messages=messages, tools=[TOOL], max_tokens=200)
        self.assertTrue(final.choices[0].message.content)
        self.assertFalse(final.choices[0].message.tool_calls)

    def test_streamed_tools(self):
        stream = self.client.chat.completions.create(model=MODEL, messages=QUESTION, tools=[TOOL], tool_choice="required", max_tokens=200, stream=True)
        name, arguments = "", ""
        for chunk in stream:
            for call in chunk.choices[0].delta.tool_calls or []:
                name += call.function.name or ""
                arguments += call.function.arguments or ""
        self.assertEqual(name, "get_weather")
        self.assertEqual(set(json.loads(arguments)), {"city", "days"})

    def test_structured_output(self):
        answer = self.client.chat.completions.parse(model=MODEL, messages=QUESTION, response_format=Weather, max_tokens=400)
        self.assertIsInstance(answer.choices[0].message.parsed, Weather)

    def test_structured_output_streamed(self):
        with self.client.chat.completions.stream(model=MODEL, messages=QUESTION, response_format=Weather, max_tokens=400) as stream:
            for _ in stream:
                pass
            final = stream.get_final_completion()
        self.assertIsInstance(final.choices[0].message.parsed, Weather)

    def test_embeddings(self):
        # The SDK asks for base64 and decodes it by itself.
        answer = self.client.embeddings.create(model="text-embedding-3-small", input=["one", "two"], dimensions=64)
        self.assertEqual([len(item.embedding) for item in answer.data], [64, 64])
        self.assertIsInstance(answer.data[0].embedding[0], float)
        self.assertGreater(answer.usage.total_tokens, 0)
        floats = self.client.embeddings.create(model="text-embedding-3-small", input="one", dimensions=64, encoding_format="float")
        self.assertEqual(len(floats.data[0].embedding), 64)
        self.assertAlmostEqual(floats.data[0].embedding[0], answer.data[0].embedding[0], places=5)

    def test_legacy_completions(self):
        answer = self.client.completions.create(model="gpt-3.5-turbo-instruct", prompt="Once upon a time", max_tokens=12)
        self.assertTrue(answer.choices[0].text)
        text = "".join(chunk.choices[0].text for chunk in self.client.completions.create(model="gpt-3.5-turbo-instruct", prompt="Once upon a time", max_tokens=12, stream=True))
        self.assertEqual(text, answer.choices[0].text)

    def test_responses(self):
        answer = self.client.responses.create(model=MODEL, input="What is the weather in Paris?", instructions="Be brief.", max_output_tokens=60)
        self.assertTrue(answer.output_text)
        self.assertIn(answer.status, ("completed", "incomplete"))
        self.assertEqual(answer.usage.total_tokens, answer.usage.input_tokens + answer.usage.output_tokens)
        self.assertLessEqual(answer.usage.output_tokens, 60)
        self.assertEqual(answer.usage.output_tokens_details.reasoning_tokens, 0)

    def test_responses_pass_strict_validation(self):
        strict = client(self.secret, _strict_response_validation=True)
        for settings in ({}, {"tools": [FUNCTION], "tool_choice": "required"}, {"reasoning": {"effort": "low", "summary": "auto"}}):
            answer = strict.responses.create(model=MODEL, input="What is the weather in Paris?", max_output_tokens=400, **settings)
            self.assertTrue(answer.output)

    def test_streamed_responses(self):
        whole = self.client.responses.create(model=MODEL, input="What is the weather in Paris?", max_output_tokens=400)
        events = list(self.client.responses.create(model=MODEL, input="What is the weather in Paris?", max_output_tokens=400, stream=True))
        self.assertEqual((events[0].type, events[-1].type), ("response.created", "response.completed"))
        self.assertEqual([event.sequence_number for event in events], list(range(len(events))))
        text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        self.assertEqual((text, events[-1].response.output_text), (whole.output_text, whole.output_text))
        self.assertEqual({event.response.id for event in events if hasattr(event, "response")}, {whole.id})
        self.assertEqual({event.item_id for event in events if hasattr(event, "item_id")}, {whole.output[0].id})

    def test_the_response_stream_helper(self):
        with self.client.responses.stream(model=MODEL, input="What is the weather in Paris?", text_format=Weather, max_output_tokens=400) as stream:
            snapshot = [event.snapshot for event in stream if event.type == "response.output_text.delta"][-1]
            final = stream.get_final_response()
        self.assertIsInstance(final.output_parsed, Weather)
        self.assertEqual(snapshot, final.output_text)

    def test_the_response_stream_helper_at_the_limit(self):
        with self.client.responses.stream(model=MODEL, input="What is the weather in Paris?", max_output_tokens=16) as stream:
            last = list(stream)[-1]
        self.assertEqual((last.type, last.response.incomplete_details.reason), ("response.incomplete", "max_output_tokens"))
        self.assertEqual(last.response.usage.output_tokens, 16)

    def test_parsed_responses(self):
        answer = self.client.responses.parse(model=MODEL, input="What is the weather in Paris?", text_format=Weather, max_output_tokens=400)
        self.assertIsInstance(answer.output_parsed, Weather)

    def test_tools_of_responses(self):
        history = [{"role": "user", "content": "What is the weather in Paris?"}]
        answer = self.client.responses.create(model=MODEL, input=history, tools=[FUNCTION], tool_choice="required", max_output_tokens=200)
        call = answer.output[0]
        self.assertEqual((call.type, call.name), ("function_call", "get_weather"))
        self.assertEqual(set(json.loads(call.arguments)), {"city", "days"})
        # As agents do: what was answered goes back as it came, ids and all.
        history += [item.model_dump(exclude_none=True) for item in answer.output]
        history.append({"type": "function_call_output", "call_id": call.call_id, "output": "sunny"})
        final = self.client.responses.create(model=MODEL, input=history, tools=[FUNCTION], max_output_tokens=200)
        self.assertTrue(final.output_text)

    def test_streamed_tools_of_responses(self):
        with self.client.responses.stream(model=MODEL, input="Weather?", tools=[FUNCTION], tool_choice="required", max_output_tokens=200) as stream:
            pieces = "".join(event.delta for event in stream if event.type == "response.function_call_arguments.delta")
            call = stream.get_final_response().output[0]
        self.assertEqual((call.name, call.arguments), ("get_weather", pieces))

    def test_summaries_of_reasoning(self):
        with self.client.responses.stream(model=MODEL, input="Think!", reasoning={"effort": "low", "summary": "auto"}, max_output_tokens=400) as stream:
            summary = "".join(event.delta for event in stream if event.type == "response.reasoning_summary_text.delta")
            final = stream.get_final_response()
        self.assertEqual([item.type for item in final.output], ["reasoning", "message"])
        self.assertEqual(final.output[0].summary[0].text, summary)
        self.assertGreater(final.usage.output_tokens_details.reasoning_tokens, 0)

    def test_kept_responses(self):
        made = self.client.responses.create(model=MODEL, input="What is the weather in Paris?", max_output_tokens=400)
        again = self.client.responses.retrieve(made.id)
        self.assertEqual((again.id, again.model, again.output_text), (made.id, MODEL, made.output_text))
        self.assertEqual([item.role for item in self.client.responses.input_items.list(made.id)], ["user"])
        more = self.client.responses.create(model=MODEL, input="And tomorrow?", previous_response_id=made.id, max_output_tokens=60)
        self.assertEqual(more.previous_response_id, made.id)
        with self.assertRaises(openai.BadRequestError):
            self.client.responses.cancel(made.id)
        self.client.responses.delete(made.id)
        for unknown in ("resp_unknown", "resp_" + "0" * 48 + "x"):
            with self.assertRaises(openai.NotFoundError):
                self.client.responses.retrieve(unknown)

    def test_responses_that_are_refused(self):
        with self.assertRaises(openai.BadRequestError) as raised:
            self.client.responses.create(model=MODEL, input="x", background=True)
        self.assertEqual((raised.exception.code, raised.exception.param), ("invalid_request", "background"))
        self.assertIn("background", raised.exception.message)
        with self.assertRaises(openai.BadRequestError) as raised:
            self.client.responses.create(model=MODEL, input="x", tools=[{"type": "code_interpreter", "container": {"type": "auto"}}])
        self.assertIn("code_interpreter", raised.exception.message)

    def test_the_async_client_and_responses(self):
        async def ask():
            async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=self.secret, timeout=harness.PATIENCE) as client:
                whole = await client.responses.create(model=MODEL, input="x", max_output_tokens=60)
                stream = await client.responses.create(model=MODEL, input="x", max_output_tokens=60, stream=True)
                return whole.output_text, "".join([event.delta async for event in stream if event.type == "response.output_text.delta"])

        whole, streamed = asyncio.run(ask())
        self.assertTrue(whole)
        self.assertEqual(whole, streamed)

    def test_moderations(self):
        answer = self.client.moderations.create(input=["a quiet day", "violence"])
        self.assertEqual([result.flagged for result in answer.results], [False, True])
        self.assertTrue(answer.results[1].categories.violence)
        picture = [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "https://example.com/x.png"}}]
        answer = self.client.moderations.create(model="omni-moderation-latest", input=picture)
        self.assertEqual(answer.results[0].category_applied_input_types.violence, ["text", "image"])

    def azure(self, **settings):
        return openai.AzureOpenAI(azure_endpoint=gateway.url, api_key=self.secret, api_version="2024-10-21", timeout=harness.PATIENCE, **settings)

    def test_azure(self):
        azure = self.azure()
        answer = azure.chat.completions.create(model="my-gpt4o-mini", messages=QUESTION, max_tokens=50)
        self.assertTrue(answer.choices[0].message.content)
        chunks = list(azure.chat.completions.create(model="my-gpt4o-mini", messages=QUESTION, max_tokens=50, stream=True))
        self.assertEqual("".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices), answer.choices[0].message.content)
        self.assertTrue(azure.completions.create(model="gpt-3.5-turbo-instruct", prompt="Say hello.", max_tokens=20).choices[0].text)
        self.assertEqual(len(azure.embeddings.create(model="text-embedding-3-small", input="one", dimensions=64).data[0].embedding), 64)
        response = azure.responses.create(model="my-gpt4o-mini", input="x", max_output_tokens=50)
        self.assertTrue(response.output_text)
        self.assertEqual(azure.responses.retrieve(response.id).id, response.id)

    def test_azure_with_a_fixed_deployment(self):
        azure = self.azure(azure_deployment="my-gpt4o-mini")
        answer = azure.chat.completions.create(model="whatever", messages=QUESTION, max_tokens=50)
        self.assertTrue(answer.choices[0].message.content)
        # What is not below the deployment goes by its own path.
        self.assertTrue(azure.responses.create(model="my-gpt4o-mini", input="x", max_output_tokens=50).output_text)

    def test_azure_s_newer_paths(self):
        newer = openai.OpenAI(base_url=f"{gateway.url}/openai/v1/", api_key=self.secret, timeout=harness.PATIENCE)
        self.assertTrue(newer.responses.create(model="my-gpt4o-mini", input="x", max_output_tokens=50).output_text)
        self.assertTrue(newer.chat.completions.create(model="gpt-4o-mini", messages=QUESTION, max_tokens=5).choices)

    def test_models(self):
        models = [model.id for model in self.client.models.list()]
        self.assertIn(MODEL, models)

    def test_the_async_client(self):
        async def ask():
            async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=self.secret, timeout=harness.PATIENCE) as client:
                answers = await asyncio.gather(*(client.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=20) for _ in range(8)))
                text = [answer.choices[0].message.content for answer in answers]
                stream = await client.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=20, stream=True)
                return text, "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

        text, streamed = asyncio.run(ask())
        self.assertEqual(set(text), {streamed})

    def test_the_request_id_is_shown(self):
        raw = self.client.chat.completions.with_raw_response.create(model=MODEL, messages=QUESTION, max_tokens=5)
        self.assertTrue(raw.headers["spendgate-request-id"])
        self.assertTrue(raw.parse()._request_id)
        self.assertEqual(raw.headers.get("spendgate-sandbox"), self.sandbox)

    def test_bad_limits_are_bad_requests(self):
        with self.assertRaises(openai.BadRequestError) as raised:
            self.client.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=-5)
        self.assertEqual(raised.exception.code, "invalid_request")
        self.assertIn("max_tokens", str(raised.exception))

    def test_an_operation_that_is_not_there(self):
        with self.assertRaises(openai.NotFoundError) as raised:
            self.client.post("/no/such/operation", cast_to=object, body={})
        self.assertTrue(raised.exception.message)


class Sandbox(Answers, unittest.TestCase):
    sandbox = "true"

    @classmethod
    def setUpClass(cls):
        cls.secret = gateway.token("sdk-sandbox", token_type="sandbox_api_token")
        cls.client = client(cls.secret)

    def fault(self, fault):
        return client(self.secret, max_retries=0, default_headers={"spendgate-simulate": fault})

    def test_faults_raise_what_the_provider_would(self):
        for status, kind in ((400, openai.BadRequestError), (401, openai.AuthenticationError), (429, openai.RateLimitError), (500, openai.InternalServerError)):
            with self.assertRaises(kind) as raised:
                self.fault(f"status={status}").chat.completions.create(model=MODEL, messages=QUESTION)
            self.assertTrue(raised.exception.message)

    def test_a_cut_stream(self):
        seen = []
        with self.assertRaises(Exception):
            for chunk in self.fault("cut=3").chat.completions.create(model=MODEL, messages=QUESTION, stream=True):
                seen.append(chunk)
        self.assertEqual(len(seen), 3)

    def test_nothing_is_spent(self):
        self.client.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=20)
        self.assertEqual(decimal.Decimal(gateway.me(self.secret)["spent"]), 0)


class Live(Answers, unittest.TestCase):
    sandbox = None

    @classmethod
    def setUpClass(cls):
        cls.secret = gateway.token("sdk-live", balance="50.00", active_balance=True)
        cls.client = client(cls.secret)

    def test_a_model_without_a_price(self):
        with self.assertRaises(openai.PermissionDeniedError) as raised:
            self.client.chat.completions.create(model="nobody-knows-this", messages=QUESTION)
        self.assertEqual(raised.exception.code, "model_not_priced")
        self.assertIn("nobody-knows-this", str(raised.exception))

    def test_the_charge_is_the_usage(self):
        secret = gateway.token("sdk-exact", balance="1.00", active_balance=True)
        mine = client(secret)
        usages = []
        for limit in (7, 30, 120):
            usages.append(mine.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=limit).usage)
            stream = mine.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=limit, stream=True, stream_options={"include_usage": True})
            usages.append(list(stream)[-1].usage)
            # Not asked for: the same, and charged all the same.
            list(mine.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=limit, stream=True))
            usages.append(usages[-1])
        nanos = sum(usage.prompt_tokens * 150 + usage.completion_tokens * 600 for usage in usages)
        token = gateway.me(secret)
        self.assertEqual(decimal.Decimal(token["spent"]) * 10**9, nanos)
        self.assertEqual((1 - decimal.Decimal(token["balance"])) * 10**9, nanos)


    def test_the_charge_of_responses_is_their_usage(self):
        secret = gateway.token("sdk-exact-responses", balance="1.00", active_balance=True)
        mine = client(secret)
        usages = []
        for limit in (16, 30, 120):
            usages.append(mine.responses.create(model=MODEL, input="x", max_output_tokens=limit).usage)
            usages.append(list(mine.responses.create(model=MODEL, input="x", max_output_tokens=limit, stream=True))[-1].response.usage)
        mine.moderations.create(input="x")
        nanos = sum(usage.input_tokens * 150 + usage.output_tokens * 600 for usage in usages)
        self.assertEqual(decimal.Decimal(gateway.me(secret)["spent"]) * 10**9, nanos)

    def test_responses_of_another_token(self):
        made = self.client.responses.create(model=MODEL, input="x", max_output_tokens=20)
        other = client(gateway.token("sdk-other", balance="1.00", active_balance=True))
        for call in (other.responses.retrieve, other.responses.delete, other.responses.cancel):
            with self.assertRaises(openai.NotFoundError):
                call(made.id)
        with self.assertRaises(openai.BadRequestError) as raised:
            other.responses.create(model=MODEL, input="x", previous_response_id=made.id)
        self.assertEqual(raised.exception.param, "previous_response_id")
        self.assertEqual(self.client.responses.retrieve(made.id).id, made.id)

    def test_a_deployment_without_a_price(self):
        with self.assertRaises(openai.PermissionDeniedError) as raised:
            self.azure().chat.completions.create(model="nobody-knows-this", messages=QUESTION)
        self.assertEqual(raised.exception.code, "model_not_priced")


class Refusals(unittest.TestCase):
    """Our own errors, as the SDK's typed exceptions with our message."""

    def test_an_unknown_key(self):
        for secret in ("sk-not-one-of-ours", "sg_live_00000000000000000000000000000000000000000000000000"):
            with self.assertRaises(openai.AuthenticationError) as raised:
                client(secret).chat.completions.create(model=MODEL, messages=QUESTION)
            self.assertEqual(raised.exception.code, "invalid_token")
            self.assertNotIn(secret, str(raised.exception))

    def test_an_expired_key(self):
        secret = gateway.token("sdk-expired")
        gateway.api("PATCH", "/v2/user/custom_token/sdk-expired/", {"expire_time": "2020-01-01T00:00:00Z"})
        with self.assertRaises(openai.AuthenticationError) as raised:
            client(secret).chat.completions.create(model=MODEL, messages=QUESTION)
        self.assertEqual(raised.exception.code, "token_expired")

    def test_a_spent_budget(self):
        secret = gateway.token("sdk-poor", balance="0.000001", active_balance=True)
        with self.assertRaises(openai.APIStatusError) as raised:
            client(secret).chat.completions.create(model=MODEL, messages=QUESTION)
        refusal = raised.exception
        self.assertEqual(refusal.status_code, 402)
        self.assertEqual((refusal.code, refusal.type), ("budget_exhausted", "insufficient_quota"))
        self.assertIn("sdk-poor", refusal.message)
        self.assertIn("$0.000001000", refusal.message)
        self.assertEqual(refusal.body["budget"]["balance"], "0.000001000")
        self.assertTrue(refusal.request_id)

    def test_a_budget_that_others_hold(self):
        secret = gateway.token("sdk-held", balance="1.00", active_balance=True)
        slow = threading.Thread(target=lambda: gateway.api("POST", "/silent", {}, key=secret))
        slow.start()
        try:
            self.assertTrue(gateway.silence.arrived.acquire(timeout=harness.PATIENCE))
            with self.assertRaises(openai.RateLimitError) as raised:
                client(secret, max_retries=0).chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=20)
            self.assertEqual(raised.exception.code, "budget_held")
            self.assertTrue(raised.exception.response.headers["retry-after"])
        finally:
            gateway.silence.release.set()
            slow.join(harness.PATIENCE)

    def test_a_budget_near_its_end_is_clamped(self):
        secret = gateway.token("sdk-clamped", balance="0.0002", active_balance=True)
        raw = client(secret).chat.completions.with_raw_response.create(model=MODEL, messages=QUESTION, max_tokens=5000)
        limit = int(raw.headers["spendgate-clamped"])
        self.assertLessEqual(raw.parse().usage.completion_tokens, limit)
        self.assertGreaterEqual(decimal.Decimal(gateway.me(secret)["balance"]), 0)


if __name__ == "__main__":
    unittest.main()
