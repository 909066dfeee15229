/**
 * AdmissionReview: what a webhook is asked, and what its answer means.
 * In: a request; the text of an answer. Out: a review; a verdict, or why the answer is none.
 * Never: sends. Source: apiserver's webhook/request/admissionreview.go (v1.36).
 */
import type { DeleteOptions, WriteOptions } from "../../../api/call.ts";
import type { Resource } from "../../../api/resource.ts";
import { checkDecoded } from "../../../api/schema/strict.ts";
import type { Status } from "../../../api/status.ts";
import type { AdmissionRequest } from "../admission.ts";
import { asShownBy, hasOwnKind, kindOf, namespaceOf } from "../matching/request_place.ts";

const GROUP = "admission.k8s.io";

/** The options of a write as the object that an API client would have sent. */
export function optionsObject(request: AdmissionRequest): Record<string, unknown> | null {
  const { operation, options } = request;
  if (operation === "CONNECT") return null;
  const apiVersion = "meta.k8s.io/v1";
  if (operation === "DELETE") {
    return { kind: "DeleteOptions", apiVersion, ...(options as DeleteOptions) };
  }
  const { dryRun, fieldManager, fieldValidation } = options as WriteOptions;
  return {
    kind: operation === "CREATE" ? "CreateOptions" : "UpdateOptions",
    apiVersion,
    ...(dryRun ? { dryRun: ["All"] } : {}),
    ...(fieldManager ? { fieldManager } : {}),
    ...(fieldValidation ? { fieldValidation } : {}),
  };
}

/**
 * The part of a review that tells of the request, as webhooks and expressions see it.
 * @param shown the resource by which it matched
 */
export function describeRequest(
  request: AdmissionRequest,
  shown: Resource,
): Record<string, unknown> {
  const { resource, subresource, user, operation, name, dryRun } = request;
  const { group, version, plural } = shown;
  return {
    kind: kindOf(shown, subresource),
    resource: { group, version, resource: plural },
    ...(subresource === "" ? {} : { subResource: subresource }),
    requestKind: kindOf(resource, subresource),
    requestResource: {
      group: resource.group,
      version: resource.version,
      resource: resource.plural,
    },
    ...(subresource === "" ? {} : { requestSubResource: subresource }),
    ...(name === "" ? {} : { name }),
    ...(namespaceOf(request) === "" ? {} : { namespace: namespaceOf(request) }),
    operation,
    userInfo: {
      username: user.name,
      ...(user.uid ? { uid: user.uid } : {}),
      groups: user.groups,
      ...(user.extra ? { extra: user.extra } : {}),
    },
    dryRun,
    options: optionsObject(request),
  };
}

/** JSON of a whole review. */
export function encodeReview(
  request: AdmissionRequest,
  parts: { readonly shown: Resource; readonly version: string; readonly uid: string },
): string {
  const { shown, version, uid } = parts;
  const { resource, object, old } = request;
  const isOwnKind = hasOwnKind(request);
  const show = (one: typeof object) =>
    one === null || isOwnKind ? one : asShownBy(resource, shown, one);
  return JSON.stringify({
    kind: "AdmissionReview",
    apiVersion: `${GROUP}/${version}`,
    request: {
      uid,
      ...describeRequest(request, shown),
      object: show(object),
      oldObject: show(old),
    },
  });
}

export type Verdict =
  | {
    readonly kind: "allowed";
    /** JSON of a patch; "" = none. */
    readonly patch: string;
    readonly patchType: string;
    readonly notes: Notes;
  }
  | { readonly kind: "denied"; readonly told: Told; readonly notes: Notes }
  | { readonly kind: "malformed"; readonly message: string };

/** What a webhook says of its refusal; "", 0 and null where it says nothing, or nonsense. */
export interface Told {
  readonly message: string;
  readonly reason: string;
  readonly code: number;
  readonly details: NonNullable<Status["details"]> | null;
}

interface Notes {
  readonly warnings: readonly string[];
  readonly auditAnnotations: Readonly<Record<string, string>>;
}

// deno-lint-ignore no-explicit-any
type Json = any;

/** @param text body of the answer */
export function readVerdict(
  text: string,
  asked: { readonly version: string; readonly uid: string; readonly mayPatch: boolean },
): Verdict {
  let review: Json;
  try {
    review = JSON.parse(text);
  } catch {
    return malformed("couldn't get version/kind; json parse error: the answer is no JSON");
  }
  if (!isObject(review)) return malformed("couldn't get version/kind; the answer is no object");
  const { response } = review;
  if (!isObject(response)) return malformed("webhook response was absent");
  const problem = asked.version === "v1" ? problemOf(review, asked) : null;
  if (problem !== null) return malformed(problem);
  const notes = notesOf(response);
  if (response.allowed === true) {
    const patch = decodePatchText(response.patch);
    if (patch === null) return malformed("response.patch is not base64");
    const patchType = String(response.patchType ?? (patch === "" ? "" : "JSONPatch"));
    return { kind: "allowed", patch: asked.mayPatch ? patch : "", patchType, notes };
  }
  return { kind: "denied", told: toldBy(response.status), notes };
}

/** @returns why a v1 answer can't be taken; null where it can */
function problemOf(
  review: Json,
  { uid, mayPatch }: { readonly uid: string; readonly mayPatch: boolean },
): string | null {
  const { response } = review;
  if (response.uid !== uid) {
    return `expected response.uid=${JSON.stringify(uid)}, got ${
      JSON.stringify(response.uid ?? "")
    }`;
  }
  const kind = `${review.apiVersion ?? ""}, Kind=${review.kind ?? ""}`;
  if (kind !== `${GROUP}/v1, Kind=AdmissionReview`) {
    return `expected webhook response of ${GROUP}/v1, Kind=AdmissionReview, got ${kind}`;
  }
  const [hasPatch, hasType] = [Boolean(response.patch), (response.patchType ?? null) !== null];
  if (!mayPatch) {
    if (hasPatch) return "validating webhook may not return response.patch";
    return hasType ? "validating webhook may not return response.patchType" : null;
  }
  if (hasPatch && !hasType) return "webhook returned response.patch but not response.patchType";
  if (!hasPatch && hasType) return "webhook returned response.patchType but not response.patch";
  return response.patchType === "" ? 'webhook returned invalid response.patchType of ""' : null;
}

const DETAILS = "io.k8s.apimachinery.pkg.apis.meta.v1.StatusDetails";

function toldBy(status: Json): Told {
  const { message, reason, code, details } = isObject(status) ? status : {};
  const isKnown = isObject(details) && checkDecoded(DETAILS, details).kind === "ok";
  return {
    message: typeof message === "string" ? message : "",
    reason: typeof reason === "string" ? reason : "",
    code: typeof code === "number" && Number.isInteger(code) ? code : 0,
    details: isKnown ? details : null,
  };
}

function malformed(message: string): Verdict {
  return { kind: "malformed", message };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function notesOf(response: Json): Notes {
  const warnings = Array.isArray(response.warnings) ? response.warnings : [];
  const pairs = isObject(response.auditAnnotations)
    ? Object.entries(response.auditAnnotations)
    : [];
  return {
    warnings: warnings.filter((text: unknown) => typeof text === "string"),
    auditAnnotations: Object.fromEntries(
      pairs.filter((pair): pair is [string, string] => typeof pair[1] === "string"),
    ),
  };
}

/** @returns "" where there is none, null for what is no base64 */
function decodePatchText(patch: unknown): string | null {
  if (!patch) return "";
  try {
    const bytes = Uint8Array.from(atob(String(patch)), (letter) => letter.charCodeAt(0));
    return new TextDecoder().decode(bytes);
  } catch {
    return null;
  }
}
