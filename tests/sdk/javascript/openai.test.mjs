// The official `openai` package against the gateway: only the base URL and the key differ from talking to OpenAI.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import OpenAI, { toFile } from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";

import * as gateway from "./gateway.mjs";

const MODEL = "gpt-4o-mini";
const EMBEDDER = "text-embedding-3-small";
const messages = [{ role: "user", content: gateway.QUESTION }];
const client = (secret) => new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: secret });
const ask = (secret, more = {}) => client(secret).chat.completions.create({ model: MODEL, messages, max_tokens: 50, ...more });

const respond = (secret, more = {}) => client(secret).responses.create({ model: MODEL, input: gateway.QUESTION, max_output_tokens: 200, ...more });

const kinds = await gateway.bothKinds();
for (const [kind, { secret }] of Object.entries(kinds)) {
  describe(`openai, ${kind} token`, () => {
    test("a chat", async () => {
      const answer = await ask(secret);
      assert.ok(answer.choices[0].message.content);
      assert.ok(["stop", "length"].includes(answer.choices[0].finish_reason));
      assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
      assert.ok(answer._request_id);
    });

    test("a stream says the same, and usage only where it is asked for", async () => {
      const whole = await ask(secret);
      for (const stream_options of [undefined, { include_usage: true }]) {
        let text = "";
        let usage = null;
        for await (const chunk of await ask(secret, { stream: true, stream_options })) {
          assert.ok(chunk.choices.length > 0 || stream_options, "a chunk without a choice, unasked");
          text += chunk.choices[0]?.delta.content ?? "";
          usage = chunk.usage ?? usage;
        }
        assert.equal(text, whole.choices[0].message.content);
        assert.deepEqual(usage?.completion_tokens, stream_options && whole.usage.completion_tokens);
      }
    });

    for (const stream of [false, true]) {
      test(`a loop of tools ends, ${stream ? "streamed" : "whole"}`, async () => {
        const queries = [];
        const look = { name: "get_weather", description: "Tells the weather.", parameters: gateway.QUERY_SCHEMA, parse: JSON.parse };
        look.function = (query) => (queries.push(query), "sunny");
        const runner = client(secret).chat.completions.runTools({ model: MODEL, messages, max_tokens: 200, stream, tools: [{ type: "function", function: look }] });
        assert.ok(await runner.finalContent());
        assert.equal(queries.length, 1);
        gateway.checkQuery(queries[0]);
        assert.deepEqual(runner.messages.map((message) => message.role), ["user", "assistant", "tool", "assistant"]);
      });
    }

    test("structured output, whole and streamed", async () => {
      const body = { model: MODEL, messages, max_tokens: 400, response_format: zodResponseFormat(gateway.Weather, "weather") };
      const whole = await client(secret).chat.completions.parse(body);
      const streamed = await client(secret).chat.completions.stream(body).finalChatCompletion();
      assert.deepEqual(gateway.Weather.parse(whole.choices[0].message.parsed), streamed.choices[0].message.parsed);
    });

    test("a response, whole and streamed", async () => {
      const whole = await respond(secret);
      assert.ok(whole.output_text);
      const final = await client(secret).responses.stream({ model: MODEL, input: gateway.QUESTION, max_output_tokens: 200 }).finalResponse();
      assert.equal(final.output_text, whole.output_text);
      assert.equal(final.usage.output_tokens, whole.usage.output_tokens);
      let text = "";
      for await (const event of await respond(secret, { stream: true })) if (event.type === "response.output_text.delta") text += event.delta;
      assert.equal(text, whole.output_text);
    });

    test("a loop of tools of responses ends", async () => {
      const tools = [{ type: "function", name: "get_weather", description: "Tells the weather.", parameters: gateway.QUERY_SCHEMA, strict: true }];
      const input = [{ role: "user", content: gateway.QUESTION }];
      const queries = [];
      let answer;
      for (let turn = 0; turn < 4; turn += 1) {
        answer = await respond(secret, { input, tools, store: false });
        input.push(...answer.output);
        const calls = answer.output.filter((item) => item.type === "function_call");
        if (!calls.length) break;
        queries.push(...calls.map((call) => JSON.parse(call.arguments)));
        input.push(...calls.map((call) => ({ type: "function_call_output", call_id: call.call_id, output: "sunny" })));
      }
      assert.ok(answer.output_text);
      assert.equal(queries.length, 1);
      gateway.checkQuery(queries[0]);
    });

    test("a response goes on from another", async () => {
      const first = await respond(secret);
      const second = await respond(secret, { input: "And tomorrow?", previous_response_id: first.id });
      assert.equal(second.previous_response_id, first.id);
      assert.ok(second.output_text);
    });

    test("structured output of a response", async () => {
      const body = { model: MODEL, input: gateway.QUESTION, max_output_tokens: 400, text: { format: zodTextFormat(gateway.Weather, "weather") } };
      const answer = await client(secret).responses.parse(body);
      assert.deepEqual(gateway.Weather.parse(answer.output_parsed), answer.output_parsed);
    });

    test("embeddings", async () => {
      // The SDK asks for base64 and decodes it by itself.
      const answer = await client(secret).embeddings.create({ model: EMBEDDER, input: ["one", "two"], dimensions: 64 });
      assert.deepEqual(answer.data.map((item) => item.embedding.length), [64, 64]);
      const floats = await client(secret).embeddings.create({ model: EMBEDDER, input: "one", dimensions: 64, encoding_format: "float" });
      answer.data[0].embedding.forEach((value, at) => assert.ok(Math.abs(value - floats.data[0].embedding[at]) < 1e-5));
    });

    test("images, speech and transcripts", async () => {
      const images = await client(secret).images.generate({ model: "gpt-image-1", prompt: "a cat", quality: "low", size: "1024x1024" });
      assert.ok(Buffer.from(images.data[0].b64_json, "base64").length > 0 && images.usage.output_tokens > 0);
      const speech = await client(secret).audio.speech.create({ model: "tts-1", voice: "alloy", input: "A text to be said.", response_format: "pcm" });
      assert.ok((await speech.arrayBuffer()).byteLength > 0);
      const file = await toFile(gateway.recording(3), "speech.wav");
      const transcript = await client(secret).audio.transcriptions.create({ model: "whisper-1", file });
      assert.ok(transcript.text);
      assert.equal(transcript.usage.seconds, 3);
    });

    test("legacy completions", async () => {
      const answer = await client(secret).completions.create({ model: "gpt-3.5-turbo-instruct", prompt: "Once upon a time", max_tokens: 12 });
      assert.ok(answer.choices[0].text);
    });

    test("models", async () => {
      const ids = [];
      for await (const model of client(secret).models.list()) ids.push(model.id);
      assert.ok(ids.includes(MODEL));
    });

    test("a bad limit", async () => {
      const { error } = await gateway.failure(() => ask(secret, { max_tokens: -5 }));
      assert.ok(error instanceof OpenAI.BadRequestError, error);
      assert.match(error.message, /max_tokens/);
    });
  });
}

describe("openai, money and refusals", () => {
  test("the charge is the usage", () =>
    gateway.chargedExactly(
      async (secret) => {
        const usages = [];
        for (const max_tokens of [7, 120]) {
          usages.push((await ask(secret, { max_tokens })).usage);
          for await (const chunk of await ask(secret, { max_tokens, stream: true, stream_options: { include_usage: true } })) if (chunk.usage) usages.push(chunk.usage);
          // Not asked for: the same, and charged all the same.
          for await (const _ of await ask(secret, { max_tokens, stream: true }));
          usages.push(usages.at(-1));
        }
        usages.push((await respond(secret)).usage);
        for await (const event of await respond(secret, { stream: true })) if (event.type.match(/completed|incomplete/)) usages.push(event.response.usage);
        usages.push({ ...(await client(secret).embeddings.create({ model: EMBEDDER, input: "some text to embed" })).usage, embedded: true });
        return usages;
      },
      (usage) => (usage.embedded ? usage.prompt_tokens * 20 : (usage.prompt_tokens ?? usage.input_tokens) * 150 + (usage.completion_tokens ?? usage.output_tokens) * 600),
    ));

  test("the charge of media is what they cost", async () => {
    const { secret } = await gateway.withBudget("1.00");
    await client(secret).images.generate({ model: "dall-e-3", prompt: "a cat", response_format: "b64_json" });
    const speech = await client(secret).audio.speech.create({ model: "tts-1", voice: "alloy", input: "A text to be said." });
    await speech.arrayBuffer();
    await client(secret).audio.transcriptions.create({ model: "whisper-1", file: await toFile(gateway.recording(3), "speech.wav") });
    // A piece at 4 cents, 18 characters at $15 a million, 3 seconds at $0.0001.
    assert.equal((await gateway.money(secret)).spent, 40_000_000 + 18 * 15_000 + 3 * 100_000);
  });

  test("nothing is spent in the sandbox", async () => assert.equal((await gateway.money(kinds.sandbox.secret)).spent, 0));

  test("401 for an unknown key, once", async () => {
    const { error, attempts } = await gateway.failure(() => ask(gateway.STRANGER), gateway.asStranger);
    assert.ok(error instanceof OpenAI.AuthenticationError, error);
    assert.deepEqual([error.status, error.code, attempts], [401, "invalid_token", 1]);
    assert.ok(!error.message.includes(gateway.STRANGER));
  });

  test("402 for a spent budget, once, with what is left", async () => {
    const poor = await gateway.withBudget("0.000001");
    const { error, attempts } = await gateway.failure(() => ask(poor.secret), gateway.asToken(poor));
    assert.ok(error instanceof OpenAI.APIError, error);
    assert.deepEqual([error.status, error.code, error.type, attempts], [402, "budget_exhausted", "insufficient_quota", 1]);
    assert.match(error.message, new RegExp(`'${poor.name}' has \\$0\\.000001000 left`));
    assert.equal(error.error.budget.balance, "0.000001000");
    assert.ok(error.requestID);
  });

  test("403 for a model without a price", async () => {
    const { error } = await gateway.failure(() => ask(kinds.live.secret, { model: "nobody-knows-this" }));
    assert.ok(error instanceof OpenAI.PermissionDeniedError, error);
    assert.equal(error.code, "model_not_priced");
  });

  test("402 for a spent budget in responses, once", async () => {
    const poor = await gateway.withBudget("0.000001");
    const { error, attempts } = await gateway.failure(() => respond(poor.secret), gateway.asToken(poor));
    assert.deepEqual([error.status, error.code, attempts], [402, "budget_exhausted", 1]);
  });

  test("429 while others hold the budget, tried again twice", async () => {
    const { error, attempts } = await gateway.failure(() => ask(gateway.held.secret), gateway.asToken(gateway.held));
    assert.ok(error instanceof OpenAI.RateLimitError, error);
    assert.deepEqual([error.code, attempts], ["budget_held", 3]);
    assert.ok(error.headers.get("retry-after"));
  });
});
