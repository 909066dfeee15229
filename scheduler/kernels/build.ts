/**
 * Assembles the kernels: `deno run -A scheduler/kernels/build.ts`.
 * In: place_pod.wat. Out: place_pod_wasm.ts, which holds the bytes as text; both are committed.
 * Never: runs as part of the scheduler; only this script touches files.
 */

import wabt from "wabt";

const [source, target] = ["place_pod.wat", "place_pod_wasm.ts"]
  .map((name) => new URL(name, import.meta.url));

const { parseWat } = await wabt();
const module = parseWat("place_pod.wat", await Deno.readTextFile(source), { simd: true });
module.validate();
const { buffer } = module.toBinary({});
const lines = buffer.toBase64().match(/.{1,96}/g)!.map((line) => `  "${line}",`);
await Deno.writeTextFile(
  target,
  `/**
 * The assembled bytes of place_pod.wat, in base64. Made by build.ts; not to be edited.
 * In: nothing. Out: lines that together are one WebAssembly module.
 * Never: differs from what build.ts makes of the source.
 */

export const PLACE_POD_WASM: readonly string[] = [
${lines.join("\n")}
];
`,
);
