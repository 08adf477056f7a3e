"""The official `cohere` package against the gateway: only the base URL and the key differ from talking to Cohere.

Everything that answers runs twice: on a sandbox token, which no provider sees, and on an `api_token` with a budget.
"""

import asyncio
import decimal
import json
import threading
import unittest

import cohere
from cohere.core.api_error import ApiError

import harness

MODEL = "command-a-03-2025"
QUESTION = [{"role": "user", "content": "What is the weather in Paris?"}]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1, "maximum": 7}},
    "required": ["city", "days"],
}
TOOL = {"type": "function", "function": {"name": "get_weather", "description": "The weather of some days.", "parameters": SCHEMA}}
PICTURE = "data:image/png;base64,iVBORw0KGgo="


def setUpModule():
    global gateway
    gateway = harness.Gateway()


def tearDownModule():
    gateway.stop()


def client(secret):
    return cohere.ClientV2(api_key=secret, base_url=gateway.url, timeout=harness.PATIENCE)


def once(**headers):
    """The SDK repeats what it thinks worth it; not here."""
    return {"max_retries": 0, "additional_headers": headers}


class Answers:
    """What works the same on both kinds of token."""

    def ask(self, **more):
        return self.client.chat(**{"model": MODEL, "messages": QUESTION, "max_tokens": 50, **more})

    def stream(self, **more):
        return list(self.client.chat_stream(**{"model": MODEL, "messages": QUESTION, "max_tokens": 50, **more}))

    def test_chat(self):
        answer = self.ask()
        self.assertEqual((answer.message.role, answer.message.content[0].type), ("assistant", "text"))
        self.assertTrue(answer.id and answer.message.content[0].text)
        self.assertIn(answer.finish_reason, ("COMPLETE", "MAX_TOKENS"))
        self.assertTrue(0 < answer.usage.billed_units.output_tokens <= 50)
        self.assertGreater(answer.usage.billed_units.input_tokens, 0)

    def test_streamed_text_is_the_text(self):
        whole = self.ask(max_tokens=40)
        events = self.stream(max_tokens=40)
        kinds = [event.type for event in events]
        self.assertEqual((kinds[:2], kinds[-2:]), (["message-start", "content-start"], ["content-end", "message-end"]))
        text = "".join(event.delta.message.content.text for event in events if event.type == "content-delta")
        self.assertEqual(text, whole.message.content[0].text)
        end = events[-1].delta
        self.assertEqual((end.finish_reason, end.usage.billed_units), (whole.finish_reason, whole.usage.billed_units))

    def test_tools(self):
        answer = self.ask(tools=[TOOL], tool_choice="REQUIRED", strict_tools=True, max_tokens=200)
        self.assertEqual(answer.finish_reason, "TOOL_CALL")
        call = answer.message.tool_calls[0]
        self.assertEqual((call.type, call.function.name, set(json.loads(call.function.arguments))), ("function", "get_weather", {"city", "days"}))
        self.assertTrue(answer.message.tool_plan)
        # As agents do: the answer goes back as it is, with the result.
        result = {"role": "tool", "tool_call_id": call.id, "content": [{"type": "document", "document": {"data": {"sky": "sunny"}}}]}
        final = self.ask(tools=[TOOL], messages=[*QUESTION, answer.message, result], max_tokens=200)
        self.assertEqual(final.message.content[0].type, "text")

    def test_streamed_tools(self):
        events = self.stream(tools=[TOOL], tool_choice="REQUIRED", max_tokens=200)
        plan = "".join(event.delta.message.tool_plan for event in events if event.type == "tool-plan-delta")
        start = next(event for event in events if event.type == "tool-call-start")
        arguments = "".join(event.delta.message.tool_calls.function.arguments for event in events if event.type == "tool-call-delta")
        self.assertEqual(start.delta.message.tool_calls.function.name, "get_weather")
        self.assertEqual(set(json.loads(arguments)), {"city", "days"})
        self.assertIn("get_weather", plan)
        self.assertEqual(events[-1].delta.finish_reason, "TOOL_CALL")

    def test_structured_output(self):
        answer = self.ask(response_format={"type": "json_object", "json_schema": SCHEMA}, max_tokens=400)
        self.assertEqual(set(json.loads(answer.message.content[0].text)), {"city", "days"})

    def test_documents_are_cited(self):
        documents = [{"id": "doc-1", "data": {"title": "Paris", "snippet": "It rains in Paris."}}, "It snows elsewhere."]
        answer = self.ask(documents=documents, citation_options={"mode": "FAST"}, max_tokens=200)
        self.assertEqual(answer.message.citations[0].sources[0].id, "doc-1")
        kinds = {event.type for event in self.stream(documents=documents, max_tokens=200)}
        self.assertTrue({"citation-start", "citation-end"} <= kinds)

    def test_thinking(self):
        answer = self.ask(max_tokens=400, thinking={"type": "enabled", "token_budget": 100})
        self.assertEqual([part.type for part in answer.message.content], ["thinking", "text"])
        follow = [*QUESTION, answer.message, {"role": "user", "content": "And tomorrow?"}]
        self.assertTrue(self.ask(messages=follow, thinking={"type": "disabled"}).message.content)

    def test_everything_else_that_can_be_set(self):
        parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": PICTURE, "detail": "low"}}]
        messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": parts}]
        answer = self.ask(
            messages=messages, safety_mode="CONTEXTUAL", stop_sequences=["zzz"], temperature=0.2, seed=7, frequency_penalty=0.1, k=5, p=0.8, logprobs=False,
        )
        self.assertTrue(answer.message.content[0].text)

    def test_embeddings(self):
        types = ["float", "int8", "uint8", "binary", "ubinary", "base64"]
        answer = self.client.embed(model="embed-v4.0", input_type="search_document", texts=["one", "two"], embedding_types=types, output_dimension=256)
        self.assertEqual((len(answer.embeddings.float_), len(answer.embeddings.float_[0]), len(answer.embeddings.ubinary[0])), (2, 256, 32))
        self.assertTrue(answer.embeddings.base64[0])
        self.assertGreater(answer.meta.billed_units.input_tokens, 0)
        again = self.client.embed(model="embed-v4.0", input_type="search_document", texts=["two"], embedding_types=["float"], output_dimension=256)
        self.assertEqual(again.embeddings.float_[0], answer.embeddings.float_[1])

    def test_embeddings_of_images(self):
        images = self.client.embed(model="embed-v4.0", input_type="image", images=[PICTURE], embedding_types=["float"])
        self.assertEqual((len(images.embeddings.float_), images.images[0].format), (1, "png"))
        mixed = [{"content": [{"type": "text", "text": "a dot"}, {"type": "image_url", "image_url": {"url": PICTURE}}]}]
        answer = self.client.embed(model="embed-v4.0", input_type="search_document", inputs=mixed, embedding_types=["float"])
        self.assertEqual(len(answer.embeddings.float_), 1)

    def test_reranking(self):
        documents = ["Cats purr.", "Paris is the capital of France.", "Of course."]
        answer = self.client.rerank(model="rerank-v3.5", query="capital of France", documents=documents, top_n=2, max_tokens_per_doc=512)
        self.assertEqual((len(answer.results), answer.results[0].index), (2, 1))
        self.assertEqual(answer.meta.billed_units.search_units, 1)

    def test_the_async_client(self):
        async def ask():
            async with cohere.AsyncClientV2(api_key=self.secret, base_url=gateway.url, timeout=harness.PATIENCE) as mine:
                answers = await asyncio.gather(*(mine.chat(model=MODEL, messages=QUESTION, max_tokens=20) for _ in range(6)))
                pieces = [event.delta.message.content.text async for event in mine.chat_stream(model=MODEL, messages=QUESTION, max_tokens=20) if event.type == "content-delta"]
                return {answer.message.content[0].text for answer in answers}, "".join(pieces)

        texts, streamed = asyncio.run(ask())
        self.assertEqual(texts, {streamed})

    def test_bad_limits_are_bad_requests(self):
        with self.assertRaises(cohere.BadRequestError) as raised:
            self.ask(max_tokens=-5)
        self.assertEqual(raised.exception.body["error"]["code"], "invalid_request")
        self.assertIn("max_tokens", raised.exception.body["message"])

    def test_what_is_not_there(self):
        old = cohere.Client(api_key=self.secret, base_url=gateway.url, timeout=harness.PATIENCE)
        with self.assertRaises(cohere.NotFoundError):
            old.chat(model=MODEL, message="hello")


class Sandbox(Answers, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.secret = gateway.token("sdk-sandbox", token_type="sandbox_api_token")
        cls.client = client(cls.secret)

    def test_faults_raise_what_the_provider_would(self):
        kinds = ((400, cohere.BadRequestError), (401, cohere.UnauthorizedError), (404, cohere.NotFoundError), (429, cohere.TooManyRequestsError), (500, cohere.InternalServerError), (503, cohere.ServiceUnavailableError))
        for status, kind in kinds:
            with self.assertRaises(kind) as raised:
                self.ask(request_options=once(**{"spendgate-simulate": f"status={status}"}))
            self.assertEqual(raised.exception.status_code, status)
            self.assertTrue(raised.exception.body["message"])

    def test_nothing_is_spent(self):
        self.ask()
        self.assertEqual(decimal.Decimal(gateway.me(self.secret)["spent"]), 0)


class Live(Answers, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.secret = gateway.token("sdk-live", balance="50.00", active_balance=True)
        cls.client = client(cls.secret)

    def test_a_model_without_a_price(self):
        with self.assertRaises(cohere.ForbiddenError) as raised:
            self.ask(model="nobody-knows-this")
        self.assertEqual(raised.exception.body["error"]["code"], "model_not_priced")
        self.assertIn("nobody-knows-this", raised.exception.body["message"])

    def test_the_charge_is_what_is_billed(self):
        secret = gateway.token("sdk-exact", balance="1.00", active_balance=True)
        mine = client(secret)
        nanos = 0
        for limit in (7, 30, 120):
            usage = mine.chat(model=MODEL, messages=QUESTION, max_tokens=limit).usage
            end = list(mine.chat_stream(model=MODEL, messages=QUESTION, max_tokens=limit))[-1]
            for units in (usage.billed_units, end.delta.usage.billed_units):
                nanos += int(units.input_tokens) * 2_500 + int(units.output_tokens) * 10_000
        embedded = mine.embed(model="embed-v4.0", input_type="search_query", texts=["hello there"], embedding_types=["float"])
        nanos += int(embedded.meta.billed_units.input_tokens) * 120
        ranked = mine.rerank(model="rerank-v3.5", query="q", documents=["x"] * 150)
        nanos += int(ranked.meta.billed_units.search_units) * 2_000_000
        self.assertEqual(ranked.meta.billed_units.search_units, 2)
        token = gateway.me(secret)
        self.assertEqual(decimal.Decimal(token["spent"]) * 10**9, nanos)


class Refusals(unittest.TestCase):
    """Our own errors, as the SDK's typed exceptions with our message."""

    def ask(self, secret, **more):
        return client(secret).chat(model=MODEL, messages=QUESTION, request_options=once(), **more)

    def test_an_unknown_key(self):
        for secret in ("co-not-one-of-ours", "sg_live_00000000000000000000000000000000000000000000000000"):
            with self.assertRaises(cohere.UnauthorizedError) as raised:
                self.ask(secret, max_tokens=9)
            self.assertEqual(raised.exception.body["error"]["code"], "invalid_token")
            self.assertNotIn(secret, str(raised.exception))

    def test_a_spent_budget(self):
        secret = gateway.token("sdk-poor", balance="0.000001", active_balance=True)
        for ask in (self.ask, lambda secret, **more: list(client(secret).chat_stream(model=MODEL, messages=QUESTION, **more))):
            with self.assertRaises(ApiError) as raised:
                ask(secret, max_tokens=9)
            refusal = raised.exception
            self.assertEqual((refusal.status_code, refusal.body["error"]["code"]), (402, "budget_exhausted"))
            self.assertIn("sdk-poor", refusal.body["message"])
            self.assertEqual(refusal.body["error"]["budget"]["balance"], "0.000001000")

    def test_a_budget_that_others_hold(self):
        secret = gateway.token("sdk-held", balance="1.00", active_balance=True)
        slow = threading.Thread(target=lambda: gateway.api("POST", "/silent", {}, key=secret))
        slow.start()
        try:
            self.assertTrue(gateway.silence.arrived.acquire(timeout=harness.PATIENCE))
            with self.assertRaises(cohere.TooManyRequestsError) as raised:
                self.ask(secret, max_tokens=20)
            self.assertEqual(raised.exception.body["error"]["code"], "budget_held")
        finally:
            gateway.silence.release.set()
            slow.join(harness.PATIENCE)

    def test_a_budget_near_its_end_is_clamped(self):
        secret = gateway.token("sdk-clamped", balance="0.002", active_balance=True)
        answer = self.ask(secret, max_tokens=5000)
        self.assertLess(answer.usage.billed_units.output_tokens, 200)
        self.assertGreaterEqual(decimal.Decimal(gateway.me(secret)["balance"]), 0)


if __name__ == "__main__":
    unittest.main()
