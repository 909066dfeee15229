/** What strangers cause is logged once a minute, however often and in however many ways. */
import { deepEqual, equal } from "node:assert/strict";
import { limitLog } from "./log_limit.ts";

function bench() {
  const lines: string[] = [];
  let now = 0;
  const log = limitLog(
    (level, message, fields) => lines.push(`${level} ${message} ${JSON.stringify(fields)}`),
    () => now,
  );
  return { lines, log, wait: (millis: number) => now += millis };
}

Deno.test("one kind is logged once a minute, with how often it came", () => {
  const { lines, log, wait } = bench();
  for (let i = 0; i < 1_000; i++) log("warn", "refused", { detail: "garbage", address: `a:${i}` });
  log("warn", "refused", { detail: "no certificate" });
  wait(60_000);
  log("warn", "refused", { detail: "garbage", address: "b:1" });
  deepEqual(lines, [
    'warn refused {"detail":"garbage","address":"a:0"}',
    'warn refused {"detail":"no certificate"}',
    'warn refused {"detail":"garbage","address":"b:1","repeated":999}',
  ]);
});

Deno.test("made-up kinds end at a bound, and come back with time", () => {
  const { lines, log, wait } = bench();
  for (let i = 0; i < 1_000; i++) log("warn", "refused", { detail: `${i} ${"x".repeat(5_000)}` });
  equal(lines.length, 64);
  equal(Math.max(...lines.map(({ length }) => length)) < 300, true);
  wait(60_000);
  log("warn", "refused", { detail: "another" });
  equal(lines.length, 65);
});
