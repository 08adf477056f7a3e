"""The official `anthropic` package against the gateway: only the base URL and the key differ from talking to Anthropic.

Everything that answers runs twice: on a sandbox token, which no provider sees, and on an `api_token` with a budget. What one generation of
the SDK has and the other has not is asked for by its name.
"""

import asyncio
import decimal
import json
import threading
import unittest

import anthropic
import pydantic

import harness

MODEL = "claude-haiku-4-5"
QUESTION = [{"role": "user", "content": "What is the weather in Paris?"}]
TOOL = {
    "name": "get_weather",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1, "maximum": 7}},
        "required": ["city", "days"],
        "additionalProperties": False,
    },
}


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
    return anthropic.Anthropic(base_url=gateway.url, api_key=secret, timeout=harness.PATIENCE, **settings)


def exception(status):
    """What this SDK raises for a status, whatever it calls it."""
    return {
        402: getattr(anthropic, "PaymentRequiredError", anthropic.APIStatusError),
        529: getattr(anthropic, "OverloadedError", anthropic.APIStatusError),
    }[status]


class Answers:
    """What works the same on both kinds of token."""

    def ask(self, **more):
        return self.client.messages.create(**{"model": MODEL, "messages": QUESTION, "max_tokens": 50, **more})

    def test_messages(self):
        answer = self.ask()
        self.assertEqual((answer.type, answer.role, answer.content[0].type), ("message", "assistant", "text"))
        self.assertTrue(answer.content[0].text)
        self.assertIn(answer.stop_reason, ("end_turn", "max_tokens"))
        self.assertTrue(0 < answer.usage.output_tokens <= 50)
        self.assertGreater(answer.usage.input_tokens, 0)

    def test_validated_strictly(self):
        strict = client(self.secret, _strict_response_validation=True)
        self.assertTrue(strict.messages.create(model=MODEL, messages=QUESTION, max_tokens=20).content)
        self.assertTrue(strict.messages.create(model=MODEL, messages=QUESTION, max_tokens=200, tools=[TOOL], tool_choice={"type": "any"}).content)
        self.assertTrue(list(strict.messages.create(model=MODEL, messages=QUESTION, max_tokens=20, stream=True)))
        self.assertTrue(list(strict.models.list(limit=5)))

    def test_raw_stream(self):
        events = list(self.ask(stream=True))
        kinds = [event.type for event in events]
        self.assertEqual(kinds[0], "message_start")
        self.assertEqual(kinds[-2:], ["message_delta", "message_stop"])
        self.assertGreater(events[-2].usage.output_tokens, 0)

    def test_streamed_text_is_the_text(self):
        whole = self.ask(max_tokens=40)
        with self.client.messages.stream(model=MODEL, messages=QUESTION, max_tokens=40) as stream:
            text = "".join(stream.text_stream)
            final = stream.get_final_message()
        self.assertEqual(text, whole.content[0].text)
        self.assertEqual(final.usage.output_tokens, whole.usage.output_tokens)
        self.assertEqual((final.id, final.stop_reason), (whole.id, whole.stop_reason))

    def test_tools(self):
        answer = self.ask(tools=[TOOL], tool_choice={"type": "any"}, max_tokens=200)
        self.assertEqual(answer.stop_reason, "tool_use")
        call = answer.content[0]
        self.assertEqual((call.type, call.name), ("tool_use", "get_weather"))
        self.assertEqual(set(call.input), {"city", "days"})
        self.assertTrue(1 <= call.input["days"] <= 7)
        # As agents do: the answer goes back as it is, with the result.
        messages = [*QUESTION, {"role": "assistant", "content": answer.content}, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}]}]
        final = self.ask(tools=[TOOL], messages=messages, max_tokens=200)
        self.assertEqual(final.content[0].type, "text")

    def test_streamed_tools(self):
        with self.client.messages.stream(model=MODEL, messages=QUESTION, max_tokens=200, tools=[TOOL], tool_choice={"type": "tool", "name": "get_weather"}) as stream:
            partial = "".join(event.partial_json for event in stream if event.type == "input_json")
            final = stream.get_final_message()
        self.assertEqual(json.loads(partial), final.content[0].input)
        self.assertEqual(set(final.content[0].input), {"city", "days"})

    def test_the_tool_runner_ends(self):
        # The newer generation asks the provider to hold the conversation, and goes on by itself when it is refused that.
        queries = []

        @anthropic.beta_tool
        def get_weather(city: str, days: int) -> str:
            """Tells the weather of a city."""
            queries.append((city, days))
            return "sunny"

        runner = self.client.beta.messages.tool_runner(model=MODEL, messages=QUESTION, max_tokens=200, tools=[get_weather])
        self.assertEqual(runner.until_done().content[0].type, "text")
        self.assertEqual(len(queries), 1)

    def test_structured_output(self):
        answer = self.client.messages.parse(model=MODEL, messages=QUESTION, max_tokens=400, output_format=Weather)
        self.assertIsInstance(answer.parsed_output, Weather)

    def test_structured_output_streamed(self):
        with self.client.messages.stream(model=MODEL, messages=QUESTION, max_tokens=400, output_format=Weather) as stream:
            stream.until_done()
            self.assertIsInstance(stream.get_final_message().parsed_output, Weather)

    def test_thinking(self):
        answer = self.ask(max_tokens=3000, thinking={"type": "enabled", "budget_tokens": 1500})
        self.assertEqual([block.type for block in answer.content], ["thinking", "text"])
        # Back again with the thinking in it.
        follow = [*QUESTION, {"role": "assistant", "content": answer.content}, {"role": "user", "content": "And tomorrow?"}]
        with self.client.messages.stream(model=MODEL, messages=follow, max_tokens=3000, thinking={"type": "enabled", "budget_tokens": 1500}) as stream:
            self.assertEqual([block.type for block in stream.get_final_message().content], ["thinking", "text"])

    def test_everything_that_is_input(self):
        picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
        document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "It rains."}, "citations": {"enabled": True}}
        messages = [{"role": "user", "content": [picture, document, {"type": "text", "text": "Why?", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]}]
        answer = self.ask(messages=messages, system=[{"type": "text", "text": "Be brief."}], extra_body={"temperature": 0.5}, stop_sequences=["zzz"], metadata={"user_id": "u"})
        self.assertTrue(answer.content)

    def test_the_beta_namespace(self):
        answer = self.client.beta.messages.create(
            model=MODEL, messages=QUESTION, max_tokens=30, betas=["context-management-2025-06-27"],
            context_management={"edits": [{"type": "clear_tool_uses_20250919"}]},
        )
        self.assertTrue(answer.content[0].text)

    def test_counting_tokens(self):
        counted = self.client.messages.count_tokens(model=MODEL, messages=QUESTION)
        self.assertEqual(counted.input_tokens, self.ask().usage.input_tokens)

    def test_models(self):
        models = [model.id for model in self.client.models.list()]
        self.assertIn(MODEL, models)
        self.assertEqual(self.client.models.retrieve(MODEL).id, MODEL)

    def test_the_async_client(self):
        async def ask():
            async with anthropic.AsyncAnthropic(base_url=gateway.url, api_key=self.secret, timeout=harness.PATIENCE) as client:
                answers = await asyncio.gather(*(client.messages.create(model=MODEL, messages=QUESTION, max_tokens=20) for _ in range(8)))
                async with client.messages.stream(model=MODEL, messages=QUESTION, max_tokens=20) as stream:
                    return [answer.content[0].text for answer in answers], await stream.get_final_text()

        text, streamed = asyncio.run(ask())
        self.assertEqual(set(text), {streamed})

    def test_either_place_of_the_key(self):
        for settings in ({"api_key": self.secret}, {"api_key": None, "auth_token": self.secret}):
            mine = anthropic.Anthropic(base_url=gateway.url, timeout=harness.PATIENCE, **settings)
            self.assertTrue(mine.messages.create(model=MODEL, messages=QUESTION, max_tokens=5).content)

    def test_the_request_id_is_shown(self):
        raw = self.client.messages.with_raw_response.create(model=MODEL, messages=QUESTION, max_tokens=5)
        self.assertTrue(raw.headers["spendgate-request-id"])
        self.assertTrue(raw.parse()._request_id)
        self.assertEqual(raw.headers.get("spendgate-sandbox"), self.sandbox)

    def test_bad_limits_are_bad_requests(self):
        with self.assertRaises(anthropic.BadRequestError) as raised:
            self.ask(max_tokens=-5)
        self.assertEqual(raised.exception.body["error"]["code"], "invalid_request")
        self.assertIn("max_tokens", str(raised.exception))

    def test_batches_are_not_there(self):
        with self.assertRaises(anthropic.NotFoundError) as raised:
            self.client.messages.batches.list()
        self.assertIn("batches", raised.exception.body["error"]["message"])


class Sandbox(Answers, unittest.TestCase):
    sandbox = "true"

    @classmethod
    def setUpClass(cls):
        cls.secret = gateway.token("sdk-sandbox", token_type="sandbox_api_token")
        cls.client = client(cls.secret)

    def fault(self, fault):
        return client(self.secret, max_retries=0, default_headers={"spendgate-simulate": fault})

    def test_faults_raise_what_the_provider_would(self):
        kinds = ((400, anthropic.BadRequestError), (401, anthropic.AuthenticationError), (429, anthropic.RateLimitError), (500, anthropic.InternalServerError), (529, exception(529)))
        for status, kind in kinds:
            with self.assertRaises(kind) as raised:
                self.fault(f"status={status}").messages.create(model=MODEL, messages=QUESTION, max_tokens=9)
            self.assertEqual(raised.exception.status_code, status)
            self.assertTrue(raised.exception.body["error"]["message"])

    def test_a_cut_stream(self):
        seen = []
        with self.assertRaises(Exception):
            for event in self.fault("cut=5").messages.create(model=MODEL, messages=QUESTION, max_tokens=50, stream=True):
                seen.append(event)
        # The fourth and the fifth are text; the third is a ping, which one generation hands on and the other does not.
        self.assertIn(len(seen), (4, 5))

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
        with self.assertRaises(anthropic.PermissionDeniedError) as raised:
            self.ask(model="nobody-knows-this")
        self.assertEqual(raised.exception.body["error"]["code"], "model_not_priced")
        self.assertIn("nobody-knows-this", str(raised.exception))

    def test_the_charge_is_the_usage(self):
        secret = gateway.token("sdk-exact", balance="1.00", active_balance=True)
        mine = client(secret)
        usages = []
        for limit in (7, 30, 120):
            usages.append(mine.messages.create(model=MODEL, messages=QUESTION, max_tokens=limit).usage)
            with mine.messages.stream(model=MODEL, messages=QUESTION, max_tokens=limit) as stream:
                usages.append(stream.get_final_message().usage)
        nanos = sum(usage.input_tokens * 1000 + usage.output_tokens * 5000 for usage in usages)
        token = gateway.me(secret)
        self.assertEqual(decimal.Decimal(token["spent"]) * 10**9, nanos)
        self.assertEqual((1 - decimal.Decimal(token["balance"])) * 10**9, nanos)


class Refusals(unittest.TestCase):
    """Our own errors, as the SDK's typed exceptions with our message."""

    def test_an_unknown_key(self):
        for secret in ("sk-not-one-of-ours", "sg_live_00000000000000000000000000000000000000000000000000"):
            with self.assertRaises(anthropic.AuthenticationError) as raised:
                client(secret).messages.create(model=MODEL, messages=QUESTION, max_tokens=9)
            self.assertEqual(raised.exception.body["error"]["type"], "authentication_error")
            self.assertNotIn(secret, str(raised.exception))

    def test_a_spent_budget(self):
        secret = gateway.token("sdk-poor", balance="0.000001", active_balance=True)
        with self.assertRaises(exception(402)) as raised:
            client(secret).messages.create(model=MODEL, messages=QUESTION, max_tokens=9)
        refusal = raised.exception
        self.assertEqual((refusal.status_code, refusal.body["error"]["type"], refusal.body["error"]["code"]), (402, "billing_error", "budget_exhausted"))
        self.assertIn("sdk-poor", refusal.body["error"]["message"])
        self.assertEqual(refusal.body["error"]["budget"]["balance"], "0.000001000")
        self.assertTrue(refusal.request_id)

    def test_a_budget_that_others_hold(self):
        secret = gateway.token("sdk-held", balance="1.00", active_balance=True)
        slow = threading.Thread(target=lambda: gateway.api("POST", "/silent", {}, key=secret))
        slow.start()
        try:
            self.assertTrue(gateway.silence.arrived.acquire(timeout=harness.PATIENCE))
            with self.assertRaises(anthropic.RateLimitError) as raised:
                client(secret, max_retries=0).messages.create(model=MODEL, messages=QUESTION, max_tokens=20)
            self.assertEqual(raised.exception.body["error"]["code"], "budget_held")
        finally:
            gateway.silence.release.set()
            slow.join(harness.PATIENCE)

    def test_a_budget_near_its_end_is_clamped(self):
        secret = gateway.token("sdk-clamped", balance="0.002", active_balance=True)
        raw = client(secret).messages.with_raw_response.create(model=MODEL, messages=QUESTION, max_tokens=5000)
        limit = int(raw.headers["spendgate-clamped"])
        self.assertLessEqual(raw.parse().usage.output_tokens, limit)
        self.assertGreaterEqual(decimal.Decimal(gateway.me(secret)["balance"]), 0)


if __name__ == "__main__":
    unittest.main()
