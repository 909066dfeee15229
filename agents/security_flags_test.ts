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
    admissionFile: null,
    tokenKeyFiles: [],
    tokenIssuer: null,
    anonymous: "all",
    oidc: null,
    maxRequestsInflight: 400,
    maxMutatingRequestsInflight: 200,
    webhooks: {
      tokens: null,
      authorization: { kind: "modes", modes: ["Node", "RBAC"], webhook: null },
      audit: null,
    },
  });
});

Deno.test("a provider has an issuer and a client, and what is not said by default", () => {
  const flags = {
    oidcIssuerUrl: "https://id.example/realm",
    oidcClientId: "balsa",
    oidcRequiredClaim: ["hd=example.com", "a=b=c"],
    oidcSigningAlgs: "RS256,ES384",
  };
  assert.deepEqual(securityOf(flags).oidc, {
    issuerUrl: "https://id.example/realm",
    clientId: "balsa",
    usernameClaim: "sub",
    usernamePrefix: "",
    groupsClaim: "",
    groupsPrefix: "",
    requiredClaims: { hd: "example.com", a: "b=c" },
    signingAlgs: ["RS256", "ES384"],
    caFile: null,
  });
  const refused: [RawFlags, RegExp][] = [
    [{ oidcIssuerUrl: "https://id.example" }, /needs --oidc-client-id/],
    [{ oidcClientId: "x" }, /needs --oidc-issuer-url/],
    [{ ...flags, oidcIssuerUrl: "http://id.example" }, /must be https/],
    [{ ...flags, oidcSigningAlgs: "HS256" }, /"HS256" is none of/],
    [{ ...flags, oidcRequiredClaim: ["x"] }, /is not NAME=VALUE/],
    [{ ...flags, serviceAccountIssuer: flags.oidcIssuerUrl }, /must differ/],
    [{ anonymousAuth: "maybe" }, /must be true, false or health/],
  ];
  for (const [raw, problem] of refused) {
    const problems = validateUpConfig(raw);
    assert(Array.isArray(problems), JSON.stringify(raw));
    assert.match(problems[0].message, problem);
  }
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

Deno.test("webhooks need their files, and a list of authorizers excludes the modes", () => {
  const { audit, authorization, tokens } = securityOf({
    auditPolicyFile: "p",
    auditWebhookConfigFile: "a",
    auditWebhookBatchThrottleEnable: "false",
    authorizationMode: "Node,Webhook",
    authorizationWebhookConfigFile: "z",
    authorizationWebhookCacheAuthorizedTtl: "1m30s",
    authenticationTokenWebhookConfigFile: "t",
    authenticationTokenWebhookVersion: "v1",
  }).webhooks;
  assert.deepEqual(tokens, { file: "t", version: "v1", cacheTtlMillis: 120_000 });
  assert.deepEqual(authorization, {
    kind: "modes",
    modes: ["Node", "Webhook"],
    webhook: {
      file: "z",
      version: "v1beta1",
      authorizedTtlMillis: 90_000,
      unauthorizedTtlMillis: 30_000,
    },
  });
  assert.equal(audit?.throttle, null);
  assert.equal(audit?.batchMaxSize, 400);
  const refused: [RawFlags, RegExp][] = [
    [{ auditWebhookConfigFile: "a" }, /needs --audit-policy-file/],
    [{ auditPolicyFile: "p", auditWebhookConfigFile: "a", auditWebhookMode: "blocking" }, /batch/],
    [{ authorizationMode: "Webhook" }, /needs --authorization-webhook-config-file/],
    [{ authorizationMode: "ABAC" }, /"ABAC" is none of/],
    [{ authorizationMode: "RBAC,RBAC" }, /names a mode twice/],
    [{ authorizationWebhookConfigFile: "z" }, /needs Webhook among/],
    [{ authorizationConfig: "c", authorizationMode: "RBAC" }, /name one/],
    [{ authenticationTokenWebhookCacheTtl: "soon" }, /is not a time/],
  ];
  for (const [raw, problem] of refused) {
    const problems = validateUpConfig(raw);
    assert(Array.isArray(problems), JSON.stringify(raw));
    assert.match(problems[0].message, problem);
  }
});
