/**
 * `deno task bench NAME [flags]`: runs one bench in a process of its own.
 * In: the name of a bench and its flags. Out: its table and bench/results/NAME.json.
 * Never: knows what a bench measures; each file here is one claim.
 */
const BENCHES: Readonly<Record<string, string>> = {
  apiserver: "apiserver.ts",
  decisions: "scheduler_decisions.ts",
  store: "store.ts",
  scheduler: "scheduler_perf/main.ts",
  up: "up.ts",
};

const [name, ...flags] = Deno.args;
const file = BENCHES[name ?? ""];
if (file === undefined) {
  console.error(`usage: deno task bench ${Object.keys(BENCHES).join("|")} [flags]`);
  Deno.exit(2);
}
const status = await new Deno.Command(Deno.execPath(), {
  args: ["run", "-A", `${import.meta.dirname}/${file}`, ...flags],
  stdin: "null",
}).spawn().status;
Deno.exit(status.code);
