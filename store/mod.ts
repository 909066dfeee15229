/**
 * The only door into the store: the Store interface and `openStore`.
 * In: a StoreConfig and the ports that do its effects. Out: a Store.
 * Never: knows what its keys mean.
 */
import { denoPorts, type StorePorts } from "./deno_ports.ts";
import { openMember } from "./member/open.ts";
import { MemberStore } from "./member/member_store.ts";
import type { StoreOptions } from "./member/config.ts";
import type { Store } from "./store.ts";

export type * from "./mvcc/types.ts";
export type * from "./store.ts";
export type { StorePorts } from "./deno_ports.ts";
export { denoPorts } from "./deno_ports.ts";
export type { StoreConfig, StoreOptions, TlsFiles } from "./member/config.ts";
export { validateConfig, withDefaults } from "./member/config.ts";

/**
 * Opens or creates the store of a data directory as a member of this process.
 *
 * @param options at least `dataDirectory`; see `StoreConfig` for the rest and the defaults
 * @param ports effects; default those of this machine
 * @returns a store that serves already when it is its cluster's only member
 * Errors: rejects when the configuration is invalid, the directory is in use by a living process,
 * or its data is damaged; the message names the flag, or the file and offset.
 *
 * @example
 * ```ts
 * const dataDirectory = await Deno.makeTempDir();
 * const store = await openStore({ dataDirectory });
 * const key = new TextEncoder().encode("greeting");
 * const value = new TextEncoder().encode("hello");
 * await store.put({ kind: "put", key, value });
 * const answer = await store.range({ kind: "range", key });
 * if (answer.kind !== "range" || answer.count !== 1) throw new Error("not found");
 * await store.close();
 * await Deno.remove(dataDirectory, { recursive: true });
 * ```
 */
export async function openStore(
  options: StoreOptions,
  ports: StorePorts = denoPorts(),
): Promise<Store> {
  return new MemberStore(await openMember(options, ports));
}
