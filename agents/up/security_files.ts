/**
 * Opens the files that security flags name.
 * In: a checked SecurityConfig. Out: the part of the API server's configuration they make.
 * Never: starts with a file that can't be read or kept to; repeats what stands in one.
 */
import { parseAuditPolicy } from "../apiserver/audit/policy.ts";
import { parseEncryption } from "../apiserver/encryption/config.ts";
import type { ApiServerConfig } from "../apiserver/mod.ts";
import type { SecurityConfig } from "../security_flags.ts";
import { StartupError } from "../startup_error.ts";

export type SecurityPart = Pick<
  ApiServerConfig,
  "audit" | "encryption" | "maxRequestsInflight" | "maxMutatingRequestsInflight"
>;

/** Errors: rejects with StartupError naming the flag and the file. */
export async function readSecurity(
  config: SecurityConfig,
): Promise<SecurityPart> {
  const { maxRequestsInflight, maxMutatingRequestsInflight } = config;
  return {
    audit: await readAudit(config),
    encryption: await readEncryption(config),
    maxRequestsInflight,
    maxMutatingRequestsInflight,
  };
}

async function readAudit({ audit }: SecurityConfig): Promise<ApiServerConfig["audit"]> {
  if (audit === null) return null;
  const text = await readNamed("--audit-policy-file", audit.policyFile);
  const read = parseAuditPolicy(text);
  if (read.kind === "malformed") {
    throw refused("--audit-policy-file", audit.policyFile, read.problems);
  }
  return { policy: read.policy, log: audit.log };
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

/** Errors: rejects with StartupError. */
async function readNamed(flag: string, path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    throw new StartupError(
      `${flag} ${path}: ${(error as Error).message}`,
      "name a file that can be read",
    );
  }
}

function refused(flag: string, path: string, problems: readonly string[]): StartupError {
  return new StartupError(`${flag} ${path}: ${problems.join("; ")}`, "correct these places");
}
