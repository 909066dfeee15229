/**
 * APPLY: a PATCH that says what its manager wants, and takes over or shares the fields it names.
 * In: a target and a decoded configuration. Out: the object, created or changed.
 * Never: takes a field from another manager unless it is told to.
 * Source: apiserver's endpoints/handlers/patch.go and util/managedfields/internal (v1.36).
 */
import type { CallTarget, WriteOptions } from "../../../api/call.ts";
import type { KubeObject } from "../../../api/meta.ts";
import { applyConfig, type ApplyConflict } from "../../../api/patch/apply/apply.ts";
import { checkAs, strictMessage } from "../../../api/schema/strict.ts";
import { ApiError, applyConflict, badRequest, invalid } from "../../../api/status.ts";
import { copyJson } from "../../registry.ts";
import { apiVersionOf, type Core, type VerbAnswer } from "../core.ts";
import { createObject } from "../create.ts";
import { type ChangeOptions, ignoredFields, managerOf } from "./managed.ts";
import { formatTime } from "../meta_rules.ts";
import { changeObject } from "../update.ts";

export interface ApplyCall {
  readonly config: unknown;
  readonly force: boolean;
  readonly options: WriteOptions;
}

/** PATCH with `application/apply-patch+yaml`. Errors: rejects with ApiError. */
export async function applyObject(
  core: Core,
  target: CallTarget,
  call: ApplyCall,
): Promise<VerbAnswer> {
  const config = checkConfig(target, call);
  const options: ChangeOptions = { ...call.options, isApply: true };
  for (let attempt = 1;; attempt++) {
    try {
      return await changeObject(core, target, options, (live) => {
        const draft = appliedDraft(core, target, { ...call, config, live });
        // An untouched version means "whatever is current": only one in the configuration pins.
        draft.metadata.resourceVersion = config.metadata.resourceVersion;
        return draft;
      });
    } catch (error) {
      if (!(error instanceof ApiError) || error.reason !== "NotFound") throw error;
      if (target.subresource !== "" || !isAbout(error, target)) throw error;
    }
    try {
      const draft = appliedDraft(core, target, { ...call, config, live: null });
      return await createObject(core, target, draft, options);
    } catch (error) {
      // Another writer created it in between.
      const isTaken = error instanceof ApiError && error.reason === "AlreadyExists";
      if (!isTaken || attempt > 1) throw error;
    }
  }
}

/** Whether it is the object itself that is missing, and not its namespace. */
function isAbout(error: ApiError, target: CallTarget): boolean {
  const { details } = error.status;
  return details?.name === target.name && details.kind === target.resource.plural;
}

/** Errors: throws ApiError 400 for what is no configuration of this object, 422 without manager. */
function checkConfig(target: CallTarget, { config, options }: ApplyCall): KubeObject {
  const { resource } = target;
  if (!options.fieldManager) {
    throw invalid({ group: "meta.k8s.io", kind: "PatchOptions" }, "", [
      { type: "required", path: "fieldManager", detail: "is required for apply patch" },
    ]);
  }
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    throw badRequest("error decoding YAML: the configuration is not an object");
  }
  const object = copyJson(config) as KubeObject;
  const expected = apiVersionOf(resource);
  if (object.apiVersion !== expected || object.kind !== resource.kind) {
    throw badRequest(
      `invalid object type: ${object.apiVersion ?? ""}, Kind=${object.kind ?? ""}`,
    );
  }
  object.metadata ??= {};
  if (object.metadata.managedFields) throw badRequest("metadata.managedFields must be nil");
  delete object.metadata.managedFields;
  const checked = checkAs(resource, object);
  if (checked.kind === "error") throw badRequest(`error decoding YAML: ${checked.message}`);
  if (checked.unknown.length > 0) {
    throw badRequest(`failed to create typed patch object: ${strictMessage(checked.unknown)}`);
  }
  if (object.metadata.name === undefined) object.metadata.name = target.name;
  if (object.metadata.name !== target.name) {
    throw badRequest(
      `the name of the object (${object.metadata.name}) does not match ` +
        `the name on the URL (${target.name})`,
    );
  }
  return object;
}

/** Errors: throws ApiError 400 and 409. */
function appliedDraft(
  core: Core,
  target: CallTarget,
  call: ApplyCall & { readonly config: KubeObject; readonly live: KubeObject | null },
): KubeObject {
  const { config, live, force, options } = call;
  const outcome = applyConfig({
    typeName: target.resource.typeName,
    shape: target.resource.custom?.shape,
    live,
    config,
    force,
    manager: managerOf(target, options, options.fieldManager!),
    time: formatTime(core.clock.nowMillis()),
    ignored: ignoredFields(target, live === null),
  });
  switch (outcome.kind) {
    case "applied":
      return copyJson(outcome.object);
    case "unchanged":
      return copyJson(live!);
    case "conflict":
      throw conflictError(outcome.conflicts);
    case "malformed": {
      const { namespace, name, resource } = target;
      const where = namespace === "" ? `/${name}` : `${namespace}/${name}`;
      const what = `${apiVersionOf(resource)}, Kind=${resource.kind}`;
      throw badRequest(
        `failed to create typed patch object (${where}; ${what}): ${outcome.message}`,
      );
    }
  }
}

/** 409 in upstream's words. */
function conflictError(conflicts: readonly ApplyConflict[]): ApiError {
  const causes = conflicts.map(({ manager, path }) => ({
    reason: "FieldManagerConflict",
    message: `conflict with ${formatManager(manager)}`,
    field: path,
  }));
  const [first] = conflicts;
  if (conflicts.length === 1) {
    const text = `conflict with ${formatManager(first.manager)}: ${first.path}`;
    return applyConflict(`Apply failed with 1 conflict: ${text}`, causes);
  }
  const lines: string[] = [];
  let previous: ApplyConflict["manager"] | null = null;
  for (const { manager, path } of conflicts) {
    if (manager !== previous) lines.push(`conflicts with ${formatManager(manager)}:`);
    lines.push(`- ${path}`);
    previous = manager;
  }
  const message = `Apply failed with ${conflicts.length} conflicts: ${lines.join("\n")}`;
  return applyConflict(message, causes);
}

function formatManager(manager: ApplyConflict["manager"]): string {
  const name = JSON.stringify(manager.name);
  const of = manager.subresource === ""
    ? name
    : `${name} with subresource ${JSON.stringify(manager.subresource)}`;
  return manager.operation === "Update" ? `${of} using ${manager.apiVersion}` : of;
}
