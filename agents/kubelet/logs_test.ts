/** Log files in CRI format: tails, times, limits, partial lines, following. */
import assert from "node:assert/strict";
import { LineFormatter, type LogOptions, openLog, parseLogOptions } from "./logs.ts";

const LINES = [
  "2026-01-02T03:04:05.000000001Z stdout F one",
  "2026-01-02T03:04:06.000000001Z stderr F two",
  "2026-01-02T03:04:07.000000001Z stdout P thr",
  "2026-01-02T03:04:07.000000002Z stdout F ee",
  "",
].join("\n");
const ALL: LogOptions = {
  follow: false,
  timestamps: false,
  tailLines: null,
  limitBytes: null,
  sinceMillis: null,
  hasEnded: () => true,
};

async function show(options: Partial<LogOptions>): Promise<string> {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, LINES);
    const log = await openLog(path, { ...ALL, ...options }, new AbortController().signal);
    return await new Response(log).text();
  } finally {
    await Deno.remove(path);
  }
}

const CASES: [string, Partial<LogOptions>, string][] = [
  ["everything", {}, "one\ntwo\nthree\n"],
  ["a tail", { tailLines: 3 }, "two\nthree\n"],
  ["nothing of it", { tailLines: 0 }, ""],
  ["since a time", { sinceMillis: Date.parse("2026-01-02T03:04:06Z") }, "two\nthree\n"],
  ["a limit", { limitBytes: 5 }, "one\nt"],
  [
    "times once a line",
    { timestamps: true, tailLines: 2 },
    "2026-01-02T03:04:07.000000001Z three\n",
  ],
];

for (const [name, options, expected] of CASES) {
  Deno.test(`log: ${name}`, async () => assert.equal(await show(options), expected));
}

Deno.test("a line may arrive in pieces", () => {
  const formatter = new LineFormatter(ALL);
  const bytes = new TextEncoder().encode(LINES);
  let text = "";
  for (let at = 0; at < bytes.length; at += 7) {
    text += new TextDecoder().decode(formatter.push(bytes.subarray(at, at + 7)));
  }
  assert.equal(text, "one\ntwo\nthree\n");
});

Deno.test("a follower sees what is written later and stops with the container", async () => {
  const path = await Deno.makeTempFile();
  let ended = false;
  await Deno.writeTextFile(path, LINES);
  const options = { ...ALL, follow: true, hasEnded: () => ended };
  const log = await openLog(path, options, new AbortController().signal);
  const reader = log.getReader();
  const next = async () => new TextDecoder().decode((await reader.read()).value);
  assert.equal(await next(), "one\ntwo\nthree\n");
  await Deno.writeTextFile(path, "2026-01-02T03:04:08.0Z stdout F four\n", { append: true });
  assert.equal(await next(), "four\n");
  ended = true;
  assert.equal((await reader.read()).done, true);
  await Deno.remove(path);
});

Deno.test("bad options are refused by name", () => {
  const parse = (text: string) => parseLogOptions(new URLSearchParams(text), 0, () => true);
  assert.throws(() => parse("tailLines=-1"), /tailLines/);
  assert.throws(() => parse("sinceTime=yesterday"), /sinceTime/);
  assert.equal(parse("sinceSeconds=5").sinceMillis, -5_000);
});
