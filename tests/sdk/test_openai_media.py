"""The official `openai` package's images and audio against the gateway: only the base URL and the key differ from talking to OpenAI.

Everything that answers runs twice: on a sandbox token, which no provider sees, and on an `api_token` with a budget.
"""

import base64
import decimal
import io
import struct
import unittest
import urllib.request
import warnings
import wave

import openai

import harness

IMAGE = "gpt-image-1"
PNG = b"\x89PNG\r\n\x1a\n"


def setUpModule():
    global gateway
    gateway = harness.Gateway()


def tearDownModule():
    gateway.stop()


def client(secret, **settings):
    return openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=secret, timeout=harness.PATIENCE, **settings)


def recording(seconds):
    """A WAV of silence, as a file that has a name."""
    file = io.BytesIO()
    with wave.open(file, "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(8_000)
        audio.writeframes(bytes(int(16_000 * seconds)))
    file.seek(0)
    file.name = "speech.wav"
    return file


def picture(name="cat.png"):
    return (name, PNG + b"a picture of a cat", "image/png")


def events(body):
    """The data of server-sent events, which the SDK does not read for speech."""
    for event in body.decode().split("\n\n"):
        for line in event.splitlines():
            if line.startswith("data: "):
                yield line[6:]


class Answers:
    """What works the same on both kinds of token."""

    def png(self, data, size):
        data = base64.b64decode(data)
        self.assertTrue(data.startswith(PNG))
        self.assertEqual(struct.unpack(">II", data[16:24]), size)

    def test_images(self):
        answer = self.client.images.generate(model=IMAGE, prompt="a cat", n=2, size="1024x1536", quality="low")
        self.assertEqual(len(answer.data), 2)
        self.png(answer.data[0].b64_json, (1024, 1536))
        self.assertEqual((answer.size, answer.quality, answer.output_format), ("1024x1536", "low", "png"))
        self.assertEqual(answer.usage.total_tokens, answer.usage.input_tokens + answer.usage.output_tokens)
        self.assertEqual(answer.usage.output_tokens, 2 * 408)

    def test_images_in_other_formats(self):
        for form, start in (("jpeg", b"\xff\xd8\xff"), ("webp", b"RIFF")):
            answer = self.client.images.generate(model=IMAGE, prompt="a cat", output_format=form, quality="low")
            self.assertTrue(base64.b64decode(answer.data[0].b64_json).startswith(start))

    def test_streamed_images(self):
        whole = self.client.images.generate(model=IMAGE, prompt="a cat", quality="low")
        stream = list(self.client.images.generate(model=IMAGE, prompt="a cat", quality="low", stream=True, partial_images=2))
        kinds = [event.type for event in stream]
        self.assertEqual(kinds, ["image_generation.partial_image"] * 2 + ["image_generation.completed"])
        self.assertEqual([event.partial_image_index for event in stream[:2]], [0, 1])
        self.assertEqual(stream[2].b64_json, whole.data[0].b64_json)
        self.assertEqual(stream[2].usage.output_tokens, whole.usage.output_tokens + 200)

    def test_edits(self):
        one = self.client.images.edit(model=IMAGE, image=picture(), prompt="a hat", quality="low")
        self.png(one.data[0].b64_json, (1024, 1024))
        self.assertGreater(one.usage.input_tokens_details.image_tokens, 0)
        several = self.client.images.edit(model=IMAGE, image=[picture("a.png"), picture("b.png")], mask=picture("m.png"), prompt="a hat", quality="low")
        self.assertEqual(several.usage.input_tokens_details.image_tokens, 3 * one.usage.input_tokens_details.image_tokens)
        stream = list(self.client.images.edit(model=IMAGE, image=picture(), prompt="a hat", quality="low", stream=True, partial_images=1))
        self.assertEqual([event.type for event in stream], ["image_edit.partial_image", "image_edit.completed"])

    def test_dall_e(self):
        answer = self.client.images.generate(model="dall-e-3", prompt="a cat", quality="hd", style="vivid")
        self.assertEqual(answer.data[0].revised_prompt, "a cat")
        with urllib.request.urlopen(answer.data[0].url) as image:
            self.assertTrue(image.read().startswith(PNG))
        inside = self.client.images.generate(model="dall-e-2", prompt="a cat", size="256x256", response_format="b64_json")
        self.png(inside.data[0].b64_json, (256, 256))
        with warnings.catch_warnings():
            # Retired by OpenAI; others still have it.
            warnings.simplefilter("ignore", DeprecationWarning)
            variation = self.client.images.create_variation(image=picture(), n=2, size="512x512", response_format="b64_json")
        self.png(variation.data[1].b64_json, (512, 512))

    def azure(self):
        return openai.AzureOpenAI(azure_endpoint=gateway.url, api_key=self.secret, api_version="2025-04-01-preview", timeout=harness.PATIENCE)

    def test_azure(self):
        azure = self.azure()
        made = azure.images.generate(model=IMAGE, prompt="a cat", size="1024x1536", quality="low")
        self.png(made.data[0].b64_json, (1024, 1536))
        edited = azure.images.edit(model=IMAGE, image=picture(), prompt="a hat", quality="low")
        self.assertGreater(edited.usage.input_tokens_details.image_tokens, 0)
        self.assertTrue(azure.audio.speech.create(model="tts-1", voice="alloy", input="Hello.", response_format="wav").content.startswith(b"RIFF"))
        self.assertTrue(azure.audio.transcriptions.create(model="gpt-4o-transcribe", file=recording(1)).text)
        self.assertTrue(azure.audio.transcriptions.create(model="whisper-1", file=recording(1)).text)
        self.assertTrue(azure.audio.translations.create(model="whisper-1", file=recording(1)).text)

    def test_speech(self):
        for model in ("tts-1", "gpt-4o-mini-tts"):
            for form, start in (("mp3", b"\xff\xf3"), ("opus", b"OggS"), ("aac", b"\xff\xf1"), ("flac", b"fLaC"), ("wav", b"RIFF"), ("pcm", b"\0")):
                answer = self.client.audio.speech.create(model=model, voice="alloy", input="Hello, world.", response_format=form)
                self.assertTrue(answer.content.startswith(start), form)
        heard = self.client.audio.speech.create(model="tts-1", voice="alloy", input="Hello, world.", response_format="wav")
        with wave.open(io.BytesIO(heard.content)) as audio:
            self.assertEqual((audio.getframerate(), audio.getnchannels()), (24_000, 1))
            self.assertGreater(audio.getnframes(), 10_000)

    def test_streamed_speech(self):
        whole = self.client.audio.speech.create(model="tts-1", voice="alloy", input="Hello, world.", response_format="pcm").content
        with self.client.audio.speech.with_streaming_response.create(model="tts-1", voice="alloy", input="Hello, world.", response_format="pcm") as answer:
            self.assertEqual(b"".join(answer.iter_bytes()), whole)
        answer = self.client.audio.speech.create(model="gpt-4o-mini-tts", voice="alloy", input="Hello, world.", instructions="slowly", stream_format="sse")
        data = list(events(answer.content))
        self.assertIn('"speech.audio.delta"', data[0])
        self.assertIn('"output_tokens"', data[-1])

    def test_transcriptions(self):
        plain = self.client.audio.transcriptions.create(model="whisper-1", file=recording(2.5), language="en", temperature=0.2)
        self.assertTrue(plain.text)
        self.assertEqual((plain.usage.type, plain.usage.seconds), ("duration", 3))
        verbose = self.client.audio.transcriptions.create(
            model="whisper-1", file=recording(2.5), response_format="verbose_json", timestamp_granularities=["word", "segment"]
        )
        self.assertEqual((float(verbose.duration), verbose.text), (3.0, verbose.segments[0].text))
        self.assertEqual(verbose.words[0].start, 0)
        for form in ("text", "srt", "vtt"):
            self.assertIsInstance(self.client.audio.transcriptions.create(model="whisper-1", file=recording(2.5), response_format=form), str)
        tokens = self.client.audio.transcriptions.create(model="gpt-4o-transcribe", file=recording(2.5), prompt="names", include=["logprobs"])
        self.assertEqual((tokens.usage.type, tokens.usage.input_tokens), ("tokens", 30))

    def test_streamed_transcriptions(self):
        whole = self.client.audio.transcriptions.create(model="gpt-4o-transcribe", file=recording(2.5))
        stream = list(self.client.audio.transcriptions.create(model="gpt-4o-transcribe", file=recording(2.5), stream=True))
        self.assertEqual({event.type for event in stream[:-1]}, {"transcript.text.delta"})
        self.assertEqual("".join(event.delta for event in stream[:-1]), whole.text)
        self.assertEqual((stream[-1].type, stream[-1].text), ("transcript.text.done", whole.text))

    def test_translations(self):
        answer = self.client.audio.translations.create(model="whisper-1", file=recording(2.5))
        self.assertTrue(answer.text)
        verbose = self.client.audio.translations.create(model="whisper-1", file=recording(2.5), response_format="verbose_json")
        self.assertEqual(float(verbose.duration), 3.0)

    def test_files_that_cannot_be_measured_are_bad_requests(self):
        for file, reason in ((("speech.wav", b"not audio"), "none of"), (("speech.mp3", recording(1).getvalue()), "WAV")):
            with self.assertRaises(openai.BadRequestError) as raised:
                self.client.audio.transcriptions.create(model="whisper-1", file=file)
            self.assertEqual(raised.exception.param, "file")
            self.assertIn(reason, str(raised.exception))

    def test_what_is_not_priced_is_a_bad_request(self):
        with self.assertRaises(openai.BadRequestError) as raised:
            self.client.images.generate(model=IMAGE, prompt="a cat", extra_body={"output_format": "svg"})
        self.assertEqual((raised.exception.code, raised.exception.param), ("invalid_request", "output_format"))


class Sandbox(Answers, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.secret = gateway.token("media-sandbox", token_type="sandbox_api_token")
        cls.client = client(cls.secret)

    def test_faults_raise_what_the_provider_would(self):
        faulty = client(self.secret, max_retries=0, default_headers={"spendgate-simulate": "status=429"})
        with self.assertRaises(openai.RateLimitError):
            faulty.images.generate(model=IMAGE, prompt="a cat")
        with self.assertRaises(openai.RateLimitError):
            faulty.audio.transcriptions.create(model="whisper-1", file=recording(1))
        self.assertEqual(decimal.Decimal(gateway.me(self.secret)["spent"]), 0)


class Live(Answers, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.secret = gateway.token("media-live", balance="500.00", active_balance=True)
        cls.client = client(cls.secret)

    def test_the_charge_is_the_usage(self):
        secret = gateway.token("media-exact", balance="5.00", active_balance=True)
        mine = client(secret)
        nanos = 0
        for usage in (
            mine.images.generate(model=IMAGE, prompt="a cat", n=2, quality="low").usage,
            list(mine.images.generate(model=IMAGE, prompt="a cat", quality="low", stream=True, partial_images=1))[-1].usage,
            mine.images.edit(model=IMAGE, image=picture(), prompt="a hat", quality="low").usage,
        ):
            nanos += usage.input_tokens_details.text_tokens * 5_000 + usage.input_tokens_details.image_tokens * 10_000 + usage.output_tokens * 40_000
        mine.images.generate(model="dall-e-3", prompt="a cat", quality="hd", size="1024x1024")
        nanos += 80_000_000
        mine.audio.speech.create(model="tts-1-hd", voice="alloy", input="Grüße!")
        nanos += 6 * 30_000
        nanos += mine.audio.transcriptions.create(model="whisper-1", file=recording(61.2)).usage.seconds * 100_000
        usage = mine.audio.transcriptions.create(model="gpt-4o-transcribe", file=recording(2)).usage
        nanos += usage.input_tokens * 6_000 + usage.output_tokens * 10_000
        # No usage: the recording itself.
        mine.audio.transcriptions.create(model="whisper-1", file=recording(61.2), response_format="srt")
        nanos += 62 * 100_000
        self.assertEqual(decimal.Decimal(gateway.me(secret)["spent"]) * 10**9, nanos)

    def test_a_spent_budget(self):
        mine = client(gateway.token("media-poor", balance="0.000001", active_balance=True))
        for ask in (
            lambda: mine.images.generate(model=IMAGE, prompt="a cat"),
            lambda: mine.images.edit(model=IMAGE, image=picture(), prompt="a hat"),
            lambda: mine.audio.speech.create(model="tts-1", voice="alloy", input="Hello"),
            lambda: mine.audio.transcriptions.create(model="whisper-1", file=recording(1)),
        ):
            with self.assertRaises(openai.APIStatusError) as raised:
                ask()
            self.assertEqual((raised.exception.status_code, raised.exception.code), (402, "budget_exhausted"))


if __name__ == "__main__":
    unittest.main()
