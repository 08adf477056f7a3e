"""LangChain's packages for the providers against the gateway: only the base URL and the key differ from talking to the providers.

What answers runs twice for each: on a sandbox token, which no provider sees, and on an `api_token` with a budget.
"""

import asyncio
import decimal
import unittest
from collections.abc import Callable
from dataclasses import dataclass, field

import anthropic
import openai
import pydantic
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_google_genai import ChatGoogleGenerativeAI, GoogleGenerativeAIEmbeddings
from langchain_google_genai.chat_models import ChatGoogleGenerativeAIError
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

import harness

QUESTION = "What is the weather in Paris?"
STRANGER = "sg_live_00000000000000000000000000000000000000000000000000"


class Weather(pydantic.BaseModel):
    """The weather of a city."""

    city: str
    degrees: int
    sunny: bool
    hours: list[int]


@tool
def get_weather(city: str, days: int) -> str:
    """Tells the weather of a city."""
    return f"sunny in {city} for {days} days"


@dataclass
class Provider:
    """One of LangChain's packages: what it makes of a key, and what its model costs."""

    chat: Callable
    price: tuple[int, int]
    unauthorized: type[Exception]
    refused: type[Exception]
    limited: type[Exception]
    # How often it asks in all where it is told to come back; and what it takes for that.
    tries: int = 3
    patience: dict = field(default_factory=dict)


def chat_openai(secret, **settings):
    return ChatOpenAI(**{"model": "gpt-4o-mini", "base_url": f"{gateway.url}/v1", "api_key": secret, "max_tokens": 200, **settings})


def chat_anthropic(secret, **settings):
    return ChatAnthropic(**{"model": "claude-haiku-4-5", "base_url": gateway.url, "api_key": secret, "max_tokens": 200, **settings})


def responses_openai(secret, **settings):
    return chat_openai(secret, use_responses_api=True, **settings)


def chat_google(secret, **settings):
    return ChatGoogleGenerativeAI(**{"model": "gemini-2.5-flash", "base_url": gateway.url, "google_api_key": secret, "max_tokens": 200, **settings})


PROVIDERS = {
    "openai": Provider(chat_openai, (150, 600), openai.AuthenticationError, openai.APIStatusError, openai.RateLimitError),
    "responses": Provider(responses_openai, (150, 600), openai.AuthenticationError, openai.APIStatusError, openai.RateLimitError),
    "anthropic": Provider(chat_anthropic, (1000, 5000), anthropic.AuthenticationError, anthropic.APIStatusError, anthropic.RateLimitError),
    "google": Provider(chat_google, (300, 2500), ChatGoogleGenerativeAIError, ChatGoogleGenerativeAIError, ChatGoogleGenerativeAIError, 2, {"max_retries": 2}),
}


def setUpModule():
    global gateway, secrets, held
    gateway = harness.Gateway()
    secrets = {
        "sandbox": gateway.token("langchain-sandbox", token_type="sandbox_api_token"),
        "live": gateway.token("langchain-live", balance="50.00", active_balance=True),
    }
    held = gateway.hold_all("langchain-held")


def tearDownModule():
    gateway.stop()


class Answers:
    """What works the same on both kinds of token, with every package."""

    def chat(self, **settings):
        return PROVIDERS[self.provider].chat(secrets[self.kind], **settings)

    def test_chat(self):
        answer = self.chat().invoke(QUESTION)
        self.assertTrue(answer.text)
        self.assertGreater(answer.usage_metadata["output_tokens"], 0)

    def test_the_stream_is_the_text(self):
        self.assertEqual("".join(chunk.text for chunk in self.chat().stream(QUESTION)), self.chat().invoke(QUESTION).text)

    def test_a_loop_of_tools_ends(self):
        chat = self.chat().bind_tools([get_weather])
        messages, calls = [HumanMessage(QUESTION)], 0
        while (answer := chat.invoke(messages)).tool_calls:
            self.assertLess(calls, 3, "it does not end")
            messages.append(answer)
            for call in answer.tool_calls:
                calls += 1
                result = get_weather.invoke(call)
                self.assertIsInstance(result, ToolMessage)
                messages.append(result)
        self.assertEqual(calls, 1)
        self.assertTrue(answer.text)

    def test_streamed_tools(self):
        whole = None
        for chunk in self.chat().bind_tools([get_weather]).stream(QUESTION):
            whole = chunk if whole is None else whole + chunk
        self.assertEqual([call["name"] for call in whole.tool_calls], ["get_weather"])
        self.assertEqual(set(whole.tool_calls[0]["args"]), {"city", "days"})

    def test_structured_output(self):
        for method in ("json_schema", "function_calling"):
            self.assertIsInstance(self.chat().with_structured_output(Weather, method=method).invoke(QUESTION), Weather)

    def test_the_limit_that_the_package_sets_by_itself_passes(self):
        self.assertTrue(self.chat(max_tokens=None).invoke(QUESTION).text)


class OpenAISandbox(Answers, unittest.TestCase):
    provider, kind = "openai", "sandbox"


class OpenAILive(Answers, unittest.TestCase):
    provider, kind = "openai", "live"


class ResponsesSandbox(Answers, unittest.TestCase):
    provider, kind = "responses", "sandbox"


class ResponsesLive(Answers, unittest.TestCase):
    provider, kind = "responses", "live"


class GoogleSandbox(Answers, unittest.TestCase):
    provider, kind = "google", "sandbox"


class GoogleLive(Answers, unittest.TestCase):
    provider, kind = "google", "live"


class AnthropicSandbox(Answers, unittest.TestCase):
    provider, kind = "anthropic", "sandbox"


class AnthropicLive(Answers, unittest.TestCase):
    provider, kind = "anthropic", "live"


class More(unittest.TestCase):
    """What is not the same with every package."""

    def test_asynchronously(self):
        async def ask(chat):
            answers = await asyncio.gather(*(chat.ainvoke(QUESTION) for _ in range(4)))
            return {answer.text for answer in answers}, "".join([chunk.text async for chunk in chat.astream(QUESTION)])

        async def ask_all():
            # In one loop: the packages keep their connections for all of their clients.
            for provider in PROVIDERS.values():
                for secret in secrets.values():
                    texts, streamed = await ask(provider.chat(secret))
                    self.assertEqual(texts, {streamed})

        asyncio.run(ask_all())

    def test_embeddings(self):
        for kind, secret in secrets.items():
            with self.subTest(kind):
                # Its own counting of tokens would load a vocabulary from elsewhere.
                embeddings = OpenAIEmbeddings(model="text-embedding-3-small", base_url=f"{gateway.url}/v1", api_key=secret, dimensions=64, check_embedding_ctx_length=False)
                self.assertEqual([len(vector) for vector in embeddings.embed_documents(["one", "two"])], [64, 64])
                self.assertEqual(len(embeddings.embed_query("one")), 64)
                embeddings = GoogleGenerativeAIEmbeddings(model="gemini-embedding-001", base_url=gateway.url, google_api_key=secret, output_dimensionality=64)
                self.assertEqual([len(vector) for vector in embeddings.embed_documents(["one", "two"])], [64, 64])


class Money(unittest.TestCase):
    """What is charged, and what is refused."""

    def test_the_charge_is_the_usage(self):
        for name, provider in PROVIDERS.items():
            with self.subTest(name):
                secret = gateway.token(f"langchain-exact-{name}", balance="1.00", active_balance=True)
                chat = provider.chat(secret)
                usages = [chat.invoke(QUESTION).usage_metadata]
                # Streamed: the same, though this package asks for no usage behind a base URL of one's own.
                list(chat.stream(QUESTION))
                usages.append(usages[0])
                nanos = sum(usage["input_tokens"] * provider.price[0] + usage["output_tokens"] * provider.price[1] for usage in usages)
                token = gateway.me(secret)
                self.assertEqual(decimal.Decimal(token["spent"]) * 10**9, nanos)
                self.assertEqual((1 - decimal.Decimal(token["balance"])) * 10**9, nanos)

    def test_nothing_is_spent_in_the_sandbox(self):
        chat_openai(secrets["sandbox"]).invoke(QUESTION)
        self.assertEqual(decimal.Decimal(gateway.me(secrets["sandbox"])["spent"]), 0)

    def test_an_unknown_key(self):
        for name, provider in PROVIDERS.items():
            with self.subTest(name):
                with self.assertRaises(provider.unauthorized) as raised:
                    provider.chat(STRANGER).invoke(QUESTION)
                self.assertNotIn(STRANGER, str(raised.exception))

    def test_a_spent_budget_is_asked_for_once(self):
        for name, provider in PROVIDERS.items():
            with self.subTest(name):
                poor = f"langchain-poor-{name}"
                secret = gateway.token(poor, balance="0.000001", active_balance=True)
                with self.assertRaises(provider.refused) as raised:
                    provider.chat(secret).invoke(QUESTION)
                # The package for Google has the status in what it wraps.
                error = raised.exception
                self.assertEqual(getattr(error, "status_code", None) or error.__cause__.code, 402)
                self.assertIn(f"'{poor}' has $0.000001000 left", str(raised.exception))
                self.assertEqual(gateway.attempts(poor), 1)

    def test_a_held_budget_is_asked_for_again(self):
        for name, provider in PROVIDERS.items():
            with self.subTest(name):
                before = gateway.attempts("langchain-held")
                with self.assertRaises(provider.limited):
                    provider.chat(held, **provider.patience).invoke(QUESTION)
                self.assertEqual(gateway.attempts("langchain-held") - before, provider.tries)


if __name__ == "__main__":
    unittest.main()
