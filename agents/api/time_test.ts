/**
 * Tries times, durations and ages.
 * In: fixed cases and random moments. Out: text that agrees with the platform's own calendar.
 * Never: reads the clock or the network; randomness comes from fast-check.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  ageSince,
  formatAge,
  formatDuration,
  formatMicroTime,
  formatTime,
  parseDuration,
  parseMillis,
  parseTime,
} from "./time.ts";

Deno.test("times agree with the platform's calendar in both directions", () => {
  const millis = fc.integer({ min: -60_000_000_000_000, max: 250_000_000_000_000 });
  fc.assert(fc.property(millis, (value) => {
    const whole = Math.floor(value / 1000) * 1000;
    const expected = new Date(whole).toISOString().replace(".000Z", "Z");
    assert.equal(formatTime(value), expected);
    assert.equal(parseMillis(expected), whole);
  }));
});

Deno.test("offsets and fractions are read", () => {
  assert.deepEqual(parseTime("1970-01-01T01:00:00.5+01:00"), { seconds: 0, nanos: 500_000_000 });
  assert.equal(formatMicroTime(1_000_000_000_005), "2001-09-09T01:46:40.005000Z");
});

Deno.test("what is no RFC 3339 time is refused", () => {
  for (
    const text of [
      "",
      "now",
      "2020-13-01T00:00:00Z",
      "2021-02-29T00:00:00Z",
      "2020-01-01T24:00:00Z",
    ]
  ) {
    assert.equal(parseTime(text), null, text);
  }
});

Deno.test("durations print as Go prints them and read back", () => {
  const cases: readonly [number, string][] = [
    [0, "0s"],
    [1e9, "1s"],
    [1.5e9, "1.5s"],
    [90e9, "1m30s"],
    [3600e9, "1h0m0s"],
    [-5e6, "-5ms"],
    [999, "999ns"],
  ];
  for (const [nanos, text] of cases) {
    assert.equal(formatDuration(nanos), text);
    assert.equal(parseDuration(text), nanos);
  }
  assert.equal(parseDuration("1x"), null);
});

Deno.test("ages shorten as kubectl's do", () => {
  const second = 1000;
  const minute = 60 * second;
  const hour = 60 * minute;
  const day = 24 * hour;
  const cases: readonly [number, string][] = [
    [0, "0s"],
    [119 * second, "119s"],
    [2 * minute, "2m"],
    [9 * minute + 5 * second, "9m5s"],
    [10 * minute + 5 * second, "10m"],
    [3 * hour, "3h"],
    [5 * hour + 7 * minute, "5h7m"],
    [9 * hour, "9h"],
    [2 * day + hour, "2d1h"],
    [30 * day, "30d"],
    [3 * 365 * day, "3y"],
    [-10 * second, "<invalid>"],
  ];
  for (const [millis, text] of cases) assert.equal(formatAge(millis), text);
  assert.equal(ageSince(undefined, 0), "<unknown>");
});
