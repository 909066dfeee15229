/**
 * Opens the kubeconfigs that lead to webhooks, with the files that they name, and the list of
 * authorizers. In: checked flags. Out: endpoints with what to show them.
 * Never: starts with a file that can't be read; repeats what stands in one.
 */
import { dirname, isAbsolute, join } from "node:path";
import { parse, stringify } from "yaml";
import type { ApiServerConfig } from "../apiserver/mod.ts";
import {
  type AuthorizerFileRow,
  parseAuthorization,
} from "../apiserver/auth/webhooks/authorization_file.ts";
import type { WebhookEndpoint } from "../apiserver/outgoing/remote_webhook.ts";
import type { Credentials } from "../apiserver/outgoing/post.ts";
import { parseKubeconfig } from "../client/kubeconfig.ts";
import { StartupError } from "../startup_error.ts";
import type { AccessWebhookFlags, AuditWebhookFlags, WebhookFlags } from "../webhook_flags.ts";
import { readNamed, refused } from "./named_file.ts";

/** Of a webhook that flags describe. */
const FLAG_TIMEOUT_MILLIS = 30_000;

/** Members of a kubeconfig that name files, and those that hold the same as base64. */
const FILE_MEMBERS = [
  ["certificate-authority", "certificate-authority-data"],
  ["client-certificate", "client-certificate-data"],
  ["client-key", "client-key-data"],
] as const;

type Entry = Record<string, unknown>;

/** A kubeconfig with the files that it names in it. Errors: rejects with StartupError. */
async function readWhole(flag: string, path: string): Promise<Entry> {
  const text = await readNamed(flag, path);
  let raw: Entry;
  try {
    raw = parse(text) ?? {};
  } catch {
    throw refused(flag, path, ["is not YAML"]);
  }
  const entries = [
    ...list(raw.clusters).map((one) => one.cluster),
    ...list(raw.users).map((one) => one.user),
  ];
  for (const entry of entries as (Entry | null | undefined)[]) {
    if (entry) await fillIn(entry, flag, dirname(path));
  }
  return raw;
}

async function fillIn(entry: Entry, flag: string, folder: string): Promise<void> {
  const read = (path: string) => readNamed(flag, isAbsolute(path) ? path : join(folder, path));
  for (const [member, data] of FILE_MEMBERS) {
    const path = entry[member];
    if (typeof path === "string" && path !== "") entry[data] = btoa(await read(path));
  }
  const { tokenFile } = entry;
  if (typeof tokenFile === "string" && tokenFile !== "") {
    entry.token = (await read(tokenFile)).trim();
  }
}

function list(value: unknown): readonly Entry[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "object" && one !== null) : [];
}

/** Where a kubeconfig's current context leads. Errors: rejects with StartupError. */
export async function readEndpoint(flag: string, path: string): Promise<WebhookEndpoint> {
  const connection = parseKubeconfig(stringify(await readWhole(flag, path)));
  if (connection.kind === "problem") throw refused(flag, path, [connection.message]);
  const { server, ca, serverName, certificate, privateKey: key, token } = connection.options;
  if (!/^https?:\/\//.test(server)) throw refused(flag, path, ["its server is no http(s) URL"]);
  const all = { server, ca, serverName, certificate, key, token };
  const given = Object.entries(all).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as unknown as WebhookEndpoint;
}

/**
 * What a kubeconfig's users show to whom: a user's name is a `HOST:PORT`, a `HOST` on 443,
 * `*.DOMAIN` or `*`; else the current context's.
 * Errors: rejects with StartupError. Source: apiserver's util/webhook/authentication.go (v1.36).
 */
export async function readCredentials(
  flag: string,
  path: string,
): Promise<(hostPort: string) => Credentials> {
  const raw = await readWhole(flag, path);
  const users = new Map<string, Credentials>();
  for (const { name, user } of list(raw.users)) users.set(String(name), credentialsOf(user));
  const current = list(raw.contexts).find(({ name }) => name === raw["current-context"]);
  const fallback = users.get(String((current?.context as Entry | undefined)?.user ?? ""));
  return (hostPort) => {
    const names = namesFor(hostPort);
    const found = names.find((name) => users.has(name));
    return (found === undefined ? fallback : users.get(found)) ?? {};
  };
}

function namesFor(hostPort: string): string[] {
  const withStars = (target: string) => {
    const steps = target.split(".");
    return [target, ...steps.slice(1).map((_, i) => `*.${steps.slice(i + 1).join(".")}`)];
  };
  const [host] = hostPort.split(/:(?=\d+$)/);
  return [
    ...withStars(hostPort),
    ...(hostPort.endsWith(":443") ? withStars(host) : []),
    "*",
  ];
}

function credentialsOf(user: unknown): Credentials {
  const entry = (user ?? {}) as Record<string, string | undefined>;
  const { "client-certificate-data": certificate, "client-key-data": key, token } = entry;
  return {
    ...(certificate && key ? { certificate: atob(certificate), key: atob(key) } : {}),
    ...(token ? { token } : {}),
  };
}

/** Errors: rejects with StartupError naming the flag and the file. */
export async function readTokenWebhook(
  { tokens }: WebhookFlags,
): Promise<ApiServerConfig["tokenWebhook"]> {
  if (tokens === null) return null;
  const { file, ...rest } = tokens;
  return {
    ...rest,
    endpoint: await readEndpoint("--authentication-token-webhook-config-file", file),
  };
}

/** Errors: rejects with StartupError naming the flag and the file. */
export async function readAuditWebhook(flags: AuditWebhookFlags) {
  const { file, ...rest } = flags;
  return { ...rest, endpoint: await readEndpoint("--audit-webhook-config-file", file) };
}

/** Errors: rejects with StartupError naming the flag and the file. */
export async function readAuthorizers(
  { authorization }: WebhookFlags,
): Promise<ApiServerConfig["authorizers"]> {
  if (authorization.kind === "modes") {
    const { modes, webhook } = authorization;
    return await Promise.all(
      modes.map((type) =>
        type === "Webhook" ? webhookRow(webhook) : Promise.resolve({ type } as const)
      ),
    );
  }
  const flag = "--authorization-config";
  const read = parseAuthorization(await readNamed(flag, authorization.file));
  if (read.kind === "malformed") throw refused(flag, authorization.file, read.problems);
  return await Promise.all(read.authorizers.map((row) => openRow(flag, row)));
}

async function openRow(flag: string, row: AuthorizerFileRow) {
  if (row.type !== "Webhook") return row;
  const endpoint = await readEndpoint(flag, row.kubeconfigFile);
  return { type: "Webhook" as const, webhook: { ...row.webhook, endpoint } };
}

async function webhookRow(webhook: AccessWebhookFlags | null) {
  const flag = "--authorization-webhook-config-file";
  if (webhook === null) throw new StartupError(`${flag} is missing`, "name a kubeconfig");
  const { file, ...rest } = webhook;
  return {
    type: "Webhook" as const,
    webhook: {
      ...rest,
      name: "default",
      endpoint: await readEndpoint(flag, file),
      timeoutMillis: FLAG_TIMEOUT_MILLIS,
      failurePolicy: "NoOpinion" as const,
      matchConditions: [],
    },
  };
}
