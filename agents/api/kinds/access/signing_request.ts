/**
 * The rules of certificate signing requests, with their approval.
 * In: drafts. Out: preparation, checks, columns, fields. Never: signs, or verifies a signature.
 * Source: pkg/apis/certificates/validation, pkg/registry/certificates/certificates (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import { checkDns1123Subdomain } from "../../names.ts";
import type { FieldError, RuleContext, Rules } from "../../resource.ts";
import type {
  CertificateSigningRequest,
  CertificateSigningRequestCondition,
} from "../../schema/generated/certificates_v1.ts";
import { formatAge, formatTime } from "../../time.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";
import { restoreFields } from "../prepare.ts";
import { Problems, sameJson } from "../problems.ts";

export type {
  CertificateSigningRequest,
  CertificateSigningRequestCondition,
} from "../../schema/generated/certificates_v1.ts";

const USAGES = [
  "any",
  "cert sign",
  "client auth",
  "code signing",
  "content commitment",
  "crl sign",
  "data encipherment",
  "decipher only",
  "digital signature",
  "email protection",
  "encipher only",
  "ipsec end system",
  "ipsec tunnel",
  "ipsec user",
  "key agreement",
  "key encipherment",
  "microsoft sgc",
  "netscape sgc",
  "ocsp signing",
  "s/mime",
  "server auth",
  "signing",
  "timestamping",
];
const LEGACY_SIGNER = "kubernetes.io/legacy-unknown";
const MIN_SECONDS = 600;
const DECISIONS = ["Approved", "Denied"];
const FINAL = ["Approved", "Denied", "Failed"];
const STATUSES = ["False", "True", "Unknown"];
const SIGNER_PATH_LIMIT = 571;

type Condition = CertificateSigningRequestCondition;

function conditionsOf(object: KubeObject): readonly Condition[] {
  return (object as CertificateSigningRequest).status?.conditions ?? [];
}

function textOf(base64: string | undefined): string {
  try {
    return atob(base64 ?? "");
  } catch {
    return "";
  }
}

function prepareForCreate(draft: KubeObject, { user }: RuleContext): void {
  const request = draft as CertificateSigningRequest;
  const spec = request.spec ??= {} as CertificateSigningRequest["spec"];
  for (const field of ["username", "uid", "groups", "extra"] as const) delete spec[field];
  if (user !== undefined) {
    spec.username = user.name;
    if (user.uid) spec.uid = user.uid;
    spec.groups = [...user.groups];
    const extra = Object.entries(user.extra ?? {});
    if (extra.length > 0) {
      spec.extra = Object.fromEntries(extra.map(([key, list]) => [key, [...list]]));
    }
  }
  request.status = {};
}

/** Stamps conditions that are new or changed and bear no time of their own. */
function stampConditions(draft: KubeObject, old: KubeObject, context?: RuleContext): void {
  if (context === undefined) return;
  const now = formatTime(context.nowMillis);
  const before = new Map(conditionsOf(old).map((condition) => [condition.type, condition]));
  for (const condition of conditionsOf(draft)) {
    condition.lastUpdateTime ??= now;
    const known = before.get(condition.type);
    condition.lastTransitionTime ??= known !== undefined && known.status === condition.status
      ? known.lastTransitionTime ?? now
      : now;
  }
}

/** The status may not decide: decisions stay as they are. */
function prepareForStatusUpdate(draft: KubeObject, old: KubeObject, context?: RuleContext): void {
  restoreFields(draft, old, ["spec"]);
  const request = draft as CertificateSigningRequest;
  const kept = conditionsOf(old).filter(({ type }) => DECISIONS.includes(type));
  const given = conditionsOf(draft).filter(({ type }) => !DECISIONS.includes(type));
  if (request.status !== undefined && kept.length + given.length > 0) {
    request.status.conditions = [...kept, ...given];
  }
  stampConditions(draft, old, context);
}

function prepareForApproval(draft: KubeObject, old: KubeObject, context?: RuleContext): void {
  stampConditions(draft, old, context);
  const conditions = conditionsOf(draft);
  restoreFields(draft, old, ["spec", "status"]);
  draft.status = { ...draft.status, conditions };
}

/** `example.com/signer`: a domain and a path. */
function validateSigner(problems: Problems, path: string, name: string | undefined): void {
  if (!name) return problems.required(path);
  const slash = name.indexOf("/");
  if (slash < 0 || slash !== name.lastIndexOf("/")) {
    return problems.invalid(
      path,
      name,
      "must be a fully qualified domain and path of the form 'example.com/signer-name'",
    );
  }
  const [domain, signer] = [name.slice(0, slash), name.slice(slash + 1)];
  const faults = checkDns1123Subdomain(domain);
  for (const fault of faults) problems.invalid(path, domain, fault);
  if (faults.length === 0 && !domain.includes(".")) {
    problems.invalid(
      path,
      domain,
      "should be a domain with at least two segments separated by dots",
    );
  }
  for (const fault of checkDns1123Subdomain(signer)) {
    problems.invalid(path, signer, `validating label ${JSON.stringify(signer)}: ${fault}`);
  }
  if (name.length > SIGNER_PATH_LIMIT) problems.tooLong(path, SIGNER_PATH_LIMIT);
}

function validateConditions(problems: Problems, conditions: readonly Condition[]): void {
  const path = "status.conditions";
  conditions.forEach(({ type, status }, index) => {
    const at = `${path}[${index}]`;
    if (!type) problems.required(`${at}.type`);
    const allowed = FINAL.includes(type) ? ["True"] : STATUSES;
    if (!status) problems.required(`${at}.status`);
    else if (!allowed.includes(status)) problems.notSupported(`${at}.status`, status, allowed);
    const before = conditions.slice(0, index).map((condition) => condition.type);
    const opposite = DECISIONS.find((decision) => decision !== type) ?? "";
    if (DECISIONS.includes(type) && before.includes(opposite)) {
      problems.invalid(path, type, "Approved and Denied conditions are mutually exclusive");
    }
    if (before.includes(type)) problems.duplicate(`${at}.type`, type);
  });
}

function validateCertificate(problems: Problems, base64: string | undefined): void {
  if (!base64) return;
  const types = [...textOf(base64).matchAll(/-----BEGIN ([A-Z0-9 ]+)-----/g)].map((m) => m[1]);
  const wrong = types.find((type) => type !== "CERTIFICATE");
  const detail = wrong !== undefined
    ? `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(wrong)}`
    : types.length === 0
    ? "must contain at least one CERTIFICATE PEM block"
    : "";
  if (detail !== "") problems.invalid("status.certificate", "<certificate data>", detail);
}

function validate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const { spec, status } = draft as CertificateSigningRequest;
  const isPem = /-----BEGIN (NEW )?CERTIFICATE REQUEST-----[^-]+-----END/.test(
    textOf(spec?.request),
  );
  if (!isPem) {
    const detail = "PEM block type must be CERTIFICATE REQUEST";
    problems.invalid("spec.request", spec?.request ?? null, detail);
  }
  const usages = spec?.usages ?? [];
  if (usages.length === 0) problems.required("spec.usages");
  usages.forEach((usage, index) => {
    const at = `spec.usages[${index}]`;
    if (!USAGES.includes(usage)) problems.notSupported(at, usage, USAGES);
    if (usages.indexOf(usage) < index) problems.duplicate(at, usage);
  });
  if (spec?.signerName === LEGACY_SIGNER) {
    const detail = "the legacy signerName is not allowed via this API version";
    problems.invalid("spec.signerName", spec.signerName, detail);
  } else validateSigner(problems, "spec.signerName", spec?.signerName);
  const seconds = spec?.expirationSeconds;
  if (seconds !== undefined && seconds < MIN_SECONDS) {
    const detail = "may not specify a duration less than 600 seconds (10 minutes)";
    problems.invalid("spec.expirationSeconds", seconds, detail);
  }
  validateConditions(problems, status?.conditions ?? []);
  validateCertificate(problems, status?.certificate);
  return problems.errors;
}

interface Rights {
  readonly decides: boolean;
  readonly certifies: boolean;
}

/** What a writer of one face may change in the status. */
function validateChange(draft: KubeObject, old: KubeObject, rights: Rights): FieldError[] {
  const problems = new Problems();
  const path = "status.conditions";
  const pick = (object: KubeObject, type: string) =>
    conditionsOf(object).filter((condition) => condition.type === type);
  for (const type of FINAL) {
    const [now, before] = [pick(draft, type), pick(old, type)];
    const quoted = JSON.stringify(type);
    if (now.length < before.length) {
      problems.forbidden(path, `updates may not remove a condition of type ${quoted}`);
    } else if (rights.decides || !DECISIONS.includes(type)) continue;
    else if (now.length > before.length) {
      problems.forbidden(path, `updates may not add a condition of type ${quoted}`);
    } else if (!sameJson(now, before)) {
      problems.forbidden(path, `updates may not modify a condition of type ${quoted}`);
    }
  }
  const certificate = old.status?.certificate;
  if (!sameJson(draft.status?.certificate, certificate)) {
    const at = "status.certificate";
    if (!rights.certifies) problems.forbidden(at, "updates may not set certificate content");
    else if (certificate) {
      problems.forbidden(at, "updates may not modify existing certificate content");
    }
  }
  return problems.errors;
}

function statusCell(object: KubeObject): string {
  const types = conditionsOf(object).map((condition) => condition.type);
  const decision = types.includes("Denied")
    ? "Denied"
    : types.includes("Approved")
    ? "Approved"
    : "Pending";
  const failed = types.includes("Failed") ? ",Failed" : "";
  return `${decision}${failed}${object.status?.certificate ? ",Issued" : ""}`;
}

export const signingRequestRules: Rules = {
  prepareForCreate,
  prepareForUpdate: (draft, old) => restoreFields(draft, old, ["spec", "status"]),
  prepareForStatusUpdate,
  validate,
  validateUpdate: (draft, old) => validateChange(draft, old, { decides: false, certifies: false }),
  validateStatusUpdate: (draft, old) => [
    ...validate(draft),
    ...validateChange(draft, old, { decides: false, certifies: true }),
  ],
  parts: {
    approval: {
      prepare: prepareForApproval,
      validateUpdate: (draft, old) =>
        validateChange(draft, old, { decides: true, certifies: false }),
    },
  },
  validateName: "pathSegment",
  generationFields: [],
  selectableFields: { "spec.signerName": (request) => request.spec?.signerName ?? "" },
  columns: [
    nameColumn,
    ageColumn,
    column("SignerName", "Who is asked to sign.", ({ spec }) => spec?.signerName || "<none>"),
    column("Requestor", "Who asks.", ({ spec }) => spec?.username ?? ""),
    column(
      "RequestedDuration",
      "How long it should be valid.",
      ({ spec }) =>
        spec?.expirationSeconds === undefined ? "<none>" : formatAge(spec.expirationSeconds * 1000),
    ),
    column("Condition", "What was decided, and whether it was signed.", statusCell),
  ],
};
