// The official `@anthropic-ai/sdk` package against the gateway: only the base URL and the key differ from talking to Anthropic.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { betaZodTool } from "@anthropic-ai/sdk/helpers/beta/zod";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";

import * as gateway from "./gateway.mjs";

const MODEL = "claude-haiku-4-5";
const messages = [{ role: "user", content: gateway.QUESTION }];
const client = (secret) => new Anthropic({ baseURL: gateway.url, apiKey: secret });
const asked = (more) => ({ model: MODEL, messages, max_tokens: 50, ...more });
const ask = (secret, more) => client(secret).messages.create(asked(more));

const kinds = await gateway.bothKinds();
for (const [kind, { secret }] of Object.entries(kinds)) {
  describe(`anthropic, ${kind} token`, () => {
    test("a message", async () => {
      const answer = await ask(secret);
      assert.deepEqual([answer.type, answer.role, answer.content[0].type], ["message", "assistant", "text"]);
      assert.ok(["end_turn", "max_tokens"].includes(answer.stop_reason));
      assert.ok(answer.usage.output_tokens > 0 && answer.usage.output_tokens <= 50);
      assert.ok(answer._request_id);
    });

    test("a stream says and counts the same", async () => {
      const whole = await ask(secret);
      const stream = client(secret).messages.stream(asked());
      let text = "";
      stream.on("text", (delta) => (text += delta));
      const final = await stream.finalMessage();
      assert.equal(text, whole.content[0].text);
      assert.equal(final.usage.output_tokens, whole.usage.output_tokens);
      const kinds = [];
      for await (const event of await ask(secret, { stream: true })) kinds.push(event.type);
      assert.equal(kinds[0], "message_start");
      assert.deepEqual(kinds.slice(-2), ["message_delta", "message_stop"]);
    });

    for (const stream of [false, true]) {
      test(`a loop of tools ends, ${stream ? "streamed" : "whole"}`, async () => {
        const queries = [];
        const look = betaZodTool({ name: "get_weather", description: "Tells the weather.", inputSchema: gateway.Query, run: (query) => (queries.push(query), "sunny") });
        const runner = client(secret).beta.messages.toolRunner({ ...asked({ max_tokens: 200 }), tools: [look], stream });
        const final = await runner.runUntilDone();
        assert.equal(final.content[0].type, "text");
        assert.equal(queries.length, 1);
        gateway.checkQuery(queries[0]);
      });
    }

    test("structured output, whole and streamed", async () => {
      const body = asked({ max_tokens: 400, output_config: { format: zodOutputFormat(gateway.Weather) } });
      const whole = await client(secret).messages.parse(body);
      const streamed = await client(secret).messages.stream(body).finalMessage();
      assert.deepEqual(gateway.Weather.parse(whole.parsed_output), streamed.parsed_output);
    });

    test("thinking goes back as it came", async () => {
      const thinking = { type: "enabled", budget_tokens: 1500 };
      const answer = await ask(secret, { max_tokens: 3000, thinking });
      assert.deepEqual(answer.content.map((block) => block.type), ["thinking", "text"]);
      const follow = [...messages, { role: "assistant", content: answer.content }, { role: "user", content: "And tomorrow?" }];
      assert.ok((await ask(secret, { max_tokens: 3000, thinking, messages: follow })).content.length);
    });

    test("counting tokens", async () => {
      const counted = await client(secret).messages.countTokens({ model: MODEL, messages });
      assert.equal(counted.input_tokens, (await ask(secret)).usage.input_tokens);
    });

    test("models", async () => {
      const ids = [];
      for await (const model of client(secret).models.list()) ids.push(model.id);
      assert.ok(ids.includes(MODEL));
      assert.equal((await client(secret).models.retrieve(MODEL)).id, MODEL);
    });

    test("either place of the key", async () => {
      const mine = new Anthropic({ baseURL: gateway.url, apiKey: null, authToken: secret });
      assert.ok((await mine.messages.create(asked({ max_tokens: 5 }))).content.length);
    });

    test("a bad limit", async () => {
      const { error } = await gateway.failure(() => ask(secret, { max_tokens: -5 }));
      assert.ok(error instanceof Anthropic.BadRequestError, error);
      assert.match(error.message, /max_tokens/);
    });

    test("batches are not there", async () => {
      const { error } = await gateway.failure(() => client(secret).messages.batches.list());
      assert.ok(error instanceof Anthropic.NotFoundError, error);
    });
  });
}

describe("anthropic, money and refusals", () => {
  test("the charge is the usage", () =>
    gateway.chargedExactly(
      async (secret) => {
        const usages = [];
        for (const max_tokens of [7, 120]) {
          usages.push((await ask(secret, { max_tokens })).usage);
          usages.push((await client(secret).messages.stream(asked({ max_tokens })).finalMessage()).usage);
        }
        return usages;
      },
      (usage) => usage.input_tokens * 1000 + usage.output_tokens * 5000,
    ));

  test("nothing is spent in the sandbox", async () => assert.equal((await gateway.money(kinds.sandbox.secret)).spent, 0));

  test("401 for an unknown key, once", async () => {
    const { error, attempts } = await gateway.failure(() => ask(gateway.STRANGER), gateway.asStranger);
    assert.ok(error instanceof Anthropic.AuthenticationError, error);
    assert.deepEqual([error.status, error.error.error.type, attempts], [401, "authentication_error", 1]);
    assert.ok(!error.message.includes(gateway.STRANGER));
  });

  test("402 for a spent budget, once, with what is left", async () => {
    const poor = await gateway.withBudget("0.000001");
    const { error, attempts } = await gateway.failure(() => ask(poor.secret), gateway.asToken(poor));
    assert.ok(error instanceof Anthropic.APIError, error);
    assert.deepEqual([error.status, error.error.error.type, error.error.error.code, attempts], [402, "billing_error", "budget_exhausted", 1]);
    assert.match(error.message, new RegExp(`'${poor.name}' has \\$0\\.000001000 left`));
    assert.ok(error.requestID);
  });

  test("403 for a model without a price", async () => {
    const { error } = await gateway.failure(() => ask(kinds.live.secret, { model: "nobody-knows-this" }));
    assert.ok(error instanceof Anthropic.PermissionDeniedError, error);
  });

  test("429 while others hold the budget, tried again twice", async () => {
    const { error, attempts } = await gateway.failure(() => ask(gateway.held.secret), gateway.asToken(gateway.held));
    assert.ok(error instanceof Anthropic.RateLimitError, error);
    assert.deepEqual([error.error.error.code, attempts], ["budget_held", 3]);
  });
});
