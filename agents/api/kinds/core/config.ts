/**
 * The rules of config maps, secrets and service accounts.
 * In: drafts. Out: defaults, checks, columns. Never: shows a secret's value in an error.
 * Source: ValidateConfigMap, ValidateSecret and their strategies (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import { checkConfigKey } from "../../names.ts";
import type { FieldError, Rules } from "../../resource.ts";
import type { ConfigMap, Secret } from "../../schema/generated/core_v1.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";
import { Problems, sameJson } from "../problems.ts";

export type { ConfigMap, Secret, ServiceAccount } from "../../schema/generated/core_v1.ts";

/** All values of one config map or secret together. */
const MAX_BYTES = 1024 * 1024;
const IMMUTABLE = "field is immutable when `immutable` is set";

function base64Bytes(value: string): number {
  const padding = value.endsWith("==") ? 2 : value.endsWith("=") ? 1 : 0;
  return value.length / 4 * 3 - padding;
}

function utf8Bytes(value: string): number {
  return value.length > MAX_BYTES ? value.length : new TextEncoder().encode(value).length;
}

function validateConfigMap(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const { data = {}, binaryData = {} } = draft as ConfigMap;
  let bytes = 0;
  for (const [key, value] of Object.entries(data)) {
    problems.checkName(`data[${key}]`, key, checkConfigKey);
    if (Object.hasOwn(binaryData, key)) {
      problems.invalid(`data[${key}]`, key, "duplicate of key present in binaryData");
    }
    bytes += utf8Bytes(value);
  }
  for (const [key, value] of Object.entries(binaryData)) {
    problems.checkName(`binaryData[${key}]`, key, checkConfigKey);
    bytes += base64Bytes(value);
  }
  if (bytes > MAX_BYTES) problems.tooLong("", MAX_BYTES);
  return problems.errors;
}

/** `immutable: true` freezes the data and itself. */
function validateFrozen(problems: Problems, now: KubeObject, old: KubeObject): void {
  if (old.immutable !== true) return;
  if (now.immutable !== true) problems.forbidden("immutable", IMMUTABLE);
  for (const field of ["data", "binaryData"]) {
    if (!sameJson(now[field], old[field])) problems.forbidden(field, IMMUTABLE);
  }
}

export const configMapRules: Rules = {
  validate: validateConfigMap,
  validateUpdate: (draft, old) => {
    const problems = new Problems();
    validateFrozen(problems, draft, old);
    return problems.errors;
  },
  generationFields: [],
  columns: [
    nameColumn,
    column(
      "Data",
      "How many entries it has.",
      ({ data, binaryData }) =>
        Object.keys(data ?? {}).length + Object.keys(binaryData ?? {}).length,
    ),
    ageColumn,
  ],
};

/** Keys that a typed secret must have; one of several where alternatives are listed. */
const TYPE_KEYS: Readonly<Record<string, readonly string[]>> = {
  "kubernetes.io/dockercfg": [".dockercfg"],
  "kubernetes.io/dockerconfigjson": [".dockerconfigjson"],
  "kubernetes.io/ssh-auth": ["ssh-privatekey"],
  "kubernetes.io/tls": ["tls.crt", "tls.key"],
};
const TOKEN_TYPE = "kubernetes.io/service-account-token";
const ACCOUNT_ANNOTATION = "kubernetes.io/service-account.name";

function validateSecret(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const { data = {}, type = "" } = draft as Secret;
  let bytes = 0;
  for (const [key, value] of Object.entries(data)) {
    problems.checkName(`data[${key}]`, key, checkConfigKey);
    bytes += base64Bytes(value);
  }
  if (bytes > MAX_BYTES) problems.tooLong("data", MAX_BYTES);
  if (type === TOKEN_TYPE && !draft.metadata.annotations?.[ACCOUNT_ANNOTATION]) {
    problems.required(`metadata.annotations[${ACCOUNT_ANNOTATION}]`);
  }
  for (const key of TYPE_KEYS[type] ?? []) {
    if (!Object.hasOwn(data, key)) problems.required(`data[${key}]`);
  }
  const isBasic = type === "kubernetes.io/basic-auth";
  if (isBasic && !Object.hasOwn(data, "username") && !Object.hasOwn(data, "password")) {
    problems.required("data[username]");
    problems.required("data[password]");
  }
  return problems.errors;
}

/** What authors wrote as plain text becomes data; it is never read back. */
function encodeStringData(secret: Secret): void {
  if (secret.stringData === undefined) return;
  const data: Record<string, string> = { ...secret.data };
  for (const [key, value] of Object.entries(secret.stringData)) {
    data[key] = btoa(String.fromCharCode(...new TextEncoder().encode(value)));
  }
  secret.data = data;
  delete secret.stringData;
}

export const secretRules: Rules = {
  setDefaults: (draft) => {
    const secret = draft as Secret;
    secret.type ??= "Opaque";
    encodeStringData(secret);
  },
  validate: validateSecret,
  validateUpdate: (draft, old) => {
    const problems = new Problems();
    problems.immutable("type", draft.type, old.type);
    validateFrozen(problems, draft, old);
    return problems.errors;
  },
  generationFields: [],
  selectableFields: { type: (secret) => secret.type ?? "" },
  columns: [
    nameColumn,
    column("Type", "What the secret is for.", (secret) => secret.type ?? ""),
    column("Data", "How many entries it has.", (secret) => Object.keys(secret.data ?? {}).length),
    ageColumn,
  ],
};

export const serviceAccountRules: Rules = {
  generationFields: [],
  columns: [nameColumn, ageColumn],
};
