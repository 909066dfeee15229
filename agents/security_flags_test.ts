/** Security flags to configuration: defaults, flags that need one another. */
import assert from "node:assert/strict";
import { type UpConfig, validateUpConfig } from "./config.ts";
import type { RawFlags } from "./flag_shapes.ts";
import type { SecurityConfig } from "./security_flags.ts";

function securityOf(raw: RawFlags): SecurityConfig {
  const config = validateUpConfig(raw);
  assert("security" in config, JSON.stringify(config));
  return (config as UpConfig).security;
}

Deno.test("no security flags, nothing is written down and upstream's bounds hold", () => {
  assert.deepEqual(securityOf({}), {
    audit: null,
    encryptionFile: null,
    maxRequestsInflight: 400,
    maxMutatingRequestsInflight: 200,
  });
});

Deno.test("an audit log has a policy, a place and bounds", () => {
  const flags = { auditPolicyFile: "p.yaml", auditLogPath: "a.log", auditLogMaxsize: "10" };
  assert.deepEqual(securityOf(flags).audit, {
    policyFile: "p.yaml",
    log: { path: "a.log", maxSizeMegabytes: 10, maxAgeDays: 0, maxBackups: 0 },
  });
  for (const alone of ["auditPolicyFile", "auditLogPath"]) {
    const problems = validateUpConfig({ [alone]: "x" });
    assert(Array.isArray(problems));
    assert.match(problems[0].message, /needs --audit/);
  }
});
