/**
 * Opens the files that security flags name.
 * In: a checked SecurityConfig. Out: the part of the API server's configuration they make.
 * Never: starts with a file that can't be read or kept to; repeats what stands in one.
 */
import { parseAuditPolicy } from "../apiserver/audit/policy.ts";
import { parseEncryption } from "../apiserver/encryption/config.ts";
import { readVerificationKey, splitPem } from "../apiserver/auth/verification_keys.ts";
import { type ApiServerConfig, DEFAULT_CONFIG } from "../apiserver/mod.ts";
import type { SecurityConfig } from "../security_flags.ts";
import { readAdmission } from "./admission_files.ts";
import { readNamed, refused } from "./named_file.ts";
import { readAuditWebhook, readAuthorizers, readTokenWebhook } from "./webhook_files.ts";

export type SecurityPart = Pick<
  ApiServerConfig,
  | "admission"
  | "anonymous"
  | "audit"
  | "authorizers"
  | "encryption"
  | "maxMutatingRequestsInflight"
  | "maxRequestsInflight"
  | "oidc"
  | "podSecurity"
  | "tokenIssuer"
  | "tokenVerificationKeys"
  | "tokenWebhook"
  | "webhookCredentials"
>;

/** Errors: rejects with StartupError naming the flag and the file. */
export async function readSecurity(
  config: SecurityConfig,
): Promise<SecurityPart> {
  const { maxRequestsInflight, maxMutatingRequestsInflight, anonymous } = config;
  return {
    anonymous,
    oidc: await readOidc(config),
    tokenIssuer: config.tokenIssuer ?? DEFAULT_CONFIG.tokenIssuer,
    tokenVerificationKeys: await readTokenKeys(config),
    audit: await readAudit(config),
    authorizers: await readAuthorizers(config.webhooks),
    tokenWebhook: await readTokenWebhook(config.webhooks),
    encryption: await readEncryption(config),
    ...await readAdmission(config),
    maxRequestsInflight,
    maxMutatingRequestsInflight,
  };
}

async function readAudit(
  { audit, webhooks }: SecurityConfig,
): Promise<ApiServerConfig["audit"]> {
  if (audit === null) return null;
  const text = await readNamed("--audit-policy-file", audit.policyFile);
  const read = parseAuditPolicy(text);
  if (read.kind === "malformed") {
    throw refused("--audit-policy-file", audit.policyFile, read.problems);
  }
  const webhook = webhooks.audit === null ? null : await readAuditWebhook(webhooks.audit);
  return { policy: read.policy, log: audit.log, webhook };
}

async function readOidc({ oidc }: SecurityConfig): Promise<ApiServerConfig["oidc"]> {
  if (oidc === null) return null;
  const { caFile, ...rest } = oidc;
  const caPem = caFile === null ? null : await readNamed("--oidc-ca-file", caFile);
  return { ...rest, caPem };
}

async function readTokenKeys({ tokenKeyFiles }: SecurityConfig): Promise<readonly string[]> {
  const flag = "--service-account-key-file";
  const keys: string[] = [];
  for (const path of tokenKeyFiles) {
    const found = splitPem(await readNamed(flag, path));
    if (found.length === 0) throw refused(flag, path, ["holds no PEM key"]);
    for (const pem of found) {
      await readVerificationKey(pem).catch(() => {
        throw refused(flag, path, ["holds something that is no RSA or EC key"]);
      });
    }
    keys.push(...found);
  }
  return keys;
}

async function readEncryption(
  { encryptionFile }: SecurityConfig,
): Promise<ApiServerConfig["encryption"]> {
  if (encryptionFile === null) return null;
  const flag = "--encryption-provider-config";
  const read = parseEncryption(await readNamed(flag, encryptionFile));
  if (read.kind === "malformed") throw refused(flag, encryptionFile, read.problems);
  return read.rules;
}
