/**
 * Which API servers of a store are there, so that the `kubernetes` service leads to all of them.
 * In: this server's address. Out: a record in the store that runs out by itself, and the service's
 * endpoints: every address that has one.
 * Never: publishes a loopback address, which leads elsewhere on each machine.
 * Source: pkg/controlplane/reconcilers/lease.go (v1.36): records of 15 s, renewed every 10 s.
 */
import { ApiError } from "../api/status.ts";
import { isPublishable, publishApiService } from "./bootstrap.ts";
import { decodeKey, encodeKey, encodePrefixEnd } from "./registry.ts";
import type { Core } from "./verbs/core.ts";

/** Outside of what the caches follow. */
const ROOT = "/balsa/apiservers/";
const RECORD_SECONDS = 15;
const RENEW_MILLIS = 10_000;

export interface ServerPlace {
  /** First address of the service range. */
  readonly clusterIp: string;
  /** Where clients reach this server. */
  readonly address: string;
}

export class ServerRecords {
  readonly #core: Core;
  readonly #place: ServerPlace;
  readonly #port: number;
  #stopRenewing: () => void = () => {};

  /** @param listener the server's own, for its port */
  constructor(core: Core, place: ServerPlace, listener: { readonly port: number }) {
    this.#core = core;
    this.#place = place;
    this.#port = listener.port;
  }

  /** Publishes this server. Errors: rejects with ApiError when the store can't write. */
  async start(): Promise<void> {
    const { address } = this.#place;
    if (!isPublishable(address)) return await this.#publish([]);
    await this.#renew();
    this.#stopRenewing = this.#core.clock.every(RENEW_MILLIS, () => {
      this.#renew().catch((error) =>
        this.#core.log("warn", "this server's record can't be renewed", { error: String(error) })
      );
    });
  }

  /** Takes this server out. */
  async stop(): Promise<void> {
    this.#stopRenewing();
    if (!isPublishable(this.#place.address)) return;
    try {
      await this.#core.store.deleteRange({ kind: "deleteRange", key: this.#key() });
      const others = await this.#addresses();
      // A cluster whose last server stops keeps its address: it may well come back.
      if (others.length > 0) await this.#publish(others);
    } catch (error) {
      this.#core.log("warn", "this server's record stays until it runs out", {
        error: String(error),
      });
    }
  }

  async #renew(): Promise<void> {
    const { store } = this.#core;
    const lease = await store.leaseGrant({ id: 0n, ttlSeconds: RECORD_SECONDS });
    if (lease.kind !== "lease") throw new Error(`the store grants no lease: ${lease.kind}`);
    const put = { kind: "put", key: this.#key(), value: this.#key(), lease: lease.id } as const;
    const answer = await store.put(put);
    if (answer.kind !== "put") throw new Error(`the store keeps no record: ${answer.kind}`);
    await this.#publish(await this.#addresses());
  }

  #key(): Uint8Array {
    return encodeKey(ROOT + this.#place.address);
  }

  /** Every server that has a record, in order. */
  async #addresses(): Promise<readonly string[]> {
    const range = { key: encodeKey(ROOT), rangeEnd: encodePrefixEnd(ROOT), keysOnly: true };
    const answer = await this.#core.store.range({ kind: "range", ...range });
    if (answer.kind !== "range") throw new Error(`the store tells no records: ${answer.kind}`);
    return answer.kvs.map(({ key }) => decodeKey(key).slice(ROOT.length));
  }

  async #publish(addresses: readonly string[]): Promise<void> {
    const { clusterIp } = this.#place;
    try {
      await publishApiService(this.#core, { clusterIp, addresses, port: this.#port });
    } catch (error) {
      // Another server was faster; the next renewal sees to what it did not know.
      if (!(error instanceof ApiError) || error.reason !== "Conflict") throw error;
    }
  }
}
