// The official `@google/genai` package against the gateway: only the base URL and the key differ from talking to Google.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ApiError, GoogleGenAI } from "@google/genai";
import { z } from "zod";

import * as gateway from "./gateway.mjs";

const MODEL = "gemini-2.5-flash";
const EMBEDDER = "gemini-embedding-001";
const client = (secret) => new GoogleGenAI({ apiKey: secret, httpOptions: { baseUrl: gateway.url } });
const asked = (config, more) => ({ model: MODEL, contents: gateway.QUESTION, config: { maxOutputTokens: 200, ...config }, ...more });
const ask = (secret, config, more) => client(secret).models.generateContent(asked(config, more));

const kinds = await gateway.bothKinds();
for (const [kind, { secret }] of Object.entries(kinds)) {
  describe(`google, ${kind} token`, () => {
    test("text, whole and streamed", async () => {
      const whole = await ask(secret);
      assert.ok(whole.text);
      let text = "";
      let last;
      for await (const chunk of await client(secret).models.generateContentStream(asked())) {
        text += chunk.text ?? "";
        last = chunk;
      }
      assert.equal(text, whole.text);
      assert.equal(last.usageMetadata.candidatesTokenCount, whole.usageMetadata.candidatesTokenCount);
      assert.ok(last.candidates[0].finishReason);
    });

    for (const stream of [false, true]) {
      test(`a loop of tools ends, ${stream ? "streamed" : "whole"}`, async () => {
        const tools = [{ functionDeclarations: [{ name: "get_weather", parametersJsonSchema: gateway.QUERY_SCHEMA }] }];
        const chat = client(secret).chats.create({ model: MODEL, config: { maxOutputTokens: 200, tools } });
        const queries = [];
        let message = gateway.QUESTION;
        let text = "";
        for (let turn = 0; turn < 4 && message; turn += 1) {
          const answers = [];
          if (stream) for await (const answer of await chat.sendMessageStream({ message })) answers.push(answer);
          else answers.push(await chat.sendMessage({ message }));
          const calls = answers.flatMap((answer) => answer.functionCalls ?? []);
          text = answers.map((answer) => (calls.length ? "" : answer.text)).join("");
          queries.push(...calls.map((call) => call.args));
          message = calls.length ? calls.map(({ id, name }) => ({ functionResponse: { id, name, response: { output: "sunny" } } })) : undefined;
        }
        assert.ok(text && message === undefined);
        assert.equal(queries.length, 1);
        gateway.checkQuery(queries[0]);
      });
    }

    test("structured output", async () => {
      const answer = await ask(secret, { maxOutputTokens: 400, responseMimeType: "application/json", responseJsonSchema: z.toJSONSchema(gateway.Weather) });
      gateway.Weather.parse(JSON.parse(answer.text));
    });

    test("embeddings", async () => {
      const { embeddings } = await client(secret).models.embedContent({ model: EMBEDDER, contents: ["one", "two"], config: { outputDimensionality: 64 } });
      assert.deepEqual(embeddings.map(({ values }) => values.length), [64, 64]);
    });

    test("counting tokens", async () => {
      const counted = await client(secret).models.countTokens({ model: MODEL, contents: gateway.QUESTION });
      assert.equal(counted.totalTokens, (await ask(secret)).usageMetadata.promptTokenCount);
    });

    test("models", async () => {
      const names = [];
      for await (const model of await client(secret).models.list()) names.push(model.name);
      assert.ok(names.includes(`models/${MODEL}`), names.join());
    });

    test("a bad limit", async () => {
      const { error } = await gateway.failure(() => ask(secret, { maxOutputTokens: -5 }));
      assert.ok(error instanceof ApiError, error);
      assert.equal(error.status, 400);
      assert.match(error.message, /maxOutputTokens/);
    });
  });
}

describe("google, money and refusals", () => {
  test("the charge is the usage", () =>
    gateway.chargedExactly(
      async (secret) => {
        const usages = [(await ask(secret)).usageMetadata];
        for await (const chunk of await client(secret).models.generateContentStream(asked({ maxOutputTokens: 30 }))) usages[1] = chunk.usageMetadata;
        return usages;
      },
      (usage) => usage.promptTokenCount * 300 + (usage.candidatesTokenCount + (usage.thoughtsTokenCount ?? 0)) * 2500,
    ));

  test("nothing is spent in the sandbox", async () => assert.equal((await gateway.money(kinds.sandbox.secret)).spent, 0));

  test("401 for an unknown key, once", async () => {
    const { error, attempts } = await gateway.failure(() => ask(gateway.STRANGER), gateway.asStranger);
    assert.ok(error instanceof ApiError, error);
    assert.deepEqual([error.status, attempts], [401, 1]);
    assert.ok(!error.message.includes(gateway.STRANGER));
  });

  test("402 for a spent budget, once, with what is left", async () => {
    const poor = await gateway.withBudget("0.000001");
    const { error, attempts } = await gateway.failure(() => ask(poor.secret), gateway.asToken(poor));
    assert.ok(error instanceof ApiError, error);
    assert.deepEqual([error.status, attempts], [402, 1]);
    assert.match(error.message, new RegExp(`'${poor.name}' has \\$0\\.000001000 left`));
  });

  test("403 for a model without a price", async () => {
    const { error } = await gateway.failure(() => ask(kinds.live.secret, {}, { model: "nobody-knows-this" }));
    assert.ok(error instanceof ApiError, error);
    assert.equal(error.status, 403);
  });

  test("429 while others hold the budget, not tried again", async () => {
    const { error, attempts } = await gateway.failure(() => ask(gateway.held.secret), gateway.asToken(gateway.held));
    assert.ok(error instanceof ApiError, error);
    assert.deepEqual([error.status, attempts], [429, 1]);
  });
});
