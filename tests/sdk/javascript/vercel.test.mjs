// Vercel's `ai` package with its providers against the gateway: only the base URL and the key differ from talking to the providers.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, embedMany, generateText, Output, RetryError, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

import * as gateway from "./gateway.mjs";

const CHAT = { name: "gpt-4o-mini", input: 150, output: 600 };
const CLAUDE = { name: "claude-haiku-4-5", input: 1000, output: 5000 };
const GEMINI = { name: "gemini-2.5-flash", input: 300, output: 2500 };
const EMBEDDER = "text-embedding-3-small";
const prompt = gateway.QUESTION;
const v1 = `${gateway.url}/v1`;

/** Each provider: the model that it makes of a key and a name, and what the model costs a token, in nano-dollars. */
const PROVIDERS = {
  openai: { price: CHAT, model: (apiKey, name) => createOpenAI({ baseURL: v1, apiKey }).chat(name), embedder: (apiKey) => createOpenAI({ baseURL: v1, apiKey }).embedding(EMBEDDER) },
  "openai responses": { price: CHAT, model: (apiKey, name) => createOpenAI({ baseURL: v1, apiKey })(name) },
  google: {
    price: GEMINI,
    model: (apiKey, name) => createGoogleGenerativeAI({ baseURL: `${gateway.url}/v1beta`, apiKey })(name),
    embedder: (apiKey) => createGoogleGenerativeAI({ baseURL: `${gateway.url}/v1beta`, apiKey }).embedding("gemini-embedding-001"),
  },
  "openai-compatible": {
    price: CHAT,
    model: (apiKey, name) => createOpenAICompatible({ name: "spendgate", baseURL: v1, apiKey, includeUsage: true, supportsStructuredOutputs: true })(name),
    embedder: (apiKey) => createOpenAICompatible({ name: "spendgate", baseURL: v1, apiKey }).embeddingModel(EMBEDDER),
  },
  anthropic: { price: CLAUDE, model: (apiKey, name) => createAnthropic({ baseURL: v1, apiKey })(name) },
};

const kinds = await gateway.bothKinds();
for (const [name, { price, model, embedder }] of Object.entries(PROVIDERS)) {
  const ask = (secret, more) => generateText({ model: model(secret, price.name), prompt, maxOutputTokens: 200, ...more });
  const stream = (secret, more) => streamText({ model: model(secret, price.name), prompt, maxOutputTokens: 200, onError: () => {}, ...more });

  for (const [kind, { secret }] of Object.entries(kinds)) {
    describe(`vercel ${name}, ${kind} token`, () => {
      test("text, whole and streamed", async () => {
        const whole = await ask(secret);
        assert.ok(whole.text);
        assert.ok(["stop", "length"].includes(whole.finishReason));
        const streamed = stream(secret);
        let text = "";
        for await (const part of streamed.textStream) text += part;
        assert.equal(text, whole.text);
        assert.deepEqual((await streamed.usage).outputTokens, whole.usage.outputTokens);
      });

      test("a loop of tools ends, whole and streamed", async () => {
        const queries = [];
        // Without bounds of numbers: the package for Google leaves them out.
        const inputSchema = z.object({ city: z.string(), days: z.int() });
        const look = tool({ description: "Tells the weather.", inputSchema, execute: async (query) => (queries.push(query), "sunny") });
        const loop = { tools: { get_weather: look }, stopWhen: stepCountIs(5) };
        const whole = await ask(secret, loop);
        assert.equal(whole.steps.length, 2);
        assert.ok(whole.text);
        const streamed = stream(secret, loop);
        await streamed.consumeStream();
        assert.equal((await streamed.steps).length, 2);
        assert.ok(await streamed.text);
        assert.equal(queries.length, 2);
        queries.forEach((query) => inputSchema.parse(query));
      });

      test("structured output, whole and streamed", async () => {
        const output = Output.object({ schema: gateway.Weather });
        const whole = await ask(secret, { output, maxOutputTokens: 400 });
        assert.deepEqual(gateway.Weather.parse(whole.output), whole.output);
        const streamed = stream(secret, { output, maxOutputTokens: 400 });
        let last;
        for await (const partial of streamed.partialOutputStream) last = partial;
        assert.deepEqual(last, whole.output);
      });

      if (embedder)
        test("embeddings", async () => {
          const { embeddings, usage } = await embedMany({ model: embedder(secret), values: ["one", "two"] });
          assert.equal(embeddings.length, 2);
          // Google's package asks for no usage of embeddings.
          assert.ok(embeddings[0].length > 0 && (usage.tokens > 0 || name === "google"));
        });

      if (name === "anthropic")
        test("the limit that the package sets by itself passes", async () => assert.ok((await ask(secret, { maxOutputTokens: undefined })).text));
    });
  }

  describe(`vercel ${name}, money and refusals`, () => {
    test("the charge is the usage", () =>
      gateway.chargedExactly(
        async (secret) => {
          const whole = await ask(secret);
          const streamed = stream(secret);
          await streamed.consumeStream();
          return [whole.usage, await streamed.usage];
        },
        (usage) => usage.inputTokens * price.input + usage.outputTokens * price.output,
      ));

    test("401 for an unknown key, once", async () => {
      const { error, attempts } = await gateway.failure(() => ask(gateway.STRANGER), gateway.asStranger);
      assert.ok(APICallError.isInstance(error), error);
      assert.deepEqual([error.statusCode, attempts], [401, 1]);
      assert.ok(!error.message.includes(gateway.STRANGER));
    });

    test("402 for a spent budget, once, with what is left", async () => {
      const poor = await gateway.withBudget("0.000001");
      const { error, attempts } = await gateway.failure(() => ask(poor.secret), gateway.asToken(poor));
      assert.ok(APICallError.isInstance(error), error);
      const { code, type, status } = error.data.error;
      assert.ok(["budget_exhausted", "billing_error", "RESOURCE_EXHAUSTED"].some((reason) => [code, type, status].includes(reason)), JSON.stringify(error.data));
      assert.deepEqual([error.statusCode, attempts], [402, 1]);
      assert.match(error.message, new RegExp(`'${poor.name}' has \\$0\\.000001000 left`));
    });

    test("a stream is refused likewise", async () => {
      const poor = await gateway.withBudget("0.000001");
      const seen = [];
      for await (const part of stream(poor.secret).fullStream) if (part.type === "error") seen.push(part.error);
      assert.equal(seen.length, 1);
      assert.equal(seen[0].statusCode, 402);
    });

    test("429 while others hold the budget, tried again twice", async () => {
      const { error, attempts } = await gateway.failure(() => ask(gateway.held.secret), gateway.asToken(gateway.held));
      assert.ok(RetryError.isInstance(error), error);
      assert.deepEqual([error.lastError.statusCode, attempts], [429, 3]);
    });
  });
}

test("vercel, nothing is spent in the sandbox", async () => assert.equal((await gateway.money(kinds.sandbox.secret)).spent, 0));
