/**
 * How to reach the cluster that a kubeconfig's current context names.
 * In: the text of a kubeconfig. Out: options of a client, or the first thing that is wrong.
 * Never: repeats a credential in a message. Source: client-go's clientcmd/api/v1 Config.
 */
import { parse } from "yaml";
import { z } from "zod";
import type { HttpsClientOptions } from "./https.ts";

const named = { name: z.string() };
const kubeconfig = z.object({
  "current-context": z.string(),
  contexts: z.array(z.object({
    ...named,
    context: z.object({ cluster: z.string(), user: z.string(), namespace: z.string().optional() }),
  })),
  clusters: z.array(z.object({
    ...named,
    cluster: z.object({
      server: z.string(),
      "certificate-authority-data": z.string().optional(),
      "tls-server-name": z.string().optional(),
    }),
  })),
  users: z.array(z.object({
    ...named,
    user: z.object({
      token: z.string().optional(),
      "client-certificate-data": z.string().optional(),
      "client-key-data": z.string().optional(),
    }),
  })),
});

export type Connection =
  | {
    readonly kind: "ok";
    readonly options: HttpsClientOptions;
    /** Namespace of the context. */
    readonly namespace: string;
  }
  | { readonly kind: "problem"; readonly message: string };

function decoded(data: string | undefined): string | undefined {
  return data === undefined ? undefined : atob(data);
}

/** @returns how to reach the server of the current context. Credentials are in the options only. */
export function parseKubeconfig(text: string): Connection {
  let raw: unknown;
  try {
    raw = parse(text);
  } catch {
    return { kind: "problem", message: "the kubeconfig is not YAML" };
  }
  const result = kubeconfig.safeParse(raw);
  if (!result.success) {
    const [{ path, message }] = result.error.issues;
    return { kind: "problem", message: `the kubeconfig's ${path.join(".")}: ${message}` };
  }
  const { contexts, clusters, users } = result.data;
  const wanted = result.data["current-context"];
  const context = contexts.find(({ name }) => name === wanted)?.context;
  const cluster = clusters.find(({ name }) => name === context?.cluster)?.cluster;
  const user = users.find(({ name }) => name === context?.user)?.user;
  if (context === undefined || cluster === undefined || user === undefined) {
    return { kind: "problem", message: `the kubeconfig has no complete context "${wanted}"` };
  }
  const options: HttpsClientOptions = {
    server: cluster.server,
    ca: decoded(cluster["certificate-authority-data"]),
    serverName: cluster["tls-server-name"],
    certificate: decoded(user["client-certificate-data"]),
    privateKey: decoded(user["client-key-data"]),
    token: user.token,
  };
  return { kind: "ok", options, namespace: context.namespace ?? "default" };
}
