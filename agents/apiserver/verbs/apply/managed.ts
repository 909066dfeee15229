/**
 * Field ownership: what a create, an update or a patch writes into metadata.managedFields.
 * In: a target, a draft, the object before, who writes. Out: the draft with its managedFields.
 * Never: tracks where nobody asks: a write that names no manager — one of a component in this
 * process — is tracked only on an object that somebody has applied. Events are never tracked: they
 * are many, short-lived, and two kinds look at one record with different field names.
 * Source: apiserver's endpoints/handlers (create, update, patch), v1.36.
 */
import type { CallTarget, WriteOptions } from "../../../api/call.ts";
import type { KubeObject } from "../../../api/meta.ts";
import { trackUpdate } from "../../../api/patch/apply/apply.ts";
import { apiVersionOf, type Core } from "../core.ts";
import { formatTime } from "../meta_rules.ts";

/** What a write says beside its query about ownership. */
export interface ChangeOptions extends WriteOptions {
  /** The draft's managedFields are made: leave them. */
  readonly isApply?: boolean;
  /** The subresource that the client spoke to, where the object is changed as a whole. */
  readonly spokenTo?: string;
}

interface DraftParts {
  readonly target: CallTarget;
  readonly options: ChangeOptions;
  readonly draft: KubeObject;
  /** null on create. */
  readonly old: KubeObject | null;
}

/** Sets a draft's managedFields; called when defaults are filled and restored parts are back. */
export function trackDraft(core: Core, parts: DraftParts): void {
  const { target, options, draft, old } = parts;
  const { resource } = target;
  if (options.isApply || resource.plural === "events") return;
  const name = options.fieldManager ?? unnamedManager(target, old);
  if (name === null) return;
  const managedFields = trackUpdate({
    typeName: resource.typeName,
    shape: resource.custom?.shape,
    old,
    next: draft,
    manager: managerOf(target, options, name),
    time: formatTime(core.clock.nowMillis()),
    ignored: ignoredFields(target, old === null),
  });
  if (managedFields === undefined) delete draft.metadata.managedFields;
  else draft.metadata.managedFields = managedFields as KubeObject["metadata"]["managedFields"];
}

/** A component that names no manager matters where an applied field could change hands. */
function unnamedManager(target: CallTarget, old: KubeObject | null): string | null {
  const isApplied = old?.metadata.managedFields?.some((entry) => entry.operation === "Apply");
  return isApplied ? target.user.name.split(":").pop()! : null;
}

/** Who writes, as an entry of managedFields names it. */
export function managerOf(target: CallTarget, options: ChangeOptions, name: string) {
  return {
    name,
    apiVersion: apiVersionOf(target.resource),
    subresource: options.spokenTo ?? target.subresource,
  };
}

/** Top-level fields that an endpoint does not write. */
export function ignoredFields(target: CallTarget, isCreate: boolean): readonly string[] {
  if (target.subresource === "status") return ["spec", "data"];
  const hasStatus = target.resource.subresources.some((part) => part.name === "status");
  return hasStatus && (isCreate || target.subresource === "") ? ["status"] : [];
}
