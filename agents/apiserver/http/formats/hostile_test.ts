/**
 * Bodies, queries and headers that were made to hurt: each is answered with its Status in little
 * time, nothing is logged as the server's own failure, and nothing of the server shows.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type Answer, type FakeApi, withApi } from "../../../../tests/fakes/api_server.ts";
import { encodeCbor } from "../../../api/schema/cbor.ts";
import { encodeObject } from "../../../api/schema/protobuf_encode.ts";

const MAPS = "/api/v1/namespaces/default/configmaps";
const HEAD = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":';
const YAML_HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n";
const PROTOBUF = "application/vnd.kubernetes.protobuf";
const MERGE = "application/merge-patch+json";
const JSON_PATCH = "application/json-patch+json";

/** Nothing of the server's own may stand in an answer. */
const LEAKS = /\.ts\b|\bat \w+ \(|node_modules|file:\/\/|Deno|undefined is not|RangeError|hunter2/;

interface Tried {
  readonly api: FakeApi;
  readonly failures: unknown[];
}

/** A server with a ConfigMap and a Secret, whose log must stay free of failures. */
function withObjects(run: (tried: Tried) => Promise<void>): Promise<void> {
  const failures: unknown[] = [];
  const log = (level: string, ...rest: unknown[]) => {
    if (level === "error") failures.push(rest);
  };
  return withApi(async (api) => {
    await api.ask("POST", MAPS, { metadata: { name: "p" }, data: { a: "b" } });
    await api.ask("POST", "/api/v1/namespaces/default/secrets", {
      metadata: { name: "s" },
      stringData: { password: "hunter2" },
    });
    await run({ api, failures });
    assert.deepEqual(failures, []);
  }, { log });
}

/** A failure is a Status that says so and nothing else. */
function checkAnswer(answer: Answer, what: string): void {
  assert(answer.status < 500, `${what}: ${answer.status} ${answer.text}`);
  if (answer.status < 400) return;
  assert.equal(answer.json?.kind, "Status", `${what}: ${answer.text}`);
  assert.equal(answer.json.code, answer.status, what);
  assert(!LEAKS.test(answer.text), `${what}: ${answer.text}`);
}

const nested = (open: string, close: string, depth: number) =>
  open.repeat(depth) + close.repeat(depth);

function aliasBomb(): string {
  let text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (let i = 1; i < 12; i++) {
    text += `a${i}: &a${i} [${Array(10).fill(`*a${i - 1}`).join(", ")}]\n`;
  }
  return text;
}

const manyKeys = (count: number) =>
  Array.from({ length: count }, (_, i) => `  k${i}: v`).join("\n");
const copies = Array.from({ length: 26 }, (_, i) => ({
  op: "copy",
  from: "/data",
  path: `/data/b${i}`,
}));
const cbor = (...bytes: number[]) => new Uint8Array([0xd9, 0xd9, 0xf7, ...bytes]);

const BOMBS: readonly (readonly [string, string, string, string | Uint8Array, number])[] = [
  ["deep arrays", "POST", "application/json", HEAD + nested("[", "]", 500_000) + "}", 400],
  ["deep objects", "POST", "application/json", HEAD + nested('{"a":', "}", 200_000) + "}", 400],
  ["an unclosed depth", "POST", "application/json", HEAD + "[".repeat(1_000_000), 400],
  ["an unclosed string", "POST", "application/json", HEAD + '"' + "x".repeat(1_000_000), 400],
  ["deep YAML", "POST", "application/yaml", `${YAML_HEAD}data: ${nested("[", "]", 50_000)}`, 400],
  ["aliases of aliases", "POST", "application/yaml", YAML_HEAD + aliasBomb(), 400],
  ["an alias of itself", "POST", "application/yaml", `${YAML_HEAD}data: &a {b: *a}`, 400],
  ["YAML of many keys", "POST", "application/yaml", `${YAML_HEAD}data:\n${manyKeys(40_000)}`, 413],
  ["a key twice", "POST", "application/yaml", `${YAML_HEAD}data: {a: x, a: y}`, 400],
  ["two documents", "POST", "application/yaml", `${YAML_HEAD}---\n${YAML_HEAD}`, 400],
  ["deep CBOR", "POST", "application/cbor", cbor(...Array(100_000).fill(0x81), 0), 400],
  ["CBOR of 2^32 items", "POST", "application/cbor", cbor(0x9b, 0, 0, 0, 1, 0, 0, 0, 0), 400],
  ["CBOR of 2^32 bytes", "POST", "application/cbor", cbor(0x5b, 0, 0, 0, 1, 0, 0, 0, 0), 400],
  ["endless CBOR", "POST", "application/cbor", cbor(0x9f, ...Array(1000).fill(0x9f)), 400],
  ["endless varint", "POST", PROTOBUF, bytesOf("k8s\0", Array(1000).fill(0xff)), 400],
  ["a message longer than its body", "POST", PROTOBUF, bytesOf("k8s\0", [0x12, 0xff, 0x7f]), 400],
  ["a body too long", "POST", "application/json", "x".repeat(3 * 1024 * 1024 + 1), 413],
  ["bytes that are no text", "POST", "application/json", new Uint8Array([0xff, 0xfe, 0x7b]), 400],
  ["an unknown type", "POST", "application/x-sh", "{}", 415],
  ["a deep patch", "PATCH", MERGE, nested('{"data":', "}", 200_000), 400],
  ["a deep apply", "PATCH", "application/apply-patch+yaml", nested("{a: ", "}", 20_000), 400],
  ["20,000 operations", "PATCH", JSON_PATCH, `[${Array(20_000).fill('{"op":"x"}')}]`, 413],
  ["copies of copies", "PATCH", JSON_PATCH, JSON.stringify(copies), 422],
  ["a patch of the prototype", "PATCH", JSON_PATCH, prototypePatch("/__proto__/polluted"), 422],
  [
    "and of its constructor",
    "PATCH",
    JSON_PATCH,
    prototypePatch("/constructor/prototype/polluted"),
    422,
  ],
  ["a merge into the prototype", "PATCH", MERGE, '{"__proto__":{"polluted":1}}', 200],
];

function prototypePatch(path: string): string {
  return JSON.stringify([{ op: "add", path, value: 1 }]);
}

function bytesOf(head: string, tail: readonly number[]): Uint8Array {
  return new Uint8Array([...new TextEncoder().encode(head), ...tail]);
}

Deno.test("bodies that were made to hurt are refused, soon and by name", () =>
  withObjects(async ({ api }) => {
    for (const [name, method, type, body, status] of BOMBS) {
      const url = method === "POST" ? MAPS : `${MAPS}/p?fieldManager=m`;
      const started = performance.now();
      const headers = { "content-type": type, accept: "application/json" };
      const answer = await api.ask(method, url, body, { headers });
      // Whatever else the machine does: what grows with the square takes minutes here.
      assert(performance.now() - started < 10_000, `${name} took too long`);
      checkAnswer(answer, name);
      assert.equal(answer.status, status, `${name}: ${answer.text.slice(0, 300)}`);
    }
    assert.equal(({} as Record<string, unknown>).polluted, undefined);
  }));

const SAMPLE = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "x", labels: { a: "b" }, annotations: { "example.com/a": "c" } },
  spec: {
    containers: [{ name: "c", image: "i", ports: [{ containerPort: 80 }], env: [{ name: "A" }] }],
    nodeSelector: { x: "y" },
    tolerations: [{ operator: "Exists" }],
  },
};

/** A sample in each format, to be bent. */
function seeds(): readonly (readonly [method: string, url: string, type: string, Uint8Array])[] {
  const text = (value: string) => new TextEncoder().encode(value);
  const pods = "/api/v1/namespaces/default/pods?fieldValidation=Strict";
  const map = `${MAPS}/p`;
  const json = text(JSON.stringify(SAMPLE));
  const operations = [
    { op: "add", path: "/data/x", value: "y" },
    { op: "test", path: "/data/a", value: "b" },
    { op: "move", from: "/data/a", path: "/data/c" },
  ];
  const apply =
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: p\ndata:\n  a: &x b\n  c: *x\n";
  const yaml =
    "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec:\n  containers:\n  - name: c\n" +
    "    image: |-\n      i\n";
  const protobuf = encodeObject("io.k8s.api.core.v1.Pod", SAMPLE);
  return [
    ["POST", pods, "application/json", json],
    ["POST", pods, "application/yaml", text(yaml)],
    ["POST", pods, "application/cbor", encodeCbor(SAMPLE)],
    ["POST", pods, PROTOBUF, protobuf],
    ["PATCH", map, JSON_PATCH, text(JSON.stringify(operations))],
    ["PATCH", map, MERGE, text('{"data":{"a":null,"z":"1"},"metadata":{"labels":{"a":"b"}}}')],
    ["PATCH", map, "application/strategic-merge-patch+json", text('{"data":{"$patch":"replace"}}')],
    ["PATCH", `${map}?fieldManager=m&force=true`, "application/apply-patch+yaml", text(apply)],
    [
      "DELETE",
      `${MAPS}/none`,
      "application/json",
      text('{"gracePeriodSeconds":0,"dryRun":["All"]}'),
    ],
    [
      "POST",
      "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
      "application/json",
      text('{"spec":{"resourceAttributes":{"verb":"get","resource":"pods","name":"x"}}}'),
    ],
    [
      "POST",
      "/apis/authentication.k8s.io/v1/tokenreviews",
      "application/json",
      text('{"spec":{"token":"a.b.c","audiences":["x"]}}'),
    ],
  ];
}

type Bend = { readonly at: number; readonly how: number; readonly byte: number };
const bend: fc.Arbitrary<Bend> = fc.record({
  at: fc.nat(),
  how: fc.nat(4),
  byte: fc.oneof(
    fc.nat(255),
    fc.constantFrom(
      ...'{}[]":,\\0-9eE.nt&*!|>%\n '.split("")
        .map((letter) => letter.charCodeAt(0)),
    ),
  ),
});

function bent(bytes: Uint8Array, bends: readonly Bend[]): Uint8Array {
  let out = [...bytes];
  for (const { at, how, byte } of bends) {
    const i = at % (out.length + 1);
    if (how === 0) out[i] = byte;
    else if (how === 1) out.splice(i, 0, byte);
    else if (how === 2) out.splice(i, 1 + byte % 16);
    else if (how === 3) out = out.slice(0, i);
    else out.splice(i, 0, ...out.slice(0, byte));
  }
  return new Uint8Array(out);
}

Deno.test("fuzz: bodies of every format, bent", () =>
  withObjects(async ({ api }) => {
    const all = seeds();
    await fc.assert(
      fc.asyncProperty(
        fc.nat(all.length - 1),
        fc.array(bend, { minLength: 1, maxLength: 6 }),
        async (which, bends) => {
          const [method, url, type, bytes] = all[which];
          const headers = { "content-type": type, accept: "application/json" };
          const answer = await api.ask(method, url, bent(bytes, bends), { headers });
          checkAnswer(answer, `${method} ${url} ${type}`);
        },
      ),
      { numRuns: 1500, seed: 36 },
    );
  }));

Deno.test("an unbent body of every format is taken", () =>
  withObjects(async ({ api }) => {
    for (const [method, url, type, bytes] of seeds()) {
      const headers = { "content-type": type, accept: "application/json" };
      const answer = await api.ask(method, url, bytes, { headers });
      const isFine = answer.status < 300 || [404, 409].includes(answer.status);
      assert(isFine, `${method} ${url} ${type}: ${answer.text}`);
    }
  }));

const fragment = fc.constantFrom(
  ...("a b = == != in notin ( ) , ! exists metadata.name spec.nodeName status.phase % %00 %zz ' \" " +
    "\\ / .. ? & # 0 -1 1e9 99999999999999999999 true null NotOlderThan Exact eyJ2IjoibWV0YSJ9 " +
    "\u{1f600} \u0000").split(" "),
);
const phrase = fc.array(fragment, { maxLength: 8 }).map((parts) => parts.join(""));
const OPTIONS = [
  "labelSelector",
  "fieldSelector",
  "continue",
  "limit",
  "resourceVersion",
  "resourceVersionMatch",
  "timeoutSeconds",
  "sendInitialEvents",
  "dryRun",
  "fieldManager",
  "fieldValidation",
  "pretty",
  "gracePeriodSeconds",
  "propagationPolicy",
  "includeObject",
];

Deno.test("fuzz: queries, paths and headers", () =>
  withObjects(async ({ api }) => {
    const query = fc.array(fc.tuple(fc.constantFrom(...OPTIONS), phrase, fc.boolean()), {
      maxLength: 4,
    });
    const path = fc.oneof(
      fc.constantFrom(MAPS, `${MAPS}/p`, "/api/v1/pods", "/apis/apps/v1/deployments"),
      phrase.map((text) => `${MAPS}/${text}`),
      phrase.map((text) => `/api${text}`),
      phrase.map((text) => `/apis/${text}/v1/${text}`),
    );
    const accept = fc.oneof(
      fc.constantFrom("application/json", "*/*", "application/json;as=Table;g=meta.k8s.io;v=v1"),
      phrase,
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "X"),
        path,
        query,
        accept,
        async (method, where, options, wanted) => {
          const text = options.map(([name, value, isRaw]) =>
            `${name}=${isRaw ? value : encodeURIComponent(value)}`
          ).join("&");
          const url = `${where.split("?")[0]}?${text}`;
          const headers = { accept: wanted, "content-type": "application/json" };
          const answer = await api.ask(method, url, undefined, { headers });
          const { body } = answer.response;
          if (body.kind === "stream") return body.stream.close();
          assert(answer.status < 500 || answer.status === 504, `${method} ${url}: ${answer.text}`);
          assert(!LEAKS.test(answer.text), `${method} ${url}: ${answer.text}`);
        },
      ),
      { numRuns: 1500, seed: 37 },
    );
  }));
