/**
 * `balsa kubelet`: a node of a cluster whose API server is elsewhere.
 * In: a checked KubeletCommandConfig. Out: a running kubelet that the API server reaches over
 * HTTPS, and how to stop it. Never: starts without a runtime; takes clients of another authority.
 */
import { join, resolve } from "node:path";
import { issueCertificate, makeAuthority } from "../apiserver/auth/certificates.ts";
import { readMachine } from "../kubelet/node.ts";
import { runKubelet } from "../kubelet/run.ts";
import { type KubeletAccess, listenKubelet } from "../kubelet/serve/listen.ts";
import type { Client } from "../client/client.ts";
import { systemClock } from "../client/clock.ts";
import { createHttpsClient } from "../client/https.ts";
import type { KubeObject } from "../api/meta.ts";
import { subjectAccessReviews } from "../api/resources.ts";
import type { KubeletCommandConfig } from "../kubelet_flags.ts";
import { findRuntime } from "../nodes.ts";
import { stderrLog } from "../ports.ts";
import { KUBELET_VERSION } from "../version.ts";
import { readKubeconfig } from "./component_command.ts";
import { readNamed } from "./named_file.ts";
import { Progress, type RunningCluster, runParts } from "./progress.ts";

const SERVING_LIFETIME_MILLIS = 365 * 86_400_000;

/** Errors: rejects with StartupError. */
export async function bringUpKubelet(
  config: KubeletCommandConfig,
  say: (line: string) => void,
): Promise<RunningCluster> {
  const progress = new Progress(say);
  const log = stderrLog("warn");
  const options = await readKubeconfig(config.kubeconfig);
  const facts = { ...readMachine(), ...(config.nodeIp === null ? {} : { address: config.nodeIp }) };
  const name = config.hostnameOverride ?? Deno.hostname().toLowerCase();
  const running = await runParts(async (parts) => {
    const found = await findRuntime({ kind: "socket", path: config.runtimeSocket });
    const { runtime, identity } = found!;
    const client = createHttpsClient({ ...options, userAgent: "kubelet" });
    parts.push({ name: "client", stop: () => client.close() });
    const serving = await servingPair(config, [name, facts.address]);
    const listener = await listenKubelet({
      ...serving,
      bind: config.address,
      port: config.port,
      clientCa: config.clientCaFile === null
        ? options.ca ?? ""
        : await readNamed("--client-ca-file", config.clientCaFile),
      authorize: (asked) => mayAsk(client, name, asked),
      after: systemClock.after,
    });
    parts.push({ name: "server", stop: () => listener.close() });
    await progress.step("kubelet", async () => {
      const root = resolve(config.rootDir);
      const { hostname, port } = new URL(options.server);
      const kubelet = await runKubelet({
        client,
        runtime,
        clock: systemClock,
        identity: { name, runtime: identity, kubeletVersion: KUBELET_VERSION, port: listener.port },
        facts,
        root,
        logRoot: join(root, "logs"),
        dns: { clusterServers: config.clusterDns, clusterDomain: config.clusterDomain },
        apiServer: { host: hostname, port: Number(port) },
        log,
      });
      parts.push({ name: "kubelet", stop: () => kubelet.stop() });
      listener.serve(kubelet);
      return { value: kubelet, detail: `${name} answers on port ${listener.port}` };
    });
  });
  progress.ready([["server", options.server], ["stop", "Ctrl-C; containers go on running"]]);
  return running;
}

/** What the API server's rules say of somebody who asks this node. */
async function mayAsk(client: Client, node: string, asked: KubeletAccess): Promise<boolean> {
  const { groups, subresource, user, verb } = asked;
  const review = await client.create<KubeObject>(subjectAccessReviews, {
    metadata: {},
    spec: {
      user,
      groups: [...groups, "system:authenticated"],
      resourceAttributes: {
        verb,
        group: "",
        version: "v1",
        resource: "nodes",
        subresource,
        name: node,
      },
    },
  });
  return review.status?.allowed === true;
}

/** The files that were named, or a certificate of the kubelet's own making. */
async function servingPair(
  { tlsCertFile, tlsKeyFile }: KubeletCommandConfig,
  names: readonly string[],
): Promise<{ readonly certificate: string; readonly key: string }> {
  if (tlsCertFile !== null && tlsKeyFile !== null) {
    return {
      certificate: await readNamed("--tls-cert-file", tlsCertFile),
      key: await readNamed("--tls-private-key-file", tlsKeyFile),
    };
  }
  const nowMillis = Date.now();
  const lifetimeMillis = SERVING_LIFETIME_MILLIS;
  const [commonName] = names;
  const authority = await makeAuthority({ commonName, nowMillis, lifetimeMillis });
  const subject = { commonName };
  return issueCertificate(authority, {
    subject,
    usage: "server",
    names,
    nowMillis,
    lifetimeMillis,
  });
}
