/** Tries the kinds of networking: defaults, refusals, what never changes, cells. */
import assert from "node:assert/strict";
import { cells, prepared, problems, updateProblems, worded } from "../testing.ts";
import * as rows from "../../resources.ts";

const backend = { service: { name: "web", port: { number: 80 } } };
const rule = {
  host: "a.example.com",
  http: { paths: [{ path: "/", pathType: "Prefix", backend }] },
};

Deno.test("an ingress passes and prints", () => {
  const object = prepared(rows.ingresses, { spec: { rules: [rule], tls: [{}] } });
  assert.deepEqual(problems(rows.ingresses, object), []);
  object.status = {
    loadBalancer: { ingress: [{ ip: "10.0.0.1" }, { hostname: "long.host.name" }] },
  };
  assert.deepEqual(cells(rows.ingresses, object), [
    "x",
    "<none>",
    "a.example.com",
    "10.0.0.1,long...",
    "80, 443",
    "<unknown>",
  ]);
});

Deno.test("ingresses are refused for what upstream refuses", () => {
  const path = (change: Record<string, unknown>) => ({
    rules: [{ http: { paths: [{ path: "/", pathType: "Exact", backend, ...change }] } }],
  });
  const at = "spec.rules[0].http.paths[0]";
  const cases: readonly [Record<string, unknown>, string][] = [
    [{}, "spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"],
    [path({ pathType: undefined }), `${at}.pathType: Required value: pathType must be specified`],
    [path({ path: "a" }), `${at}.path: Invalid value: "a": must be an absolute path`],
    [path({ path: "/a//b" }), `${at}.path: Invalid value: "/a//b": must not contain '//'`],
    [
      path({ backend: {} }),
      `${at}.backend: Invalid value: "": resource or service backend is ` +
      "required",
    ],
    [
      { rules: [{ host: "1.2.3.4" }] },
      'spec.rules[0].host: Invalid value: "1.2.3.4": must be a DNS name, not an IP address',
    ],
    [{ rules: [{ host: "*.*.com" }] }, "a wildcard DNS-1123 subdomain must start with '*.'"],
  ];
  for (const [spec, expected] of cases) {
    const found = problems(rows.ingresses, prepared(rows.ingresses, { spec })).join("\n");
    assert.ok(found.includes(expected), found);
  }
});

Deno.test("ingress classes keep their controller", () => {
  const row = rows.ingressClasses;
  const parameters = { apiGroup: "k8s.example.com", kind: "Settings", name: "s" };
  const old = prepared(row, { spec: { controller: "example.com/c", parameters } });
  assert.deepEqual(problems(row, old), []);
  old.metadata.annotations = { "ingressclass.kubernetes.io/is-default-class": "true" };
  assert.deepEqual(cells(row, old).slice(0, 3), [
    "x (default)",
    "example.com/c",
    "Settings.k8s.example.com/s",
  ]);
  const draft = structuredClone(old);
  draft.spec.controller = "c";
  assert.equal(updateProblems(row, draft, old).length, 1);
  assert.match(problems(row, draft)[0], /must be a domain-prefixed path/);
});

Deno.test("network policies: defaults, peers, ports", () => {
  const row = rows.networkPolicies;
  const object = prepared(row, {
    spec: {
      podSelector: { matchLabels: { app: "w" } },
      egress: [{ ports: [{ port: 80 }], to: [{ ipBlock: { cidr: "10.0.0.0/8" } }] }],
    },
  });
  assert.deepEqual(object.spec.policyTypes, ["Ingress", "Egress"]);
  assert.equal(object.spec.egress[0].ports[0].protocol, "TCP");
  assert.deepEqual(problems(row, object), []);
  assert.equal(cells(row, object)[1], "app=w");
  object.spec.egress[0] = {
    ports: [{ port: 80, endPort: 70 }],
    to: [{}, { ipBlock: { cidr: "10.0.0.0/8", except: ["11.0.0.0/16"] } }],
  };
  assert.deepEqual(problems(row, object), [
    "spec.egress[0].ports[0].endPort: Invalid value: 80: must be greater than or equal to `port`",
    "spec.egress[0].to[0]: Required value: must specify a peer",
    'spec.egress[0].to[1].ipBlock.except[0]: Invalid value: "11.0.0.0/16": must be a strict ' +
    "subset of `cidr`",
  ]);
});

Deno.test("service CIDRs may gain a second family", () => {
  const row = rows.serviceCidrs;
  const old = prepared(row, { spec: { cidrs: ["10.96.0.0/16"] } });
  assert.deepEqual(problems(row, old), []);
  const dual = prepared(row, { spec: { cidrs: ["10.96.0.0/16", "fd00::/108"] } });
  assert.deepEqual(updateProblems(row, dual, old), []);
  const same = prepared(row, { spec: { cidrs: ["10.96.0.0/16", "10.97.0.0/16"] } });
  assert.match(problems(row, same)[0], /no more than one IP for each IP family/);
  const moved = prepared(row, { spec: { cidrs: ["10.97.0.0/16"] } });
  assert.match(updateProblems(row, moved, old)[0], /field is immutable/);
});

Deno.test("addresses name the object that holds them", () => {
  const row = rows.ipAddresses;
  const parentRef = { resource: "services", namespace: "default", name: "web" };
  const object = prepared(row, { spec: { parentRef } });
  assert.deepEqual(problems(row, object), []);
  assert.equal(cells(row, object)[1], "services/default/web");
  const nothing = prepared(row, { spec: {} });
  assert.deepEqual(worded(row.rules.validate?.(nothing)), ["spec.parentRef: Required value"]);
});
