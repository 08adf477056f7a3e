"""Eden AI through the gateway, with whichever of the official SDKs is installed that its users call it with: `openai`, `anthropic`. Only the base URL and the key
differ from talking to Eden AI.

Everything that answers runs twice: on a sandbox token, which no provider sees, and on an `api_token`, whose charge is the cost that the answer tells.
"""

import decimal
import json
import unittest
import urllib.request

import harness

try:
    import openai
except ImportError:
    openai = None
try:
    import anthropic
except ImportError:
    anthropic = None

QUESTION = [{"role": "user", "content": "What is the weather in Paris?"}]


def setUpModule():
    global gateway
    gateway = harness.Gateway()


def tearDownModule():
    gateway.stop()


def chat_client(secret, mount="/v3"):
    return openai.OpenAI(base_url=gateway.url + mount, api_key=secret, timeout=harness.PATIENCE)


def message_client(secret, mount="/v3"):
    return anthropic.Anthropic(base_url=gateway.url + mount, auth_token=secret, timeout=harness.PATIENCE)


def told(answer):
    """The cost beside what the SDK knows of an answer."""
    return decimal.Decimal(str(answer.model_extra["cost"]))


class Answers:
    """What works the same on both kinds of token. Each returns what was told to be the cost."""

    def spends(self, cost):
        spent = decimal.Decimal(gateway.me(self.secret)["spent"])
        self.assertEqual(spent - self.spent, cost if self.paid else 0)
        type(self).spent = spent

    @unittest.skipUnless(openai, "not with this SDK")
    def test_chat(self):
        for mount in ("/v3", "/v3/llm"):
            answer = chat_client(self.secret, mount).chat.completions.create(model="anthropic/claude-haiku-4-5", messages=QUESTION, max_tokens=50)
            self.assertTrue(answer.choices[0].message.content)
            self.spends(told(answer))

    @unittest.skipUnless(openai, "not with this SDK")
    def test_streamed_chat(self):
        asked = {"model": "openai/gpt-4o-mini", "messages": QUESTION, "max_tokens": 40}
        whole = chat_client(self.secret).chat.completions.create(**asked)
        self.spends(told(whole))
        for options in ({}, {"stream_options": {"include_usage": True}}):
            chunks = list(chat_client(self.secret).chat.completions.create(**asked, stream=True, **options))
            self.assertEqual("".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices), whole.choices[0].message.content)
            self.assertEqual(any(chunk.usage for chunk in chunks), bool(options))
            self.spends(told(whole))

    @unittest.skipUnless(openai, "not with this SDK")
    def test_embeddings_and_models(self):
        answer = chat_client(self.secret).embeddings.create(model="openai/text-embedding-3-small", input=["one", "two"], dimensions=64)
        self.assertEqual([len(item.embedding) for item in answer.data], [64, 64])
        self.spends(told(answer))
        self.assertIn("openai/gpt-4o-mini", [model.id for model in chat_client(self.secret).models.list()])

    @unittest.skipUnless(openai, "not with this SDK")
    def test_responses(self):
        asked = {"model": "openai/gpt-4o-mini", "input": "What is the weather in Paris?", "max_output_tokens": 40}
        for mount in ("/v3", "/v3/llm"):
            client = chat_client(self.secret, mount)
            whole = client.responses.create(**asked)
            self.assertTrue(whole.output_text)
            self.spends(told(whole))
            self.assertEqual(client.responses.retrieve(whole.id).id, whole.id)
            events = list(client.responses.create(**asked, stream=True))
            self.assertEqual("".join(event.delta for event in events if event.type == "response.output_text.delta"), whole.output_text)
            self.spends(told(events[-1].response.usage))
            more = client.responses.create(**{**asked, "input": "And tomorrow?"}, previous_response_id=whole.id)
            self.spends(told(more))
            client.responses.delete(whole.id)

    @unittest.skipUnless(openai, "not with this SDK")
    def test_images_and_sound(self):
        client = chat_client(self.secret)
        self.spends(told(client.images.generate(model="openai/gpt-image-1", prompt="a cat", size="1024x1024", quality="low")))
        speech = client.audio.speech.with_raw_response.create(model="openai/tts-1", input="hello", voice="alloy", response_format="wav")
        self.assertTrue(speech.content.startswith(b"RIFF"))
        self.spends(decimal.Decimal(speech.headers["x-edenai-cost"]))
        written = client.audio.transcriptions.create(model="openai/whisper-1", file=("speech.wav", speech.content))
        self.assertTrue(written.text)
        self.spends(told(written))
        self.spends(told(client.moderations.create(model="openai/omni-moderation-latest", input="hello")))

    @unittest.skipUnless(openai, "not with this SDK")
    def test_refusals_of_chat(self):
        with self.assertRaises(openai.BadRequestError) as raised:
            chat_client(self.secret).chat.completions.create(model="openai/gpt-4o-mini", messages=QUESTION, extra_body={"n": -1})
        self.assertTrue(raised.exception.message)

    @unittest.skipUnless(anthropic, "not with this SDK")
    def test_messages(self):
        for model in ("anthropic/claude-haiku-4-5", "openai/gpt-4o-mini"):
            answer = message_client(self.secret).messages.create(model=model, messages=QUESTION, max_tokens=50)
            self.assertEqual(answer.content[0].type, "text")
            self.spends(told(answer))
            self.assertGreater(message_client(self.secret).messages.count_tokens(model=model, messages=QUESTION).input_tokens, 0)

    @unittest.skipUnless(anthropic, "not with this SDK")
    def test_streamed_messages(self):
        with message_client(self.secret).messages.stream(model="anthropic/claude-haiku-4-5", messages=QUESTION, max_tokens=50) as stream:
            text = "".join(stream.text_stream)
            usage = stream.get_final_message().usage
        self.assertTrue(text)
        # A stream of messages tells no cost: its usage at the price book's price.
        self.spends(decimal.Decimal(usage.input_tokens) / 1_000_000 + decimal.Decimal(usage.output_tokens) * 5 / 1_000_000)

    @unittest.skipUnless(anthropic, "not with this SDK")
    def test_refusals_of_messages(self):
        with self.assertRaises(anthropic.BadRequestError) as raised:
            message_client(self.secret).messages.create(model="anthropic/claude-haiku-4-5", messages=QUESTION, max_tokens=-1)
        self.assertIn("max_tokens", str(raised.exception))

    def test_universal_ai_and_a_job(self):
        def ask(path, body=None):
            request = urllib.request.Request(f"{gateway.url}/v3/{path}", data=None if body is None else json.dumps(body).encode())
            request.add_header("Authorization", f"Bearer {self.secret}")
            request.add_header("Content-Type", "application/json")
            with urllib.request.urlopen(request, timeout=harness.PATIENCE) as answer:
                return json.load(answer)

        body = {"model": "ocr/ocr/google", "input": {"file": "https://example.com/a.pdf"}}
        self.spends(decimal.Decimal(ask("universal-ai", body)["cost"]))
        job = ask("universal-ai/async", {**body, "model": "ocr/ocr_async/google"})
        self.assertEqual(job["status"], "processing")
        polls = [ask(f"universal-ai/async/{job['public_id']}") for _ in range(3)]
        self.assertEqual({poll["status"] for poll in polls}, {"success"})
        self.spends(decimal.Decimal(polls[0]["cost"]))


class Sandbox(Answers, unittest.TestCase):
    paid = False

    @classmethod
    def setUpClass(cls):
        cls.secret, cls.spent = gateway.token("eden-sandbox", token_type="sandbox_api_token"), 0


class Paid(Answers, unittest.TestCase):
    paid = True

    @classmethod
    def setUpClass(cls):
        cls.secret, cls.spent = gateway.token("eden-paid", balance=5, active_balance=True), 0

    @unittest.skipUnless(openai, "not with this SDK")
    def test_what_is_said_to_a_silent_chat_is_not_shown(self):
        secret = gateway.token("eden-slow-chat", balance=1, active_balance=True)
        stream = chat_client(secret, "/slow/v3").chat.completions.create(model="any/model", messages=QUESTION, max_tokens=9, stream=True)
        self.assertEqual("".join(chunk.choices[0].delta.content or "" for chunk in stream), "slow")
        self.assertEqual(decimal.Decimal(gateway.me(secret)["spent"]), decimal.Decimal("0.001"))

    @unittest.skipUnless(anthropic, "not with this SDK")
    def test_what_is_said_to_a_silent_message_is_not_shown(self):
        secret = gateway.token("eden-slow-message", balance=1, active_balance=True)
        asked = {"model": "any/model", "messages": QUESTION, "max_tokens": 9}
        with message_client(secret, "/slow/v3").messages.stream(**asked) as stream:
            self.assertEqual("".join(stream.text_stream), "slow")
        events = [event.type for event in message_client(secret, "/slow/v3").messages.create(**asked, stream=True)]
        self.assertEqual((events[0], events[-1]), ("message_start", "message_stop"))
