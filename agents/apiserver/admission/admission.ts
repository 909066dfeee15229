/**
 * What an admission plugin is, and how the list of them is run: first all that change a draft,
 * then, once the kind's rules have passed it, all that only judge.
 * In: a write. Out: a changed draft, or an ApiError; warnings and audit annotations of the call.
 * Never: writes. Source: apiserver's admission package (v1.36).
 */
import type { CallTarget, DeleteOptions, WriteOptions } from "../../api/call.ts";
import type { KubeObject } from "../../api/meta.ts";
import type { Core } from "../verbs/core.ts";

export type AdmissionOperation = "CREATE" | "UPDATE" | "DELETE" | "CONNECT";

export interface AdmissionRequest extends CallTarget {
  readonly operation: AdmissionOperation;
  /**
   * The draft; null for a delete. Plugins that mutate change it in place. Where a subresource has a
   * kind of its own (a Scale, a Binding, the options of an exec), it is one of that.
   */
  readonly object: KubeObject | null;
  /** The object as it is; null for a create. */
  readonly old: KubeObject | null;
  readonly options: WriteOptions | DeleteOptions;
  readonly dryRun: boolean;
  /** Set while mutating plugins run; they keep there what a second round has to know. */
  round?: AdmissionRound;
}

/** Mutating plugins run once more where one of them asks for it. */
export interface AdmissionRound {
  readonly isSecond: boolean;
  /** Asked for by a plugin of the first round. */
  wantsSecond: boolean;
  /** By what was called and wants to know of later changes: the object as JSON when it had run. */
  readonly called: Map<string, string>;
}

export interface AdmissionPlugin {
  readonly name: string;
  /**
   * Changes the draft or refuses it. Answers a promise only where it has to wait.
   * Errors: throws ApiError.
   */
  readonly admit?: (request: AdmissionRequest, core: Core) => void | Promise<void>;
  /** Judges the draft that would be stored. Errors: throws ApiError. */
  readonly validate?: (request: AdmissionRequest, core: Core) => void | Promise<void>;
}

/** The plugins of a server by what they do, each list in the order in which they run. */
export interface AdmissionChain {
  readonly mutating: readonly AdmissionPlugin[];
  readonly validating: readonly AdmissionPlugin[];
}

export function chainOf(plugins: readonly AdmissionPlugin[]): AdmissionChain {
  return {
    mutating: plugins.filter(({ admit }) => admit !== undefined),
    validating: plugins.filter(({ validate }) => validate !== undefined),
  };
}

/**
 * Runs what changes drafts. Answers a promise only where a plugin waits.
 * Errors: throws or rejects with the first plugin's ApiError.
 */
export function admit(core: Core, request: AdmissionRequest): void | Promise<void> {
  const pending = runFrom(0, "admit", request, core);
  if (pending !== undefined) return pending.then(() => runAgain(request, core));
  return runAgain(request, core);
}

/** Only webhooks and policies, which are awaited, ask for a second round. */
function runAgain(request: AdmissionRequest, core: Core): void | Promise<void> {
  const { round } = request;
  if (round === undefined || !round.wantsSecond || round.isSecond) return undefined;
  request.round = { ...round, isSecond: true };
  return runFrom(0, "admit", request, core);
}

/** Runs what only judges. Errors: throws or rejects with the first plugin's ApiError. */
export function validate(core: Core, request: AdmissionRequest): void | Promise<void> {
  return runFrom(0, "validate", request, core);
}

/** Both halves, for requests that no rules of a kind look at. */
export async function admitWhole(core: Core, request: AdmissionRequest): Promise<void> {
  await admit(core, request);
  await validate(core, request);
}

function runFrom(
  from: number,
  phase: "admit" | "validate",
  request: AdmissionRequest,
  core: Core,
): void | Promise<void> {
  const plugins = phase === "admit" ? core.admission.mutating : core.admission.validating;
  for (let at = from; at < plugins.length; at++) {
    const pending = plugins[at][phase]!(request, core);
    if (pending !== undefined) {
      return pending.then(() => runFrom(at + 1, phase, request, core));
    }
  }
  return undefined;
}

/** Tells the client, once. */
export function warn({ warnings }: AdmissionRequest, text: string): void {
  if (warnings !== undefined && !warnings.includes(text)) warnings.push(text);
}

/** Writes beside the request's audit event; what stands there stays. */
export function annotate(
  { auditAnnotations }: AdmissionRequest,
  key: string,
  value: string,
): void {
  if (auditAnnotations?.has(key) === false) auditAnnotations.set(key, value);
}

/** Makes the draft another object, for plugins that were handed a whole one. */
export function replaceDraft(draft: KubeObject, next: KubeObject): void {
  for (const field of Object.keys(draft)) if (!(field in next)) delete draft[field];
  Object.assign(draft, next);
}
