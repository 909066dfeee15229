/**
 * One version of one object, and one event about it: decoded at most once, encoded at most once,
 * shared by every reader.
 * In: a key, stored bytes, a revision. Out: the frozen object, its JSON, its watch frame.
 * Never: changes after it was made.
 */
import type { KubeObject, WatchEvent } from "../../api/meta.ts";
import {
  formatResourceVersion,
  isSealed,
  sealStored,
  spliceResourceVersion,
  unreadable,
} from "../registry.ts";
import { encodeUtf8 } from "../../api/text/utf8.ts";
import type { Layout, Replaced } from "./stored_bytes.ts";
import { readStored } from "./stored_reading.ts";

export class StoredObject implements Replaced {
  readonly layout: Layout | null;
  #object: KubeObject | null = null;
  #json: Uint8Array | null = null;
  #isUnreadable = false;

  /**
   * @param key full key in the store
   * @param value stored bytes, without a resourceVersion
   * @param revision revision of the write, or of the deletion for an object that is gone
   * @param made what the bytes were made of, and how, when this process made them
   */
  constructor(
    readonly key: string,
    readonly value: Uint8Array,
    readonly revision: number,
    made?: { readonly draft: KubeObject; readonly layout: Layout | null },
  ) {
    this.layout = made?.layout ?? null;
    if (made !== undefined) this.#object = sealStored(made.draft, revision);
  }

  /**
   * Whether nobody can read it: its bytes did not open, or are no object of its kind. Decodes them,
   * which a start or a list can't do for everything at once.
   */
  get isUnreadable(): boolean {
    if (this.#object !== null || this.#isUnreadable) return this.#isUnreadable;
    if (!isSealed(this.value)) this.#object = readStored(this.key, this.value, this.revision);
    return this.#isUnreadable = this.#object === null;
  }

  /** Frozen, with its resourceVersion. Errors: throws ApiError 500 where it is unreadable. */
  get object(): KubeObject {
    if (this.isUnreadable) throw unreadable(this);
    return this.#object!;
  }

  /** JSON as clients read it. Errors: throws ApiError 500 where it is unreadable. */
  get json(): Uint8Array {
    if (this.#json === null && this.isUnreadable) throw unreadable(this);
    return this.#json ??= spliceResourceVersion(this.value, this.revision) ??
      encodeUtf8(JSON.stringify(this.#object));
  }

  /** The same content as a deletion reports it. */
  deletedAt(revision: number): StoredObject {
    const gone = new StoredObject(this.key, this.value, revision);
    const { object } = this;
    const resourceVersion = formatResourceVersion(revision);
    gone.#object = Object.freeze({
      ...object,
      metadata: Object.freeze({ ...object.metadata, resourceVersion }),
    });
    return gone;
  }
}

const encoder = new TextEncoder();
const FRAME_HEADS = {
  ADDED: encoder.encode('{"type":"ADDED","object":'),
  MODIFIED: encoder.encode('{"type":"MODIFIED","object":'),
  DELETED: encoder.encode('{"type":"DELETED","object":'),
} as const;
const FRAME_TAIL = encoder.encode("}\n");

export type ChangeType = "ADDED" | "MODIFIED" | "DELETED";

/** What a watcher is told about one object; one instance serves every watcher of that type. */
export class ObjectEvent implements WatchEvent {
  #frame: Uint8Array | null = null;

  constructor(readonly type: ChangeType, readonly stored: StoredObject) {}

  get object(): KubeObject {
    return this.stored.object;
  }

  /** The line that a watch over HTTP sends. */
  get frame(): Uint8Array {
    return this.#frame ??= frameOf(FRAME_HEADS[this.type], this.stored.json);
  }
}

function frameOf(head: Uint8Array, json: Uint8Array): Uint8Array {
  const out = new Uint8Array(head.length + json.length + FRAME_TAIL.length);
  out.set(head);
  out.set(json, head.length);
  out.set(FRAME_TAIL, head.length + json.length);
  return out;
}

/** One change of one key, kept for watchers that resume. */
export interface Change {
  readonly revision: number;
  readonly event: ObjectEvent;
  /** The version before, absent for a creation. */
  readonly previous: StoredObject | null;
}
