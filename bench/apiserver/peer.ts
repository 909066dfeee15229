/**
 * A cluster to compare with, as its kubeconfig describes it.
 * In: the path of a kubeconfig whose user is an administrator. Out: a side with a bearer token,
 * which is what h2load can show; where the kubeconfig has none, an account of the bench's own gets
 * one, and is removed again. Never: writes the kubeconfig.
 */
import { parse } from "yaml";
import type { KubeObject } from "../../agents/api/meta.ts";
import { clusterRoleBindings, serviceAccounts } from "../../agents/api/resources.ts";
import { ApiError } from "../../agents/api/status.ts";
import type { Client } from "../../agents/client/client.ts";
import { createHttpsClient, type HttpsClientOptions } from "../../agents/client/https.ts";
import type { Side } from "./rows.ts";

const ACCOUNT = { namespace: "kube-system", name: "balsa-bench" };
const TOKEN_SECONDS = 4 * 3600;

interface NamedContext {
  readonly name: string;
  readonly context: { readonly cluster: string; readonly user: string };
}

interface NamedCluster {
  readonly name: string;
  readonly cluster: { readonly server: string; readonly "certificate-authority-data": string };
}

interface NamedUser {
  readonly name: string;
  readonly user: {
    readonly token?: string;
    readonly "client-certificate-data"?: string;
    readonly "client-key-data"?: string;
  };
}

/** What the current context of a kubeconfig says. */
export async function readKubeconfig(
  path: string,
): Promise<HttpsClientOptions & { readonly ca: string }> {
  const config = parse(await Deno.readTextFile(path));
  const named = <T extends { name: string }>(list: readonly T[], name: string) =>
    list.find((one) => one.name === name) ?? list[0];
  const { context } = named<NamedContext>(config.contexts, config["current-context"]);
  const { cluster } = named<NamedCluster>(config.clusters, context.cluster);
  const { user } = named<NamedUser>(config.users, context.user);
  const pem = (data: string | undefined) => data === undefined ? undefined : atob(data);
  return {
    server: cluster.server,
    ca: atob(cluster["certificate-authority-data"]),
    certificate: pem(user["client-certificate-data"]),
    privateKey: pem(user["client-key-data"]),
    token: user.token,
  };
}

/** Runs with the cluster of a kubeconfig. */
export async function withKubeconfig<T>(
  path: string,
  use: (side: Side) => Promise<T>,
): Promise<T> {
  const options = await readKubeconfig(path);
  const { server, ca, token } = options;
  const side = { name: "peer", server, ca, pid: null };
  if (typeof token === "string") return await use({ ...side, token });
  const client = createHttpsClient(options);
  try {
    return await use({ ...side, token: await makeToken(client) });
  } finally {
    await removeAccount(client);
    client.close();
  }
}

async function makeToken(client: Client): Promise<string> {
  await unless("AlreadyExists", client.create(serviceAccounts, { metadata: ACCOUNT }));
  const binding: KubeObject = {
    metadata: { name: ACCOUNT.name },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
    subjects: [{ kind: "ServiceAccount", ...ACCOUNT }],
  };
  await unless("AlreadyExists", client.create(clusterRoleBindings, binding));
  const asked: KubeObject = {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    metadata: ACCOUNT,
    spec: { expirationSeconds: TOKEN_SECONDS },
  };
  const made = await client.create(serviceAccounts, asked, { ...ACCOUNT, subresource: "token" });
  return made.status.token;
}

async function removeAccount(client: Client): Promise<void> {
  await unless("NotFound", client.delete(clusterRoleBindings, { name: ACCOUNT.name }));
  await unless("NotFound", client.delete(serviceAccounts, ACCOUNT));
}

async function unless(reason: string, done: Promise<unknown>): Promise<void> {
  try {
    await done;
  } catch (error) {
    if (!(error instanceof ApiError) || error.reason !== reason) throw error;
  }
}
