/**
 * What is documented of structured parameters, case by case: counts, all devices, lists,
 * constraints, taints, counters, admin access, reach, generations.
 */

import assert from "node:assert/strict";
import { NO_CONDITIONS } from "./device_row.ts";
import type { Alternative, ClaimRow, ClassRow, SliceRow } from "./device_row.ts";
import { DeviceLedger } from "./ledger.ts";
import {
  ask,
  attributes,
  byAttribute,
  capacity,
  claim,
  device,
  deviceClass,
  nodeNamed,
  NOWHERE,
  onNode,
  slice,
} from "./testing.ts";

const CLASSES: readonly ClassRow[] = [
  deviceClass("gpu"),
  deviceClass("big", { selectors: ["size=big"] }),
  deviceClass("broken", { selectors: ["broken"] }),
];

function ledgerOf(slices: readonly SliceRow[], held: readonly ClaimRow[] = []): DeviceLedger {
  const ledger = new DeviceLedger(byAttribute);
  for (const row of CLASSES) ledger.setClass(row.name, row);
  for (const row of slices) ledger.setSlice(row);
  for (const row of held) ledger.setClaim(row.key, row);
  return ledger;
}

/** @returns "request:device …" of each claim; or why not. */
function tell(ledger: DeviceLedger, claims: readonly ClaimRow[], node = nodeNamed("n1")): string {
  const outcome = ledger.tryOn(claims, node);
  if (outcome.kind === "none") return "none";
  if (outcome.kind === "problem") return outcome.reason;
  return outcome.allocations.map(({ devices }) =>
    devices.map((it) => `${it.request}:${it.device}`).join(" ")
  ).join(" | ");
}

const ALONE = { share: null, conditions: NO_CONDITIONS };

/** A claim that was given a device. */
function holding(name: string): ClaimRow {
  const { driver, pool } = device(name);
  const devices = [{ request: "r", driver, pool, device: name, adminAccess: false, ...ALONE }];
  return claim("held", [ask("r")], { allocation: { devices, terms: null } });
}

const small = attributes({ size: "small", root: "a" });
const big = attributes({ size: "big", root: "a" });
const other = attributes({ size: "big", root: "b" });
const mixed = [
  device("g0", { attributes: small }),
  device("g1", { attributes: big }),
  device("g2", { attributes: other }),
  device("g3", { attributes: other }),
];

Deno.test("requests get devices of their class and selectors, one each, in order", () => {
  const ledger = ledgerOf([slice(mixed)]);
  const cases: readonly [readonly ClaimRow[], string][] = [
    [[claim("a", [ask("r")])], "r:g0"],
    [[claim("a", [ask("r", { className: "big" })])], "r:g1"],
    [[claim("a", [ask("r", { count: 2 })]), claim("b", [ask("q")])], "r:g0 r:g1 | q:g2"],
    [[claim("a", [ask("r", { selectors: ["root=b"] })])], "r:g2"],
    [[claim("a", [ask("r", { count: 5 })])], "none"],
    [[claim("a", [ask("r", { mode: "All", selectors: ["root=b"] })])], "r:g2 r:g3"],
    [[claim("a", [ask("r", { mode: "All", selectors: ["root=c"] })])], "none"],
    [[claim("a", [ask("r"), ask("q", { mode: "All" })])], "none"],
    [
      [claim("a", [ask("r", { className: "broken" })])],
      "class broken: selector #0: CEL runtime error: no such key: x",
    ],
    [
      [claim("a", [ask("r", { selectors: ["broken"] })])],
      "claim default/a: selector #0: CEL runtime error: no such key: x",
    ],
  ];
  for (const [claims, expected] of cases) assert.equal(tell(ledger, claims), expected);
  assert.equal(tell(ledger, cases[0][0], nodeNamed("n2")), "none");
});

Deno.test("a list gives its first alternative that fits, whatever that costs later ones", () => {
  const ledger = ledgerOf([slice(mixed)]);
  const list = [
    ask("r/huge", { selectors: ["size=huge"] }),
    ask("r/big", { className: "big", count: 3 }),
    ask("r/any"),
  ];
  assert.equal(tell(ledger, [claim("a", [list])]), "r/big:g1 r/big:g2 r/big:g3");
  const rest = ask("q", { className: "big" });
  assert.equal(tell(ledger, [claim("a", [list, rest])]), "r/any:g0 q:g1");
});

Deno.test("matchAttribute makes the devices of its requests agree", () => {
  const ledger = ledgerOf([slice(mixed)]);
  const attribute = "gpu.example.com/root";
  const pair = [ask("r", { className: "big" }), ask("q")];
  const bound = (requests: readonly string[]) =>
    claim("a", pair, { constraints: [{ requests, attribute, isDistinct: false }] });
  assert.equal(tell(ledger, [bound([])]), "r:g1 q:g0");
  const two = claim("a", [ask("r", { className: "big", count: 2 })], {
    constraints: [{ requests: ["r"], attribute, isDistinct: false }],
  });
  assert.equal(tell(ledger, [two]), "r:g2 r:g3");
  const absent = claim("a", [ask("r")], {
    constraints: [{ requests: [], attribute: "x.example.com/y", isDistinct: false }],
  });
  assert.equal(tell(ledger, [absent]), "none");
  const all = claim("a", [ask("r", { mode: "All" })], {
    constraints: [{ requests: [], attribute, isDistinct: false }],
  });
  assert.match(
    tell(ledger, [all]),
    /request r: cannot add device .*\/g2 because a claim constrain/,
  );
});

Deno.test("distinctAttribute keeps devices of its requests apart", () => {
  const ledger = ledgerOf([slice(mixed)]);
  const attribute = "gpu.example.com/root";
  const apart = (
    asks: readonly Alternative[],
    requests: readonly string[] = [],
  ) => [claim("a", asks, { constraints: [{ requests, attribute, isDistinct: true }] })];
  assert.equal(tell(ledger, apart([ask("r", { count: 2 })])), "r:g0 r:g2");
  assert.equal(tell(ledger, apart([ask("r", { count: 3 })])), "none");
  assert.equal(tell(ledger, apart([ask("r"), ask("q", { className: "big" })])), "r:g0 q:g2");
  assert.equal(tell(ledger, apart([ask("r"), ask("q")], ["q"])), "r:g0 q:g1");
  const all = apart([ask("r", { mode: "All" })]);
  assert.match(tell(ledger, all), /cannot add device .*\/g1 because a claim constraint/);
});

Deno.test("a device that allows it is shared until its capacity is used up", () => {
  const shared = device("s0", { isShareable: true, capacities: [capacity("memory", 10n)] });
  const whole = device("w0", { capacities: [capacity("memory", 4n)] });
  const ledger = ledgerOf([slice([shared, whole])]);
  const part = (amount: bigint) => ask("r", { capacities: new Map([["memory", amount]]) });
  const two = (
    first: bigint,
    second: bigint,
  ) => [claim("a", [part(first)]), claim("b", [part(second)])];
  assert.equal(tell(ledger, two(6n, 4n)), "r:s0 | r:s0");
  assert.equal(tell(ledger, two(7n, 4n)), "r:s0 | r:w0");
  assert.equal(tell(ledger, two(7n, 5n)), "none");
  assert.equal(tell(ledger, [claim("a", [ask("r"), ask("q")])]), "r:s0 q:w0");
  assert.equal(tell(ledger, [claim("a", [ask("r", { count: 2 })])]), "r:s0 r:w0");

  const { driver, pool } = shared;
  const share = new Map([["memory", 6n]]);
  const given = { request: "r", driver, pool, device: "s0", adminAccess: false, ...ALONE, share };
  const held = claim("held", [part(6n)], { allocation: { devices: [given], terms: null } });
  ledger.setClaim(held.key, held);
  assert.equal(tell(ledger, [claim("a", [part(5n)])]), "none");
  assert.equal(tell(ledger, two(4n, 1n)), "r:s0 | r:w0");
  const all = ask("r", { mode: "All", capacities: new Map([["memory", 5n]]) });
  assert.equal(tell(ledger, [claim("a", [all])]), "none");
  ledger.setClaim(held.key, null);
  assert.equal(tell(ledger, [claim("a", [all])]), "r:s0");
});

Deno.test("shares of a partition take its counters once", () => {
  const consumes = [{ set: "mem", counter: "gb", amount: 30n }];
  const parted = (name: string) =>
    device(name, { consumes, isShareable: true, capacities: [capacity("links", 2n)] });
  const counters = [{ set: "mem", counter: "gb", amount: 40n }];
  const ledger = ledgerOf([
    slice([parted("a"), parted("b")], { sliceCount: 2 }),
    slice([], { name: "counters", sliceCount: 2, reach: null, counters, pool: "pool" }),
  ]);
  const link = (name: string) => ask(name, { capacities: new Map([["links", 1n]]) });
  assert.equal(tell(ledger, [claim("a", [link("r"), link("q")])]), "r:a q:a");
  assert.equal(tell(ledger, [claim("a", [link("r"), link("q"), link("p")])]), "none");
});

Deno.test("devices that must be waited for come last, and may bind their claim to the node", () => {
  const conditions = { awaited: ["Attached"], failing: [] };
  const fabric = device("f", { pool: "a", conditions, bindsToNode: true });
  const slices = [
    slice([fabric], { name: "fabric", pool: "a", reach: { ...NOWHERE, all: true } }),
    slice([device("x", { pool: "b" })], { name: "local", pool: "b" }),
  ];
  const ledger = ledgerOf(slices);
  assert.equal(tell(ledger, [claim("a", [ask("r")])]), "r:x");
  const outcome = ledger.tryOn([claim("a", [ask("r")])], nodeNamed("n9"));
  assert(outcome.kind === "allocated");
  const [{ devices: [given], terms }] = outcome.allocations;
  assert.deepEqual(given.conditions, conditions);
  const name = { key: "metadata.name", operator: "In", values: ["n9"] };
  assert.deepEqual(terms, [{ expressions: [], fields: [name] }]);
});

Deno.test("a name that a node reaches twice spoils the pool there, and there alone", () => {
  const ledger = ledgerOf([
    slice([device("g")], { name: "one", sliceCount: 3 }),
    slice([device("g")], { name: "two", sliceCount: 3 }),
    slice([device("g")], { name: "three", sliceCount: 3, reach: onNode("n2") }),
  ]);
  const one = [claim("a", [ask("r")])];
  assert.equal(tell(ledger, one), "invalid resource pools were encountered");
  assert.equal(tell(ledger, one, nodeNamed("n2")), "r:g");
});

Deno.test("what others hold is taken, but may be watched with admin access", () => {
  const held = holding("g0");
  const ledger = ledgerOf([slice(mixed.slice(0, 2))], [held]);
  assert.equal(tell(ledger, [claim("a", [ask("r")])]), "r:g1");
  assert.equal(tell(ledger, [claim("a", [ask("r", { count: 2 })])]), "none");
  const watch = ask("r", { mode: "All", adminAccess: true });
  assert.equal(tell(ledger, [claim("a", [watch])]), "r:g0 r:g1");
  assert.equal(ledger.setClaim(held.key, { ...held, allocation: null }), true);
  assert.equal(tell(ledger, [claim("a", [ask("r", { count: 2 })])]), "r:g0 r:g1");
});

Deno.test("tainted devices are for those that tolerate them", () => {
  const taint = { key: "broken", value: "yes", effect: "NoSchedule" };
  const devices = [
    device("g0", { taints: [taint] }),
    device("g1", { taints: [{ ...taint, effect: "None" }] }),
  ];
  const ledger = ledgerOf([slice(devices)]);
  assert.equal(tell(ledger, [claim("a", [ask("r")])]), "r:g1");
  const toleration = { key: "broken", operator: "Exists", value: "", effect: "" };
  assert.equal(tell(ledger, [claim("a", [ask("r", { tolerations: [toleration] })])]), "r:g0");
  const wrong = { key: "broken", operator: "Equal", value: "no", effect: "NoSchedule" };
  assert.equal(tell(ledger, [claim("a", [ask("r", { tolerations: [wrong] })])]), "r:g1");
});

Deno.test("partitions share the counters of their pool", () => {
  const take = (amount: bigint) => ({ consumes: [{ set: "mem", counter: "gb", amount }] });
  const devices = [
    device("whole", take(40n)),
    device("half", take(20n)),
    device("half2", take(20n)),
  ];
  const counters = [{ set: "mem", counter: "gb", amount: 40n }];
  const slices = [
    slice(devices, { sliceCount: 2 }),
    slice([], { name: "counters", sliceCount: 2, reach: null, counters, pool: "pool" }),
  ];
  const ledger = ledgerOf(slices);
  assert.equal(tell(ledger, [claim("a", [ask("r")])]), "r:whole");
  assert.equal(tell(ledger, [claim("a", [ask("r", { count: 2 })])]), "r:half r:half2");
  assert.equal(tell(ledger, [claim("a", [ask("r", { count: 3 })])]), "none");
  const held = holding("half");
  ledger.setClaim(held.key, held);
  assert.equal(tell(ledger, [claim("a", [ask("r")])]), "r:half2");
  const unknown = device("odd", { consumes: [{ set: "x", counter: "y", amount: 1n }] });
  const invalid = ledgerOf([slice([unknown])]);
  assert.equal(
    tell(invalid, [claim("a", [ask("r")])]),
    "invalid resource pools were encountered",
  );
});

Deno.test("devices are reached from one node, from nodes that match, from all, or each its own", () => {
  const term = {
    expressions: [{ key: "rack", operator: "In", values: ["r1"] }],
    fields: [],
  } as const;
  const shared = slice([device("s", { pool: "rack" })], {
    name: "shared",
    pool: "rack",
    reach: { ...NOWHERE, terms: [term] },
  });
  const anywhere = slice([device("x", { pool: "net" })], {
    name: "anywhere",
    pool: "net",
    reach: { ...NOWHERE, all: true },
  });
  const own = slice([
    device("p1", { pool: "own", reach: onNode("n1") }),
    device("p2", { pool: "own", reach: { ...NOWHERE, terms: [term] } }),
  ], { name: "own", pool: "own", reach: null });
  const all = [claim("a", [ask("r", { mode: "All" })])];
  const ledger = ledgerOf([shared, anywhere, own]);
  assert.equal(tell(ledger, all, nodeNamed("n1")), "r:x r:p1");
  assert.equal(tell(ledger, all, nodeNamed("n2", { rack: "r1" })), "r:x r:p2 r:s");
  assert.equal(tell(ledger, all, nodeNamed("n3")), "r:x");

  const termsOn = (node = nodeNamed("n3")) => {
    const outcome = ledger.tryOn(all, node);
    return outcome.kind === "allocated" ? outcome.allocations[0].terms : [];
  };
  assert.equal(termsOn(), null);
  assert.deepEqual(termsOn(nodeNamed("n2", { rack: "r1" })), [{ ...term, fields: [] }]);
  const name = { key: "metadata.name", operator: "In", values: ["n1"] };
  assert.deepEqual(termsOn(nodeNamed("n1")), [{ expressions: [], fields: [name] }]);
});

Deno.test("only the newest generation of a pool counts, and only once it is whole", () => {
  const old = slice([device("old")], { name: "s0", generation: 1 });
  const first = slice([device("new0")], { name: "s1", generation: 2, sliceCount: 2 });
  const second = slice([device("new1")], { name: "s2", generation: 2, sliceCount: 2 });
  const one = [claim("a", [ask("r")])];
  const all = [claim("a", [ask("r", { mode: "All" })])];
  const ledger = ledgerOf([old]);
  assert.equal(tell(ledger, one), "r:old");
  ledger.setSlice(first);
  assert.equal(tell(ledger, one), "none");
  assert.equal(
    tell(ledger, all),
    "claim default/a, request r: asks for all devices, but resource pool " +
      "gpu.example.com/pool is currently being updated",
  );
  ledger.setSlice(second);
  assert.equal(tell(ledger, all), "r:new0 r:new1");
  ledger.removeSlice("s0");
  assert.equal(tell(ledger, all), "r:new0 r:new1");
});

Deno.test("a claim holds 32 devices at most, and a hopeless search ends", () => {
  const devices = Array.from({ length: 40 }, (_, i) => device(`g${String(i).padStart(2, "0")}`));
  const ledger = ledgerOf([slice(devices)]);
  const tooMany = (count: number) =>
    `claim default/a: number of requested devices ${count} exceeds the claim limit of 32`;
  assert.equal(tell(ledger, [claim("a", [ask("r", { count: 33 })])]), tooMany(33));
  assert.equal(tell(ledger, [claim("a", [ask("r", { mode: "All" })])]), tooMany(40));
  const bits = devices.map((it, i) => ({ ...it, attributes: attributes({ root: `${i % 20}` }) }));
  const odd = ledgerOf([slice(bits)]);
  const hopeless = claim("a", [ask("r", { count: 8 }), ask("q", { count: 8 })], {
    constraints: [{ requests: ["q"], attribute: "gpu.example.com/root", isDistinct: false }],
  });
  assert.equal(tell(odd, [hopeless]), "node n1: timed out trying to allocate devices");
});
