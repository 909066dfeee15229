/**
 * Performs the actions of a plan through a Client, in order.
 * In: actions. Out: the first failure, if any, and the shortest requeue the plan asked for.
 * Never: retries; whatever went wrong, the key is planned again from what is true then.
 */
import type { DeleteOptions } from "../api/call.ts";
import type { KubeObject } from "../api/meta.ts";
import type { Resource } from "../api/resource.ts";
import { ApiError } from "../api/status.ts";
import type { Client } from "../client/client.ts";
import type { EventRecorder } from "../client/events.ts";
import type { Action, Announcement, Guard, Write } from "./controller.ts";

export interface PerformOptions {
  readonly client: Client;
  readonly recorder: Pick<EventRecorder, "record">;
  /** Told of each object written and of each delete that was accepted. */
  readonly onWritten: (resource: Resource, object: KubeObject) => void;
  readonly onDeleted: (resource: Resource, object: KubeObject) => void;
}

export type Outcome =
  | { readonly kind: "done"; readonly requeueMillis?: number }
  /** A guard did not hold: plan again soon. */
  | { readonly kind: "held" }
  | { readonly kind: "failed"; readonly during: Action["kind"]; readonly error: ApiError };

/** Writes in flight at the same time within one batch. */
const BATCH_WIDTH = 500;

/** Errors: none but our own bugs; failures of the API server are outcomes. */
export async function perform(
  actions: readonly Action[],
  options: PerformOptions,
): Promise<Outcome> {
  let requeueMillis: number | undefined;
  for (const action of actions) {
    try {
      switch (action.kind) {
        case "event":
          options.recorder.record(action);
          break;
        case "requeue":
          requeueMillis = Math.min(requeueMillis ?? Infinity, action.afterMillis);
          break;
        case "batch":
          await writeBatch(action.writes, action.slowStart, options);
          break;
        default:
          if (!await write(action, options)) return { kind: "held" };
      }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return { kind: "failed", during: action.kind, error };
    }
  }
  return { kind: "done", ...(requeueMillis !== undefined && { requeueMillis }) };
}

/** Errors: throws the first failure, after the writes beside it have ended. */
async function writeBatch(
  writes: readonly Write[],
  slowStart: boolean,
  options: PerformOptions,
): Promise<void> {
  let width = slowStart ? 1 : BATCH_WIDTH;
  for (let start = 0; start < writes.length;) {
    const part = writes.slice(start, start + width);
    const outcomes = await Promise.allSettled(part.map((one) => write(one, options)));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    start += part.length;
    width = Math.min(width * 2, BATCH_WIDTH);
  }
}

/** @returns false when a guard did not hold. Errors: throws ApiError. */
async function write(action: Write, options: PerformOptions): Promise<boolean> {
  for (const guard of action.guards ?? []) {
    if (!await holds(guard, options.client)) return false;
  }
  try {
    const name = await send(action, options);
    if (action.announce?.success !== undefined) {
      announce(options, action.announce, "success", { name });
    }
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (isMoot(action, error)) return true;
    if (action.announce?.failure !== undefined) {
      announce(options, action.announce, "failure", { error: error.message });
    }
    throw error;
  }
  return true;
}

/** @returns the name of what was written. */
async function send(action: Write, options: PerformOptions): Promise<string> {
  const { client } = options;
  switch (action.kind) {
    case "create": {
      const object = await client.create(action.resource, action.object);
      options.onWritten(action.resource, object);
      return object.metadata.name ?? "";
    }
    case "update": {
      const { subresource } = action;
      const object = await client.update(action.resource, action.object, {
        ...(subresource === undefined ? {} : { subresource }),
      });
      options.onWritten(action.resource, object);
      return action.object.metadata.name ?? "";
    }
    case "patch": {
      const { subresource, place, body, type = "application/merge-patch+json" } = action;
      const target = { ...place, ...(subresource === undefined ? {} : { subresource }) };
      options.onWritten(
        action.resource,
        await client.patch(action.resource, target, { type, body }),
      );
      return place.name;
    }
    case "delete": {
      const { namespace, name = "", uid } = action.object.metadata;
      const deleteOptions: DeleteOptions = { preconditions: { uid: uid! }, ...action.options };
      await client.delete(action.resource, { namespace, name }, deleteOptions);
      options.onDeleted(action.resource, action.object);
      return name;
    }
    case "deleteCollection":
      await client.deleteCollection(action.resource, { namespace: action.namespace });
      return "";
  }
}

/** Failures after which the world is as the plan wanted it. */
function isMoot(action: Write, error: ApiError): boolean {
  switch (action.kind) {
    case "create": {
      if (action.mayExist === true && error.reason === "AlreadyExists") return true;
      // Without a namespace, or in one on its way out, all creates fail and none is needed.
      if (error.code === 404) return true;
      const causes = error.status.details?.causes ?? [];
      return causes.some((cause) => cause.reason === "NamespaceTerminating");
    }
    case "delete":
      // Gone, or another object by the same name.
      return error.code === 404 ||
        (error.reason === "Conflict" && action.options?.preconditions === undefined);
    case "patch":
      return error.code === 404;
    default:
      return false;
  }
}

async function holds(guard: Guard, client: Client): Promise<boolean> {
  if (guard.kind === "empty") {
    const lists = await Promise.all(
      guard.resources.map((resource) =>
        client.list(resource, { namespace: guard.namespace, limit: 1 })
      ),
    );
    return lists.every((list) => list.items.length === 0);
  }
  let found: KubeObject | undefined;
  try {
    found = await client.get(guard.resource, guard.place);
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 404) throw error;
  }
  if (guard.kind === "noneNamed") return found === undefined;
  const same = found !== undefined && found.metadata.uid === guard.uid;
  return guard.kind === "absent" ? !same : same && found!.metadata.deletionTimestamp === undefined;
}

function announce(
  options: PerformOptions,
  announcement: Announcement,
  which: "success" | "failure",
  words: { readonly name?: string; readonly error?: string },
): void {
  const { reason, message } = announcement[which]!;
  options.recorder.record({
    about: announcement.about,
    type: which === "success" ? "Normal" : "Warning",
    reason,
    message: message.replace("{name}", words.name ?? "").replace("{error}", words.error ?? ""),
  });
}
