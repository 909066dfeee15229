/**
 * What is documented of structured parameters, case by case: counts, all devices, lists,
 * constraints, taints, counters, admin access, reach, generations.
 */

import assert from "node:assert/strict";
import type { ClaimRow, ClassRow, SliceRow } from "./device_row.ts";
import { DeviceLedger } from "./ledger.ts";
import {
  ask,
  attributes,
  byAttribute,
  claim,
  device,
  nodeNamed,
  NOWHERE,
  onNode,
  slice,
} from "./testing.ts";

const CLASSES: readonly ClassRow[] = [
  { name: "gpu", selectors: [] },
  { name: "big", selectors: ["size=big"] },
  { name: "broken", selectors: ["broken"] },
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

/** A claim that was given a device. */
function holding(name: string): ClaimRow {
  const { driver, pool } = device(name);
  const devices = [{ request: "r", driver, pool, device: name, adminAccess: false }];
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
    claim("a", pair, { constraints: [{ requests, attribute }] });
  assert.equal(tell(ledger, [bound([])]), "r:g1 q:g0");
  const two = claim("a", [ask("r", { className: "big", count: 2 })], {
    constraints: [{ requests: ["r"], attribute }],
  });
  assert.equal(tell(ledger, [two]), "r:g2 r:g3");
  const absent = claim("a", [ask("r")], {
    constraints: [{ requests: [], attribute: "x.example.com/y" }],
  });
  assert.equal(tell(ledger, [absent]), "none");
  const all = claim("a", [ask("r", { mode: "All" })], {
    constraints: [{ requests: [], attribute }],
  });
  assert.match(
    tell(ledger, [all]),
    /request r: cannot add device .*\/g2 because a claim constrain/,
  );
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
  const take = (amount: number) => ({ consumes: [{ set: "mem", counter: "gb", amount }] });
  const devices = [device("whole", take(40)), device("half", take(20)), device("half2", take(20))];
  const counters = [{ set: "mem", counter: "gb", amount: 40 }];
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
  const unknown = device("odd", { consumes: [{ set: "x", counter: "y", amount: 1 }] });
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
  assert.equal(tell(ledger, [claim("a", [ask("r", { count: 33 })])]), "none");
  assert.equal(tell(ledger, [claim("a", [ask("r", { mode: "All" })])]), "none");
  const bits = devices.map((it, i) => ({ ...it, attributes: attributes({ root: `${i % 20}` }) }));
  const odd = ledgerOf([slice(bits)]);
  const hopeless = claim("a", [ask("r", { count: 8 }), ask("q", { count: 8 })], {
    constraints: [{ requests: ["q"], attribute: "gpu.example.com/root" }],
  });
  assert.equal(tell(odd, [hopeless]), "node n1: timed out trying to allocate devices");
});
