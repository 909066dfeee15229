/**
 * `balsa kubelet`: a node of a cluster whose API server is elsewhere.
 * In: a checked KubeletCommandConfig. Out: a running kubelet that the API server reaches over
 * HTTPS, and how to stop it. Never: starts without a runtime; takes clients of another authority.
 */
import { join, resolve } from "node:path";
import { readMachine } from "../kubelet/node.ts";
import { runKubelet } from "../kubelet/run.ts";
import { type KubeletAccess, listenKubelet } from "../kubelet/serve/listen.ts";
import { systemClock } from "../client/clock.ts";
import { createHttpsClient } from "../client/https.ts";
import type { KubeletCommandConfig } from "../kubelet_flags.ts";
import { findRuntime } from "../nodes.ts";
import { stderrLog } from "../ports.ts";
import { type AskedAccess, delegateAccess } from "../serving/delegated_access.ts";
import { StartupError } from "../startup_error.ts";
import { KUBELET_VERSION } from "../version.ts";
import { readKubeconfig } from "./component_command.ts";
import { Progress, type RunningCluster, runParts } from "./progress.ts";
import { readClientCa, servingPair } from "./serving_pair.ts";

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
    const access = delegateAccess(client);
    const serving = await servingPair(config, [name, facts.address]);
    const listener = await listenKubelet({
      ...serving,
      bind: config.address,
      port: config.port,
      clientCa: await clientAuthority(config, options.ca),
      authorize: (asked) => {
        const user = { name: asked.user, groups: asked.groups };
        return access.allows(user, aboutNode(name, asked));
      },
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

/** Errors: rejects with StartupError where nobody says whose clients to take. */
async function clientAuthority(
  { clientCaFile, kubeconfig }: KubeletCommandConfig,
  ca: string | undefined,
): Promise<string> {
  if (clientCaFile !== null) return await readClientCa(clientCaFile);
  if (ca !== undefined) return ca;
  throw new StartupError(`${kubeconfig} names no authority`, "name one with --client-ca-file");
}

/** What the API server is asked about somebody who asks this node. */
function aboutNode(name: string, { subresource, verb }: KubeletAccess): AskedAccess {
  const resource = { group: "", version: "v1", resource: "nodes" };
  return { resourceAttributes: { verb, ...resource, subresource, name } };
}
