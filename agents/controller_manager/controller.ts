/**
 * What a controller is: which objects it watches, and a plan that turns a key into actions.
 * In: nothing. Out: types only. A plan is pure and synchronous; `run.ts` observes and performs.
 * Never: a live client inside a plan; what a plan wants to know first, it asks for as a guard.
 */
import type { DeleteOptions, PatchType } from "../api/call.ts";
import type { KubeObject } from "../api/meta.ts";
import type { Resource } from "../api/resource.ts";
import type { IndexFunction } from "../client/lister.ts";

export interface ObjectPlace {
  readonly namespace?: string;
  readonly name: string;
}

/** Synchronous reads of the informers' copies; objects are frozen and shared. */
export interface View {
  get<T extends KubeObject>(resource: Resource, place: ObjectPlace): T | undefined;
  /** @param namespace absent or "" for all. */
  list<T extends KubeObject>(resource: Resource, namespace?: string): readonly T[];
  byIndex<T extends KubeObject>(
    resource: Resource,
    at: { readonly index: string; readonly value: string },
  ): readonly T[];
}

/** Why the last performance for a key broke off. */
export interface Failure {
  /** The action's kind. */
  readonly during: Action["kind"];
  readonly reason: string;
  readonly message: string;
}

export interface PlanInput {
  readonly view: View;
  /** Wall clock, milliseconds since 1970. */
  readonly nowMillis: number;
  /** Set when the last performance for this key failed, other than by a conflict. */
  readonly failure?: Failure;
}

export type Plan = (key: string, input: PlanInput) => readonly Action[];

/** Events about the outcome of a write; `{name}` and `{error}` are filled in. */
export interface Announcement {
  readonly about: KubeObject;
  readonly success?: { readonly reason: string; readonly message: string };
  readonly failure?: { readonly reason: string; readonly message: string };
}

/** Asked of the API server itself right before the write, because informers lag. */
export type Guard =
  /** No object of this place and uid exists. */
  | {
    readonly kind: "absent";
    readonly resource: Resource;
    readonly place: ObjectPlace;
    uid: string;
  }
  /** An object of this place and uid exists and is not being deleted. */
  | {
    readonly kind: "alive";
    readonly resource: Resource;
    readonly place: ObjectPlace;
    uid: string;
  }
  /** No object of this name exists. */
  | { readonly kind: "noneNamed"; readonly resource: Resource; readonly place: ObjectPlace }
  /** The namespace holds nothing of these resources. */
  | { readonly kind: "empty"; readonly resources: readonly Resource[]; readonly namespace: string };

interface WriteOptions {
  readonly announce?: Announcement;
  /** When one does not hold, the write and what follows it is left out and the key comes again. */
  readonly guards?: readonly Guard[];
}

export type Write =
  & WriteOptions
  & (
    | {
      readonly kind: "create";
      readonly resource: Resource;
      readonly object: KubeObject;
      /** It is enough that an object of this name exists. */
      readonly mayExist?: boolean;
    }
    | {
      readonly kind: "update";
      readonly resource: Resource;
      readonly object: KubeObject;
      readonly subresource?: string;
    }
    | {
      readonly kind: "patch";
      readonly resource: Resource;
      readonly place: ObjectPlace;
      readonly subresource?: string;
      readonly type?: PatchType;
      readonly body: unknown;
    }
    | {
      readonly kind: "delete";
      readonly resource: Resource;
      /** What the plan saw; its uid is the precondition. */
      readonly object: KubeObject;
      readonly options?: DeleteOptions;
    }
    | {
      readonly kind: "deleteCollection";
      readonly resource: Resource;
      readonly namespace: string;
    }
  );

/** Performed in order; the first failure ends the performance. */
export type Action =
  | Write
  /** Side by side: 1, then 2, then 4… while all go well, or at once. */
  | { readonly kind: "batch"; readonly writes: readonly Write[]; readonly slowStart: boolean }
  | {
    readonly kind: "event";
    readonly about: KubeObject;
    readonly type: "Normal" | "Warning";
    readonly reason: string;
    readonly message: string;
  }
  /** Plan the key again, at the latest after this time. */
  | { readonly kind: "requeue"; readonly afterMillis: number };

export interface Watch {
  readonly resource: Resource;
  /**
   * Keys to plan because of a change; asked for the new state and, on updates, the old one too.
   * Absent: the resource is only read.
   */
  readonly keysOf?: (object: KubeObject, view: View) => readonly string[];
  /** Waits this long, milliseconds, so that many changes make one plan. Default 0. */
  readonly settleMillis?: number;
  /** Whether an update matters. Default: always. */
  readonly ignoreUpdate?: (object: KubeObject, old: KubeObject) => boolean;
  /** Indexes the plan reads, beside the built-in one by namespace. */
  readonly indexes?: Readonly<Record<string, IndexFunction>>;
}

export interface Controller {
  /** The source of its events, such as `deployment-controller`. */
  readonly name: string;
  readonly workers: number;
  readonly watches: readonly Watch[];
  readonly plan: Plan;
}
