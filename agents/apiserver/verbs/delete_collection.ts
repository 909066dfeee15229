/**
 * DELETE of a collection: each selected object by the rules of a single delete.
 * In: a target, delete options, list options. Out: the list of what was selected.
 * Never: stops at an object that another client deleted first.
 */
import type { CallTarget, DeleteOptions, ListOptions } from "../../api/call.ts";
import { ApiError } from "../../api/status.ts";
import type { Core, VerbAnswer } from "./core.ts";
import { deleteObject } from "./delete.ts";
import { listObjects } from "./list.ts";

/** Deletions under way at one time. */
const PARALLEL = 64;

/** Errors: rejects with the first ApiError that is not "not found". */
export async function deleteCollection(
  core: Core,
  target: CallTarget,
  options: DeleteOptions,
  list: ListOptions,
): Promise<VerbAnswer> {
  const found = await listObjects(core, target, list);
  for (let at = 0; at < found.items.length; at += PARALLEL) {
    const slice = found.items.slice(at, at + PARALLEL);
    await Promise.all(slice.map((stored) => {
      const { namespace = "", name = "" } = stored.object.metadata;
      return deleteOne(core, { ...target, namespace, name }, options);
    }));
  }
  return found;
}

async function deleteOne(core: Core, target: CallTarget, options: DeleteOptions): Promise<void> {
  try {
    await deleteObject(core, target, options);
  } catch (error) {
    if (!(error instanceof ApiError) || error.reason !== "NotFound") throw error;
  }
}
