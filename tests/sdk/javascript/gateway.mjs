// What the tests of every SDK share: tokens on demand, a token's own view of its money, and how often the gateway was asked.

import assert from "node:assert/strict";
import { z } from "zod";

const { GATEWAY_URL, OPS_URL, MAIN_KEY, HELD_SECRET } = process.env;
const PATIENCE = 60_000;
const COLLECTION = "/v2/user/custom_token/";

export const url = GATEWAY_URL;
/** A token whose whole budget another request holds, from before the tests to their end. */
export const held = { name: "js-held", secret: HELD_SECRET };
export const STRANGER = "sg_live_00000000000000000000000000000000000000000000000000";
export const QUESTION = "What is the weather in Paris?";
/** The structured output that is asked for. */
export const Weather = z.object({ city: z.string(), degrees: z.int(), sunny: z.boolean(), hours: z.array(z.int()) });
/** What the tool takes. */
export const Query = z.object({ city: z.string(), days: z.int().min(1).max(7) });
/** Likewise, as JSON Schema. */
export const QUERY_SCHEMA = {
  type: "object",
  properties: { city: { type: "string" }, days: { type: "integer", minimum: 1, maximum: 7 } },
  required: ["city", "days"],
  additionalProperties: false,
};

let created = 0;

async function api(method, path, body, key = MAIN_KEY) {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const answer = await fetch(GATEWAY_URL + path, { method, headers, body: body && JSON.stringify(body), signal: AbortSignal.timeout(PATIENCE) });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
  return answer.json();
}

/** Creates a token: its name and its secret. */
export async function token(fields) {
  created += 1;
  const name = `js-${process.pid}-${created}`;
  return { name, secret: (await api("POST", COLLECTION, { name, ...fields })).token };
}

/** An `api_token` with an enforced budget. */
export const withBudget = (balance) => token({ balance, active_balance: true });

/** A token of each kind: one that no provider sees, and one with a budget. */
export async function bothKinds() {
  return { sandbox: await token({ token_type: "sandbox_api_token" }), live: await withBudget("50.00") };
}

/** Nano-dollars, of an amount as the token API shows it. */
const nanos = (amount) => Math.round(Number(amount) * 1e9);

/** What a token itself sees, in nano-dollars, once nothing is held any more. */
export async function money(secret) {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const { spent, balance, held } = await api("GET", `${COLLECTION}me/`, undefined, secret);
    if (nanos(held) === 0) return { spent: nanos(spent), balance: nanos(balance) };
    assert.ok(Date.now() < deadline, "waited in vain: every hold to end");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** How many requests the gateway has counted whose series has all of these labels. */
async function counted(...labels) {
  const metrics = await (await fetch(`${OPS_URL}/metrics`)).text();
  const series = metrics.split("\n").filter((line) => line.startsWith("spendgate_requests_total{") && labels.every((label) => line.includes(label)));
  return series.reduce((sum, line) => sum + Number(line.split("} ")[1]), 0);
}

/** What a call fails with, and how many requests with these labels it took. */
export async function failure(call, ...labels) {
  const before = await counted(...labels);
  let error;
  try {
    await call();
  } catch (raised) {
    error = raised;
  }
  assert.ok(error, "it did not fail");
  return { error, attempts: (await counted(...labels)) - before };
}

export const asToken = ({ name }) => `token="${name}"`;
export const asStranger = 'outcome="invalid_token"';

/** Runs a call on a fresh token; the usages that it returns must be what the token was charged. */
export async function chargedExactly(call, priced) {
  const { secret } = await withBudget("1.00");
  const expected = (await call(secret)).reduce((sum, usage) => sum + priced(usage), 0);
  assert.ok(expected > 0);
  assert.deepEqual(await money(secret), { spent: expected, balance: 1e9 - expected });
}

/** Panics unless the arguments are what the schema of the tool asks for. */
export function checkQuery(query) {
  assert.deepEqual(Object.keys(query).sort(), ["city", "days"]);
  assert.ok(query.days >= 1 && query.days <= 7, JSON.stringify(query));
}

/** A WAV of silence: 8,000 samples of 16 bits a second. */
export function recording(seconds) {
  const samples = 16_000 * seconds;
  const file = Buffer.alloc(44 + samples);
  file.write("RIFF", 0);
  file.writeUInt32LE(36 + samples, 4);
  file.write("WAVEfmt ", 8);
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(8_000, 24);
  file.writeUInt32LE(16_000, 28);
  file.writeUInt16LE(2, 32);
  file.writeUInt16LE(16, 34);
  file.write("data", 36);
  file.writeUInt32LE(samples, 40);
  return file;
}
