/**
 * The only door into the store: the Store interface and `openStore`.
 * In: a StoreConfig and the ports that do its effects. Out: a Store.
 * Never: knows what its keys mean.
 */
import { denoPorts, type StorePorts } from "./deno_ports.ts";
import { EtcdMember } from "./member/etcd/etcd_member.ts";
import { openMember } from "./member/open.ts";
import { MemberStore } from "./member/member_store.ts";
import type { StoreOptions } from "./member/config.ts";
import type { Store } from "./store.ts";
import { serveEtcd } from "./wire/serve.ts";

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

/** A store of this process that etcd's clients reach too. */
export interface ServedStore {
  /** Closing it stops serving first. */
  readonly store: Store;
  /** Ports bound, in the order of the URLs. */
  readonly ports: readonly number[];
}

/**
 * Opens a store as `openStore` does, and serves etcd's API of it.
 *
 * @param options as of `openStore`
 * @param listenClientUrls `http://host:port` or `unix://path`; port 0 = any free one
 * @param ports effects; default those of this machine
 * Errors: rejects as `openStore` does, and when a URL can't be bound.
 */
export async function openServedStore(
  options: StoreOptions,
  listenClientUrls: readonly string[],
  ports: StorePorts = denoPorts(),
): Promise<ServedStore> {
  const opened = await openMember(options, ports);
  try {
    const serving = await serveEtcd(
      { listenClientUrls },
      new EtcdMember(opened, ports.timer),
      ports,
    );
    const close = async () => {
      await serving.close();
      await opened.close();
    };
    return { store: new MemberStore({ ...opened, close }), ports: serving.ports };
  } catch (error) {
    await opened.close();
    throw error;
  }
}
