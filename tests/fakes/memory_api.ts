/**
 * An API server's inner face in memory: enough of the semantics for controllers to run against.
 * In: ApiCalls. Out: frozen objects, resourceVersions, conflicts, graceful deletes, finalizers,
 * watches with resume and expiry. Never: validates, defaults or authorizes.
 */
import type {
  ApiAnswer,
  ApiCall,
  ApiPort,
  Binding,
  CallTarget,
  DeleteOptions,
  ListOptions,
  PodReport,
  WatchOptions,
  WatchStream,
} from "../../agents/api/call.ts";
import type { KubeObject, UserInfo, WatchEvent, WatchEventType } from "../../agents/api/meta.ts";
import { ApiError, type StatusReason } from "../../agents/api/status.ts";
import type { Client } from "../../agents/client/client.ts";
import type { Clock } from "../../agents/client/clock.ts";
import { createInProcessClient } from "../../agents/client/in_process.ts";
import { reportPods } from "../../agents/client/report_pods.ts";
import { WatchPipe } from "../../agents/client/watch_pipe.ts";

interface LoggedEvent {
  readonly revision: number;
  readonly plural: string;
  readonly event: WatchEvent;
}

interface Watcher {
  readonly target: CallTarget;
  readonly options: WatchOptions;
  readonly pipe: WatchPipe;
}

export class MemoryApi implements ApiPort {
  /** Every write that was asked for, in order: "create pods default/web-1". */
  readonly log: string[] = [];
  /** Called before each call; may throw an ApiError to make it fail. */
  beforeCall: (call: ApiCall) => void | Promise<void> = () => {};
  readonly #clock: Clock;
  readonly #objects = new Map<string, Map<string, KubeObject>>();
  #events: LoggedEvent[] = [];
  #watchers = new Set<Watcher>();
  #revision = 1;
  #compactedRevision = 0;
  #names = 0;
  /** While held, watches receive nothing, as behind a slow network. */
  #held: LoggedEvent[] | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get revision(): number {
    return this.#revision;
  }

  get watcherCount(): number {
    return this.#watchers.size;
  }

  /** A Client that acts as `name`. */
  client(name = "system:test"): Client {
    const user: UserInfo = { name, groups: ["system:masters"] };
    return createInProcessClient({ port: this, user });
  }

  holdWatches(): void {
    this.#held ??= [];
  }

  releaseWatches(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const logged of held) this.#deliver(logged);
  }

  /** Ends every watch, as a restarted server does. */
  endWatches(): void {
    for (const watcher of this.#watchers) watcher.pipe.end();
    this.#watchers.clear();
  }

  /** Forgets the past, so that older watches are told to list again. */
  compact(): void {
    this.#compactedRevision = this.#revision;
    this.#events = [];
  }

  /** All objects of a resource, for assertions. */
  all(plural: string): KubeObject[] {
    return [...this.#objects.get(plural)?.values() ?? []];
  }

  async call(call: ApiCall): Promise<ApiAnswer> {
    await Promise.resolve();
    await this.beforeCall(call);
    if (call.verb !== "get" && call.verb !== "list") this.log.push(describe(call));
    switch (call.verb) {
      case "get":
        return { kind: "object", object: this.#find(call), created: false };
      case "list":
        return {
          kind: "list",
          items: this.#select(call, call.options),
          metadata: { resourceVersion: String(this.#revision) },
        };
      case "create":
        return { kind: "object", object: this.#create(call, call.object), created: true };
      case "update":
        return { kind: "object", object: this.#update(call, call.object), created: false };
      case "patch": {
        const old = this.#find(call);
        return {
          kind: "object",
          object: this.#update(call, merge(old, call.patch) as KubeObject),
          created: false,
        };
      }
      case "delete":
        return { kind: "deleted", object: this.#delete(call, call.options) };
      case "deletecollection":
        for (const object of this.#select(call, call.list)) {
          this.#delete({ ...call, ...nameOf(object) }, call.options);
        }
        return { kind: "list", items: [], metadata: {} };
    }
  }

  async watch(target: CallTarget, options: WatchOptions): Promise<WatchStream> {
    await Promise.resolve();
    const since = Number(options.resourceVersion ?? "0");
    if (since > 0 && since < this.#compactedRevision) {
      throw failure(410, "Expired", `too old resource version: ${since}`);
    }
    const pipe: WatchPipe = new WatchPipe({ onClose: () => void this.#watchers.delete(watcher) });
    const watcher: Watcher = { target, options, pipe };
    if (options.sendInitialEvents) {
      const objects = this.#select(target, options);
      const bookmark: KubeObject = {
        metadata: {
          resourceVersion: String(this.#revision),
          annotations: { "k8s.io/initial-events-end": "true" },
        },
      };
      pipe.push([
        ...objects.map((object): WatchEvent => ({ type: "ADDED", object })),
        { type: "BOOKMARK", object: bookmark },
      ]);
    } else if (since > 0) {
      pipe.push(
        this.#events
          .filter((logged) => logged.revision > since && wants(watcher, logged))
          .map((logged) => logged.event),
      );
    }
    this.#watchers.add(watcher);
    return pipe;
  }

  reportMany(user: UserInfo, reports: readonly PodReport[]): Promise<readonly (null | Error)[]> {
    return reportPods(this.client(user.name), reports);
  }

  async bindMany(user: UserInfo, bindings: readonly Binding[]): Promise<readonly (null | Error)[]> {
    await Promise.resolve();
    return bindings.map(({ namespace, name, nodeName }) => {
      const pods = this.#table("pods");
      const pod = pods.get(`${namespace}/${name}`);
      if (pod === undefined) return failure(404, "NotFound", `pods "${name}" not found`);
      if (pod.spec.nodeName) return failure(409, "Conflict", `pod ${name} is already assigned`);
      this.log.push(`bind pods ${namespace}/${name} ${nodeName} ${user.name}`);
      this.#put("pods", "MODIFIED", { ...pod, spec: { ...pod.spec, nodeName } });
      return null;
    });
  }

  #table(plural: string): Map<string, KubeObject> {
    let table = this.#objects.get(plural);
    if (table === undefined) this.#objects.set(plural, table = new Map());
    return table;
  }

  #find(target: CallTarget): KubeObject {
    const { resource, namespace, name } = target;
    const object = this.#table(resource.plural).get(keyOf(namespace, name));
    if (object === undefined) {
      throw failure(404, "NotFound", `${resource.plural} "${name}" not found`);
    }
    return object;
  }

  #select(target: CallTarget, options: ListOptions): KubeObject[] {
    return this.all(target.resource.plural).filter((object) => matches(target, options, object));
  }

  #create(call: CallTarget, draft: KubeObject): KubeObject {
    const { plural, group, version, kind } = call.resource;
    const namespace = call.namespace;
    const name = draft.metadata.name ??
      `${draft.metadata.generateName}${(this.#names++).toString(36).padStart(5, "0")}`;
    const key = keyOf(namespace, name);
    if (this.#table(plural).has(key)) {
      throw failure(409, "AlreadyExists", `${plural} "${name}" already exists`);
    }
    return this.#put(plural, "ADDED", {
      ...draft,
      apiVersion: group === "" ? version : `${group}/${version}`,
      kind,
      metadata: {
        ...draft.metadata,
        name,
        ...(namespace === "" ? {} : { namespace }),
        uid: `uid-${this.#revision + 1}`,
        creationTimestamp: new Date(this.#clock.nowMillis()).toISOString().slice(0, 19) + "Z",
        generation: 1,
      },
    });
  }

  #update(call: CallTarget, draft: KubeObject): KubeObject {
    const old = this.#find({ ...call, ...(call.name ? {} : nameOf(draft)) });
    const { resourceVersion, uid } = draft.metadata;
    if (resourceVersion !== undefined && resourceVersion !== old.metadata.resourceVersion) {
      throw failure(409, "Conflict", "the object has been modified; please apply your changes");
    }
    if (uid !== undefined && uid !== old.metadata.uid) {
      throw failure(409, "Conflict", "Precondition failed: UID in precondition");
    }
    const plural = call.resource.plural;
    let next: KubeObject;
    if (call.subresource === "status") next = { ...old, status: draft.status };
    else if (call.subresource === "finalize") next = { ...old, spec: draft.spec };
    else next = { ...draft, status: hasStatus(plural) ? old.status : draft.status };
    if (next.status === undefined) delete next.status;
    const specMoved = JSON.stringify(next.spec) !== JSON.stringify(old.spec);
    const { deletionTimestamp, deletionGracePeriodSeconds, creationTimestamp } = old.metadata;
    next.metadata = {
      ...next.metadata,
      uid: old.metadata.uid,
      creationTimestamp,
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp, deletionGracePeriodSeconds }),
      resourceVersion: old.metadata.resourceVersion,
      generation: (old.metadata.generation ?? 1) + (specMoved ? 1 : 0),
    };
    if (JSON.stringify(next) === JSON.stringify(old)) return old;
    if (isFinished(plural, next)) return this.#put(plural, "DELETED", next);
    return this.#put(plural, "MODIFIED", next);
  }

  #delete(call: CallTarget, options: DeleteOptions): KubeObject {
    const old = this.#find(call);
    const plural = call.resource.plural;
    const { uid, resourceVersion } = options.preconditions ?? {};
    if (
      (uid !== undefined && uid !== old.metadata.uid) ||
      (resourceVersion !== undefined && resourceVersion !== old.metadata.resourceVersion)
    ) throw failure(409, "Conflict", "Precondition failed");
    const finalizers = new Set(old.metadata.finalizers ?? []);
    if (options.propagationPolicy === "Foreground") finalizers.add("foregroundDeletion");
    if (options.propagationPolicy === "Orphan") finalizers.add("orphan");
    const bound = plural === "pods" && old.spec?.nodeName;
    const grace = options.gracePeriodSeconds ??
      (bound ? old.spec.terminationGracePeriodSeconds ?? 30 : 0);
    const doomed: KubeObject = {
      ...old,
      metadata: {
        ...old.metadata,
        ...(finalizers.size === 0 ? {} : { finalizers: [...finalizers] }),
        deletionTimestamp: old.metadata.deletionTimestamp ??
          new Date(this.#clock.nowMillis() + grace * 1000).toISOString().slice(0, 19) + "Z",
        deletionGracePeriodSeconds: grace,
      },
    };
    if (plural === "namespaces") doomed.status = { ...doomed.status, phase: "Terminating" };
    const held = finalizers.size > 0 || (bound && grace > 0) ||
      (plural === "namespaces" && (old.spec?.finalizers ?? []).length > 0);
    if (!held) return this.#put(plural, "DELETED", old);
    if (JSON.stringify(doomed) === JSON.stringify(old)) return old;
    return this.#put(plural, "MODIFIED", doomed);
  }

  #put(plural: string, type: WatchEventType, object: KubeObject): KubeObject {
    const revision = ++this.#revision;
    const stored = freeze({
      ...object,
      metadata: { ...object.metadata, resourceVersion: String(revision) },
    });
    const { namespace = "", name = "" } = stored.metadata;
    if (type === "DELETED") this.#table(plural).delete(keyOf(namespace, name));
    else this.#table(plural).set(keyOf(namespace, name), stored);
    const logged: LoggedEvent = { revision, plural, event: { type, object: stored } };
    this.#events.push(logged);
    if (this.#held !== undefined) this.#held.push(logged);
    else this.#deliver(logged);
    return stored;
  }

  #deliver(logged: LoggedEvent): void {
    for (const watcher of this.#watchers) {
      if (wants(watcher, logged)) watcher.pipe.push([logged.event]);
    }
  }
}

function wants(watcher: Watcher, logged: LoggedEvent): boolean {
  return watcher.target.resource.plural === logged.plural &&
    matches(watcher.target, watcher.options, logged.event.object);
}

function matches(target: CallTarget, options: ListOptions, object: KubeObject): boolean {
  const { namespace, labels = {}, name } = object.metadata;
  if (target.namespace !== "" && namespace !== target.namespace) return false;
  for (const term of (options.labelSelector ?? "").split(",").filter((text) => text !== "")) {
    const [key, value] = term.split("=");
    if (labels[key] !== value) return false;
  }
  const field = options.fieldSelector?.match(/^metadata\.name=(.*)$/);
  return field === null || field === undefined || field[1] === name;
}

function hasStatus(plural: string): boolean {
  return !["events", "configmaps", "leases", "endpoints", "endpointslices"].includes(plural);
}

function isFinished(plural: string, object: KubeObject): boolean {
  const { deletionTimestamp, finalizers = [], deletionGracePeriodSeconds = 0 } = object.metadata;
  if (deletionTimestamp === undefined || finalizers.length > 0) return false;
  if (plural === "namespaces") return (object.spec?.finalizers ?? []).length === 0;
  return deletionGracePeriodSeconds === 0;
}

/** JSON merge patch, RFC 7386. */
function merge(target: unknown, patch: unknown): unknown {
  if (patch === null || typeof patch !== "object" || Array.isArray(patch)) return patch;
  const from = target !== null && typeof target === "object" ? target : {};
  const merged: Record<string, unknown> = { ...from };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = merge(merged[key], value);
  }
  return merged;
}

function keyOf(namespace: string, name: string): string {
  return namespace === "" ? name : `${namespace}/${name}`;
}

function nameOf(object: KubeObject): { namespace: string; name: string } {
  return { namespace: object.metadata.namespace ?? "", name: object.metadata.name ?? "" };
}

function describe(call: ApiCall): string {
  const plural = call.resource.plural + (call.subresource === "" ? "" : `/${call.subresource}`);
  const name = call.verb === "create"
    ? call.object.metadata.name ?? `${call.object.metadata.generateName}*`
    : call.name;
  return `${call.verb} ${plural} ${keyOf(call.namespace, name)}`.trimEnd();
}

function freeze<T>(value: T): T {
  if (value === null || typeof value !== "object" || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) freeze(inner);
  return Object.freeze(value);
}

/** An ApiError as a server would word it. */
export function failure(code: number, reason: StatusReason, message: string): ApiError {
  return new ApiError({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    reason,
    code,
  });
}
