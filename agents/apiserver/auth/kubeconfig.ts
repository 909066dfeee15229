/**
 * Writes the file that kubectl reads to reach this cluster.
 * In: the server's address, the CA, a client's certificate. Out: a kubeconfig of mode 0600.
 * Never: merges into a file that is already there. Source: client-go's clientcmd/api/v1 Config.
 */
import { stringify } from "yaml";
import { writeSecret } from "./ca.ts";
import type { PemPair } from "./certificates.ts";

export interface KubeconfigOptions {
  /** `https://127.0.0.1:6443` */
  readonly server: string;
  /** CA certificate, PEM. */
  readonly ca: string;
  readonly client: PemPair;
  readonly clusterName?: string;
  readonly userName?: string;
}

/** The kubeconfig as YAML. */
export function formatKubeconfig(options: KubeconfigOptions): string {
  const cluster = options.clusterName ?? "balsa";
  const user = options.userName ?? "kubernetes-admin";
  const context = `${user}@${cluster}`;
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{
      name: cluster,
      cluster: { server: options.server, "certificate-authority-data": btoa(options.ca) },
    }],
    users: [{
      name: user,
      user: {
        "client-certificate-data": btoa(options.client.certificate),
        "client-key-data": btoa(options.client.key),
      },
    }],
    contexts: [{ name: context, context: { cluster, user } }],
    "current-context": context,
  }, { lineWidth: 0 });
}

/** Writes the kubeconfig, readable by its owner alone. */
export function writeKubeconfig(path: string, options: KubeconfigOptions): Promise<void> {
  return writeSecret(path, formatKubeconfig(options));
}
