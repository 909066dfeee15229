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
  /** Whether a plugin made the draft anew: what the endpoint does not write is to be put back. */
  isRemade?: boolean;
}

/** Mutating plugins run once more where one of them asks for it. */
export interface AdmissionRound {
  readonly isSecond: boolean;
  /** Asked for by a plugin of the first round. */
  wantsSecond: boolean;
  /** Those that have run and want to run again after later changes. */
  readonly reinvocable: Set<string>;
  /** Of those, the ones that something has changed for. */
  readonly due: Set<string>;
  /** JSON of the draft when the last of a plugin's own calls ended, by plugin. */
  readonly outcomes: Map<string, string>;
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

/** One half of a plugin; plain functions, so that asking all of them takes a microsecond. */
type Look = (request: AdmissionRequest, core: Core) => void | Promise<void>;

/** What the plugins of a server do, each list in the order in which they run. */
export interface AdmissionChain {
  readonly mutating: readonly Look[];
  readonly validating: readonly Look[];
}

export function chainOf(plugins: readonly AdmissionPlugin[]): AdmissionChain {
  return {
    mutating: plugins.flatMap(({ admit }) => admit === undefined ? [] : [admit]),
    validating: plugins.flatMap(({ validate }) => validate === undefined ? [] : [validate]),
  };
}

/**
 * Runs what changes drafts. Answers a promise only where a plugin waits.
 * Errors: throws or rejects with the first plugin's ApiError.
 */
export function admit(core: Core, request: AdmissionRequest): void | Promise<void> {
  const pending = runFrom(0, core.admission.mutating, request, core);
  if (pending !== undefined) return pending.then(() => runAgain(request, core));
  return runAgain(request, core);
}

/** Only webhooks and policies, which are awaited, ask for a second round. */
function runAgain(request: AdmissionRequest, core: Core): void | Promise<void> {
  const { round } = request;
  if (round === undefined || !round.wantsSecond || round.isSecond) return undefined;
  request.round = { ...round, isSecond: true };
  return runFrom(0, core.admission.mutating, request, core);
}

/** Runs what only judges. Errors: throws or rejects with the first plugin's ApiError. */
export function validate(core: Core, request: AdmissionRequest): void | Promise<void> {
  return runFrom(0, core.admission.validating, request, core);
}

/** Both halves, for requests that no rules of a kind look at. */
export function admitWhole(core: Core, request: AdmissionRequest): void | Promise<void> {
  const pending = admit(core, request);
  return pending === undefined
    ? validate(core, request)
    : pending.then(() => validate(core, request));
}

/** The round that runs; the first one begins here. */
export function roundOf(request: AdmissionRequest): AdmissionRound {
  return request.round ??= {
    isSecond: false,
    wantsSecond: false,
    reinvocable: new Set(),
    due: new Set(),
    outcomes: new Map(),
  };
}

/** A call changed the draft: those before it that asked for it run once more. */
export function askAgain(round: AdmissionRound): void {
  for (const id of round.reinvocable) round.due.add(id);
  round.reinvocable.clear();
  round.wantsSecond = true;
}

function runFrom(
  from: number,
  looks: readonly Look[],
  request: AdmissionRequest,
  core: Core,
): void | Promise<void> {
  for (let at = from; at < looks.length; at++) {
    const pending = looks[at](request, core);
    if (pending !== undefined) {
      return pending.then(() => runFrom(at + 1, looks, request, core));
    }
  }
  return undefined;
}

/** What all warnings of one answer may take, and one of them beyond. */
const MAX_WARNINGS_CHARS = 4096;
const MAX_SHORT_CHARS = 256;

/** Tells the client, once; what a header can't carry, or has no room for, is not told. */
export function warn({ warnings }: AdmissionRequest, text: string): void {
  if (warnings === undefined || warnings.includes(text) || /\p{Cc}/u.test(text)) return;
  const used = warnings.reduce((sum, one) => sum + one.length, 0);
  const fits = used + text.length <= MAX_WARNINGS_CHARS;
  if (fits) warnings.push(text);
  else if (used + MAX_SHORT_CHARS <= MAX_WARNINGS_CHARS) {
    warnings.push(text.slice(0, MAX_SHORT_CHARS));
  }
}

/** Writes beside the request's audit event; what stands there stays. */
export function annotate(
  { auditAnnotations }: AdmissionRequest,
  key: string,
  value: string,
): void {
  if (auditAnnotations?.has(key) === false) auditAnnotations.set(key, value);
}

/** What only the server writes into metadata. */
const IDENTITY = [
  "name",
  "generateName",
  "namespace",
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "managedFields",
] as const;

/** Makes the draft another object, for plugins that were handed a whole one; it stays itself. */
export function replaceDraft(request: AdmissionRequest, next: KubeObject): void {
  const draft = request.object!;
  const before = draft.metadata ?? {};
  for (const field of Object.keys(draft)) if (!(field in next)) delete draft[field];
  Object.assign(draft, next);
  const metadata = { ...next.metadata };
  for (const field of IDENTITY) {
    if (before[field] === undefined) delete metadata[field];
    else Object.assign(metadata, { [field]: before[field] });
  }
  draft.metadata = metadata;
  request.isRemade = true;
}
