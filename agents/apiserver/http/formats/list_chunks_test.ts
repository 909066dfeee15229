/** Lists in pieces: the same bytes as in one go, and the thread given back between the pieces. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type FakeApi, podNamed, withApi } from "../../../../tests/fakes/api_server.ts";
import { encodeCbor } from "../../../api/schema/cbor.ts";
import { joinBytes } from "../../../api/text/join_bytes.ts";
import { slabsOf } from "../slabs.ts";
import { formatYaml, listChunks, type ListLayout } from "./list_chunks.ts";

const PODS = "/api/v1/namespaces/default/pods";
const COUNT = 150;

const LAYOUTS: readonly [Pick<ListLayout, "format" | "isPretty">, (list: unknown) => Uint8Array][] =
  [
    [{ format: "json", isPretty: false }, (list) => encode(`${JSON.stringify(list)}\n`)],
    [{ format: "json", isPretty: true }, (list) => encode(`${JSON.stringify(list, null, 2)}\n`)],
    [{ format: "yaml", isPretty: false }, (list) => encode(formatYaml(list))],
    [{ format: "cbor", isPretty: false }, (list) => encodeCbor(list)],
  ];

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.constantFrom("a\n\nb\n", "\n", " \n x\n\n\n", "a: b\n- c\n", "a\u2028b\r\nc", "|\n", "x\n\n"),
);
const value = fc.letrec((tie) => ({
  any: fc.oneof({ depthSize: "small" }, text, fc.integer(), fc.boolean(), tie("list"), tie("map")),
  list: fc.array(tie("any"), { maxLength: 3 }),
  map: fc.dictionary(text, tie("any"), { maxKeys: 3, noNullPrototype: true }),
})).map;

Deno.test("a list in pieces has the bytes of a list in one go", () => {
  fc.assert(
    fc.property(fc.array(value, { maxLength: 4 }), (items) => {
      const members = { kind: "XList", apiVersion: "v1", metadata: { resourceVersion: "7" } };
      for (const [of, inOneGo] of LAYOUTS) {
        const layout = { ...of, members, field: "items" };
        const pieces = [...listChunks(layout, items, (item) => item)] as Uint8Array<ArrayBuffer>[];
        const expected = inOneGo({ ...members, items });
        assert.equal(decode(joinBytes(pieces)), decode(expected), JSON.stringify(of));
      }
    }),
    { numRuns: 300, seed: 5 },
  );
});

Deno.test("what comes twice in a list is written twice in YAML", () => {
  const shared = { a: ["x"] };
  const layout = { format: "yaml", isPretty: false, members: {}, field: "items" } as const;
  const [, ...items] = listChunks(
    { ...layout, members: { kind: "L" } },
    [shared, shared],
    (one) => ({
      first: one,
      second: one,
    }),
  );
  for (const item of items) assert.ok(!/[&*]/.test(decode(item)), decode(item));
});

async function turnsOf(api: FakeApi, accept: string, query = ""): Promise<[number, number]> {
  const answer = await api.ask("GET", `${PODS}${query}`, undefined, { headers: { accept } });
  assert.equal(answer.status, 200, answer.text);
  const { body } = answer.response;
  assert.ok(body.kind === "chunks");
  let [turns, bytes] = [0, 0];
  const slice = { isOver: true, next: () => Promise.resolve(void turns++) };
  for await (const slab of slabsOf(body, slice)) bytes += slab.length;
  return [turns, bytes];
}

Deno.test("a list gives the thread back every few kilobytes, whatever it is written in", () =>
  withApi(async (api) => {
    const made = Array.from({ length: COUNT }, (_, i) => podNamed(`p${i}`));
    await Promise.all(made.map((pod) => api.ask("POST", PODS, pod)));
    const shapes = [
      "",
      ";as=Table;g=meta.k8s.io;v=v1",
      ";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
    ];
    for (const shape of shapes) {
      for (const type of ["json", "yaml", "cbor"]) {
        for (const query of type === "json" ? ["?pretty=true", ""] : [""]) {
          const isStored = shape === "" && type === "json" && query === "";
          const [turns, bytes] = await turnsOf(api, `application/${type}${shape}`, query);
          // What the cache holds costs a copy; all else is encoded piece by piece.
          const wanted = isStored ? Math.floor(2 * COUNT / 64) : Math.floor(bytes / 8192);
          assert.ok(turns >= wanted && wanted > 0, `${type}${shape}${query}: ${turns} of ${bytes}`);
        }
      }
    }
  }));
