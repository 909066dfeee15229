/**
 * Writers and watchers that live through outages, as well-made clients do.
 * In: how to make a client, a namespace. Out: what each write was answered, what each watch told.
 * Never: takes a failed write for done or undone: it looks, which it can, as each object has one
 * writer.
 */
import assert from "node:assert/strict";
import type { KubeObject } from "../../../agents/api/meta.ts";
import { configMaps } from "../../../agents/api/resources.ts";
import { ApiError } from "../../../agents/api/status.ts";
import type { Client } from "../../../agents/client/client.ts";

export type MakeClient = () => Client & { close(): void };

/** One write that was answered, or found done. */
export interface Written {
  readonly kind: "put" | "delete";
  readonly name: string;
  readonly value: string;
  /** 0 where only the answer was lost. */
  readonly revision: number;
}

/** One event as a watch told it. */
export interface Told {
  readonly type: string;
  readonly name: string;
  readonly revision: number;
  readonly value: string;
}

const UPDATES = 3;

export const pause = (millis: number) => new Promise<void>((done) => setTimeout(done, millis));

/** Whether an answer leaves open what happened, or nothing has. */
export function isOutage(error: unknown): boolean {
  return error instanceof ApiError && [429, 500, 503, 504].includes(error.code);
}

/** Creates, updates and deletes objects of its own, one after the other. */
export class Writer {
  readonly written: Written[] = [];
  /** Answers that said nothing of what happened. */
  outages = 0;
  readonly done: Promise<void>;
  readonly #client: Client & { close(): void };
  readonly #place: { readonly namespace: string; readonly prefix: string };
  #isOver = false;

  constructor(makeClient: MakeClient, place: { namespace: string; prefix: string }) {
    this.#client = makeClient();
    this.#place = place;
    this.done = this.#run().finally(() => this.#client.close());
  }

  stop(): Promise<void> {
    this.#isOver = true;
    return this.done;
  }

  async #run(): Promise<void> {
    for (let i = 0; !this.#isOver; i++) {
      const name = `${this.#place.prefix}-${i}`;
      let object = await this.#create(name);
      for (let n = 1; n <= UPDATES; n++) object = await this.#update(object, String(n));
      // Every other object stays, so that the end state has something to show.
      if (i % 2 === 0) await this.#delete(name);
    }
  }

  async #create(name: string): Promise<KubeObject> {
    const draft = { metadata: { namespace: this.#place.namespace, name }, data: { value: "0" } };
    return await this.#persist("put", name, "0", async () => {
      try {
        return await this.#client.create<KubeObject>(configMaps, draft);
      } catch (error) {
        if (hasCode(error, 409)) return await this.#read(name);
        throw error;
      }
    });
  }

  async #update(object: KubeObject, value: string): Promise<KubeObject> {
    const name = object.metadata.name!;
    const draft = { ...object, data: { value } };
    return await this.#persist("put", name, value, async () => {
      try {
        return await this.#client.update<KubeObject>(configMaps, draft);
      } catch (error) {
        if (!hasCode(error, 409)) throw error;
        const found = await this.#read(name);
        assert.equal(found.data.value, value, `${name}: somebody else wrote it`);
        return found;
      }
    });
  }

  async #delete(name: string): Promise<void> {
    const { namespace } = this.#place;
    await this.#persist("delete", name, "", async () => {
      try {
        return await this.#client.delete(configMaps, { namespace, name });
      } catch (error) {
        if (hasCode(error, 404)) return { metadata: {} } as KubeObject;
        throw error;
      }
    });
  }

  /** A consistent read. It must show the last write that was answered. */
  async #read(name: string): Promise<KubeObject> {
    return await this.#client.get<KubeObject>(configMaps, {
      namespace: this.#place.namespace,
      name,
    });
  }

  /** Tries until the outcome is known. */
  async #persist(
    kind: Written["kind"],
    name: string,
    value: string,
    attempt: () => Promise<KubeObject>,
  ): Promise<KubeObject> {
    for (;;) {
      try {
        const object = await attempt();
        const revision = kind === "put" ? Number(object.metadata.resourceVersion) : 0;
        this.written.push({ kind, name, value, revision });
        return object;
      } catch (error) {
        if (!isOutage(error)) throw error;
        this.outages++;
        await pause(20);
      }
    }
  }
}

function hasCode(error: unknown, code: number): boolean {
  return error instanceof ApiError && error.code === code;
}

/** Lists once, then watches, resuming at the last revision heard for as long as it runs. */
export class Watching {
  readonly told: Told[] = [];
  /** Revision of the list that it began with. */
  readonly from: Promise<number>;
  readonly done: Promise<void>;
  resumed = 0;
  /** Last revision heard of, events and bookmarks. */
  revision = 0;
  readonly #client: Client & { close(): void };
  readonly #namespace: string;
  #isOver = false;

  constructor(makeClient: MakeClient, namespace: string) {
    this.#client = makeClient();
    this.#namespace = namespace;
    this.from = this.#begin();
    this.done = this.from.then(() => this.#run());
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    this.#client.close();
    await this.done;
  }

  async #begin(): Promise<number> {
    const list = await this.#client.list(configMaps, { namespace: this.#namespace });
    return this.revision = Number(list.metadata.resourceVersion);
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      try {
        const stream = await this.#client.watch<KubeObject>(configMaps, {
          namespace: this.#namespace,
          resourceVersion: String(this.revision),
          allowWatchBookmarks: true,
        });
        for await (const batch of stream) {
          for (const { type, object } of batch) {
            assert.notEqual(type, "ERROR", JSON.stringify(object));
            const { name = "", resourceVersion } = object.metadata;
            this.revision = Number(resourceVersion);
            if (type === "BOOKMARK") continue;
            this.told.push({ type, name, revision: this.revision, value: object.data.value });
          }
        }
      } catch (error) {
        if (this.#isOver) return;
        assert(isOutage(error), `a watch can't resume: ${error}`);
        await pause(20);
      }
      this.resumed++;
    }
  }
}
