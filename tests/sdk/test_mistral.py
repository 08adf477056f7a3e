"""The official `mistralai` package against the gateway: only the server's URL and the key differ from talking to Mistral.

Everything that answers runs twice: on a sandbox token, which no provider sees, and on an `api_token` with a budget. The two generations of the SDK keep
their names in different places.
"""

import asyncio
import decimal
import json
import threading
import unittest

import pydantic

import harness

try:
    from mistralai.client import Mistral
    from mistralai.client.errors import HTTPValidationError, SDKError
except ImportError:
    from mistralai import Mistral
    from mistralai.models import HTTPValidationError, SDKError

MODEL = "mistral-small-2603"
QUESTION = [{"role": "user", "content": "What is the weather in Paris?"}]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1, "maximum": 7}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "get_weather", "description": "The weather of some days.", "parameters": SCHEMA}}


class Weather(pydantic.BaseModel):
    city: str
    degrees: int
    sunny: bool


def setUpModule():
    global gateway
    gateway = harness.Gateway()


def tearDownModule():
    gateway.stop()


def client(secret):
    return Mistral(api_key=secret, server_url=gateway.url + "/mistral", timeout_ms=harness.PATIENCE * 1000)


def body(refusal):
    """What a refusal says: the SDK keeps it as text."""
    return json.loads(refusal.body)


class Answers:
    """What works the same on both kinds of token."""

    def ask(self, **more):
        return self.client.chat.complete(**{"model": MODEL, "messages": QUESTION, "max_tokens": 50, **more})

    def stream(self, **more):
        return [event.data for event in self.client.chat.stream(**{"model": MODEL, "messages": QUESTION, "max_tokens": 50, **more})]

    def test_chat(self):
        answer = self.ask()
        self.assertEqual((answer.object, answer.choices[0].message.role), ("chat.completion", "assistant"))
        self.assertTrue(answer.id and answer.choices[0].message.content)
        self.assertIn(answer.choices[0].finish_reason, ("stop", "length"))
        self.assertTrue(0 < answer.usage.completion_tokens <= 50)
        self.assertEqual(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)

    def test_streamed_text_is_the_text(self):
        whole = self.ask(max_tokens=40)
        chunks = self.stream(max_tokens=40)
        self.assertEqual("".join(chunk.choices[0].delta.content or "" for chunk in chunks), whole.choices[0].message.content)
        self.assertEqual(chunks[-1].choices[0].finish_reason, whole.choices[0].finish_reason)
        # Unasked, with the last content.
        self.assertEqual(chunks[-1].usage.completion_tokens, whole.usage.completion_tokens)

    def test_several_choices(self):
        answer = self.ask(n=3)
        self.assertEqual(len({choice.index for choice in answer.choices}), 3)
        self.assertEqual({chunk.choices[0].index for chunk in self.stream(n=3)}, {0, 1, 2})

    def test_tools(self):
        answer = self.ask(tools=[TOOL], tool_choice="any", parallel_tool_calls=False, max_tokens=200)
        choice = answer.choices[0]
        self.assertEqual(choice.finish_reason, "tool_calls")
        call = choice.message.tool_calls[0]
        self.assertEqual((call.function.name, set(json.loads(call.function.arguments))), ("get_weather", {"city", "days"}))
        # As agents do: the answer goes back as it is, with the result.
        result = {"role": "tool", "name": "get_weather", "tool_call_id": call.id, "content": "sunny"}
        final = self.ask(tools=[TOOL], messages=[*QUESTION, choice.message, result], max_tokens=200)
        self.assertTrue(final.choices[0].message.content)
        chunks = self.stream(tools=[TOOL], tool_choice="any", max_tokens=200)
        streamed = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or []]
        self.assertEqual([call.function.name for call in streamed], ["get_weather"])

    def test_structured_output(self):
        answer = self.client.chat.parse(response_format=Weather, model=MODEL, messages=QUESTION, max_tokens=400)
        self.assertIsInstance(answer.choices[0].message.parsed, Weather)
        pieces = [event.data.choices[0].delta.content or "" for event in self.client.chat.parse_stream(response_format=Weather, model=MODEL, messages=QUESTION, max_tokens=400)]
        Weather.model_validate_json("".join(pieces))

    def test_everything_else_that_can_be_set(self):
        parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": "data:image/png;base64,iVBORw0KGgo="}]
        messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": parts}]
        answer = self.ask(
            messages=messages, temperature=0.2, top_p=0.9, random_seed=7, safe_prompt=True, stop=["zzz"], presence_penalty=0.1, frequency_penalty=0.1,
            prediction={"type": "content", "content": "It is a dot."}, prompt_mode=None,
        )
        self.assertTrue(answer.choices[0].message.content)

    def test_code_is_filled_in(self):
        answer = self.client.fim.complete(model="codestral-2508", prompt="def odd(n):", suffix="return n", max_tokens=20)
        self.assertTrue(answer.choices[0].message.content)
        chunks = [event.data for event in self.client.fim.stream(model="codestral-2508", prompt="def odd(n):", suffix="return n", max_tokens=20)]
        self.assertEqual("".join(chunk.choices[0].delta.content or "" for chunk in chunks), answer.choices[0].message.content)

    def test_embeddings(self):
        answer = self.client.embeddings.create(model="mistral-embed", inputs=["one", "two"])
        self.assertEqual((len(answer.data), len(answer.data[0].embedding), answer.model), (2, 1024, "mistral-embed"))
        self.assertGreater(answer.usage.prompt_tokens, 0)

    def test_ocr(self):
        document = {"type": "document_url", "document_url": "https://example.com/a.pdf"}
        answer = self.client.ocr.process(model="mistral-ocr-2512", document=document, pages=[0, 2])
        self.assertEqual(([page.index for page in answer.pages], answer.usage_info.pages_processed), ([0, 2], 2))
        self.assertTrue(answer.pages[0].markdown)

    def test_models(self):
        self.assertIn(MODEL, [model.id for model in self.client.models.list().data])
        self.assertEqual(self.client.models.retrieve(model_id=MODEL).id, MODEL)

    def test_the_async_client(self):
        async def ask():
            async with Mistral(api_key=self.secret, server_url=gateway.url + "/mistral", timeout_ms=harness.PATIENCE * 1000) as mine:
                answers = await asyncio.gather(*(mine.chat.complete_async(model=MODEL, messages=QUESTION, max_tokens=20) for _ in range(6)))
                stream = await mine.chat.stream_async(model=MODEL, messages=QUESTION, max_tokens=20)
                pieces = [event.data.choices[0].delta.content or "" async for event in stream]
                return {answer.choices[0].message.content for answer in answers}, "".join(pieces)

        texts, streamed = asyncio.run(ask())
        self.assertEqual(texts, {streamed})

    def test_bad_limits_are_told(self):
        with self.assertRaises(SDKError) as raised:
            self.ask(max_tokens=-5)
        self.assertEqual((raised.exception.status_code, body(raised.exception)["error"]["code"]), (400, "invalid_request"))
        self.assertIn("max_tokens", str(raised.exception))

    def test_what_is_not_there(self):
        with self.assertRaises(SDKError) as raised:
            self.client.agents.complete(agent_id="mine", messages=QUESTION)
        self.assertEqual(raised.exception.status_code, 404)
        self.assertIn("agents", body(raised.exception)["message"])


class Sandbox(Answers, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.secret = gateway.token("sdk-sandbox", token_type="sandbox_api_token")
        cls.client = client(cls.secret)

    def test_faults_raise_what_the_provider_would(self):
        for status, kind in ((400, SDKError), (401, SDKError), (422, HTTPValidationError), (429, SDKError), (500, SDKError)):
            with self.assertRaises(kind) as raised:
                self.ask(http_headers={"spendgate-simulate": f"status={status}"})
            self.assertEqual(raised.exception.status_code, status)

    def test_nothing_is_spent(self):
        self.ask()
        self.assertEqual(decimal.Decimal(gateway.me(self.secret)["spent"]), 0)


class Live(Answers, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.secret = gateway.token("sdk-live", balance="50.00", active_balance=True)
        cls.client = client(cls.secret)

    def test_a_model_without_a_price(self):
        with self.assertRaises(SDKError) as raised:
            self.ask(model="nobody-knows-this")
        self.assertEqual((raised.exception.status_code, body(raised.exception)["error"]["code"]), (403, "model_not_priced"))
        self.assertIn("nobody-knows-this", str(raised.exception))

    def test_the_charge_is_the_usage(self):
        secret = gateway.token("sdk-exact", balance="1.00", active_balance=True)
        mine = client(secret)
        nanos = 0
        for limit in (7, 30, 120):
            usage = mine.chat.complete(model=MODEL, messages=QUESTION, max_tokens=limit).usage
            end = [event.data for event in mine.chat.stream(model=MODEL, messages=QUESTION, max_tokens=limit)][-1]
            for told in (usage, end.usage):
                nanos += told.prompt_tokens * 150 + told.completion_tokens * 600
        nanos += mine.embeddings.create(model="mistral-embed", inputs=["hello there"]).usage.prompt_tokens * 100
        document = {"type": "document_url", "document_url": "https://example.com/a.pdf"}
        nanos += mine.ocr.process(model="mistral-ocr-2512", document=document, pages=[0, 1, 2]).usage_info.pages_processed * 2_000_000
        self.assertEqual(decimal.Decimal(gateway.me(secret)["spent"]) * 10**9, nanos)


class Refusals(unittest.TestCase):
    """Our own errors, as the SDK's exception with our message."""

    def ask(self, secret, **more):
        return client(secret).chat.complete(model=MODEL, messages=QUESTION, **more)

    def refused(self, secret, status, code, **more):
        with self.assertRaises(SDKError) as raised:
            self.ask(secret, **more)
        self.assertEqual((raised.exception.status_code, body(raised.exception)["error"]["code"]), (status, code))
        return raised.exception

    def test_an_unknown_key(self):
        for secret in ("not-one-of-ours", "sg_live_00000000000000000000000000000000000000000000000000"):
            self.assertNotIn(secret, str(self.refused(secret, 401, "invalid_token", max_tokens=9)))

    def test_a_spent_budget(self):
        secret = gateway.token("sdk-poor", balance="0.000001", active_balance=True)
        refusal = self.refused(secret, 402, "budget_exhausted", max_tokens=9)
        self.assertIn("sdk-poor", str(refusal))
        self.assertEqual(body(refusal)["error"]["budget"]["balance"], "0.000001000")
        with self.assertRaises(SDKError) as raised:
            list(client(secret).chat.stream(model=MODEL, messages=QUESTION, max_tokens=9))
        self.assertEqual(raised.exception.status_code, 402)

    def test_a_budget_that_others_hold(self):
        secret = gateway.token("sdk-held", balance="1.00", active_balance=True)
        slow = threading.Thread(target=lambda: gateway.api("POST", "/silent", {}, key=secret))
        slow.start()
        try:
            self.assertTrue(gateway.silence.arrived.acquire(timeout=harness.PATIENCE))
            self.refused(secret, 429, "budget_held", max_tokens=20)
        finally:
            gateway.silence.release.set()
            slow.join(harness.PATIENCE)

    def test_a_budget_near_its_end_is_clamped(self):
        secret = gateway.token("sdk-clamped", balance="0.0005", active_balance=True)
        answer = self.ask(secret, max_tokens=5000)
        self.assertLess(answer.usage.completion_tokens, 800)
        self.assertGreaterEqual(decimal.Decimal(gateway.me(secret)["balance"]), 0)


if __name__ == "__main__":
    unittest.main()
