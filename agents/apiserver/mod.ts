/**
 * The door of the API server: a store in, the API out — in process, as a handler, over HTTPS.
 * In: configuration and ports. Out: an ApiServer.
 * Never: opens the store or reads flags; its caller does.
 */
import type { Store } from "../../store/mod.ts";
import type { ApiPort } from "../api/call.ts";
import type { KubeObject } from "../api/meta.ts";
import type { Resource } from "../api/resource.ts";
import { customResourceDefinitions, nodes, resources } from "../api/resources.ts";
import { admissionChain } from "./admission/plugins.ts";
import { deviceAccessCheck } from "./admission/nodes/device_access.ts";
import { deviceSelectorCheck } from "./admission/nodes/device_selectors.ts";
import { expressionCheck } from "./admission/policies/check_expressions.ts";
import { followPolicies } from "./admission/policies/type_check.ts";
import { roleEscalation } from "./admission/role_escalation.ts";
import { ServiceAddresses } from "./admission/service_addresses.ts";
import { WebhookCaller } from "./admission/webhooks/caller.ts";
import { followClusterRoles } from "./auth/rbac/aggregate.ts";
import { createPolicyAuthorizer } from "./auth/rbac/policy_authorizer.ts";
import { chainAuthorizers } from "./auth/webhooks/authorizer_chain.ts";
import { openPki, type Pki } from "./auth/ca.ts";
import { openAuthentication } from "./auth/open.ts";
import { bootstrap, publishAuthentication } from "./bootstrap.ts";
import { followApiServices } from "./aggregation/availability.ts";
import { Registration } from "./aggregation/register.ts";
import { Aggregation } from "./aggregation/services.ts";
import { sealStore } from "./encryption/sealed_store.ts";
import { Feed } from "./cache/feed.ts";
import { SharedSpecs } from "./cache/shared_specs.ts";
import { definitionRules } from "./custom/definition_rules.ts";
import { followDefinitions, settleDefinitions } from "./custom/definitions.ts";
import { CustomTable } from "./custom/table.ts";
import { WebhookConversion } from "./custom/webhook.ts";
import { type ApiServerConfig, validateConfig } from "./config.ts";
import { bootstrapFlow } from "./flow/defaults.ts";
import { openGuards } from "./guards.ts";
import { createConnect } from "./http/connect.ts";
import { createHandler, type Handler } from "./http/handler.ts";
import { createPaths } from "./http/paths.ts";
import { createUpgrade } from "./http/upgrade.ts";
import { joinKubelets, RemoteKubelets } from "./kubelets/remote_kubelets.ts";
import { listen, type Listener } from "./listen.ts";
import { createMetrics } from "./metrics.ts";
import { createPort } from "./port.ts";
import { ServerRecords } from "./server_records.ts";
import type { Clock, ComponentHealth, KubeletPort, Log, Random } from "./ports.ts";
import { UsageCollector } from "./usage/usage_collector.ts";
import { cachedObject, type Core, prefixOf } from "./verbs/core.ts";
import { LeasePool } from "./verbs/lease_pool.ts";
import { INDEXED_FIELDS } from "./verbs/selection.ts";
import { bookmarkOf } from "./verbs/watch.ts";

export { type ApiServerConfig, DEFAULT_CONFIG, validateConfig } from "./config.ts";
export type { KubeletClientConfig } from "./kubelets/remote_kubelets.ts";
export { formatKubeconfig, writeKubeconfig } from "./auth/kubeconfig.ts";
export { issueClient, openPki, type Pki } from "./auth/ca.ts";
export { ADDRESS_TYPES, DEFAULT_KUBELET_CLIENT } from "./kubelets/remote_kubelets.ts";
export type * from "./ports.ts";
export { randomFrom } from "./ports.ts";

export interface ApiServerPorts {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The kubelets of this process; others are asked over HTTPS. */
  readonly kubelets?: KubeletPort;
  /** The other parts of the control plane, as far as this process knows them. */
  readonly components?: () => readonly ComponentHealth[];
  /** Lines of /metrics of the other parts of this process. */
  readonly metrics?: () => readonly string[];
}

export interface ApiServer {
  /** For components of this process. */
  readonly port: ApiPort;
  /** A request to a response, without a socket. */
  readonly handler: Handler;
  readonly pki: Pki;
  /** Serves HTTPS on the configured address. @returns the bound port */
  listen(): Promise<number>;
  /** Ends watches and the listener; the store stays open. */
  close(): Promise<void>;
}

const BOOKMARK_MILLIS = 60_000;

/**
 * Loads the caches, makes what a new cluster needs, and answers the API.
 * Errors: rejects when the configuration is wrong, listing every problem, or when the store can't
 * be read.
 */
export async function createApiServer(
  config: ApiServerConfig,
  ports: ApiServerPorts,
): Promise<ApiServer> {
  refuseInvalid(config);
  const { clock } = ports;
  const clusterIp = firstAddress(config.serviceCidr);
  const pki = await openPki({
    directory: config.pkiDirectory,
    serverNames: [config.bindAddress, clusterIp, ...config.serverNames],
    nowMillis: clock.nowMillis(),
  });
  const kubelets = openKubelets(config, ports, pki);
  const { serviceAccountKey } = pki;
  const core = await createCore(config, { ...ports, kubelets, serviceAccountKey });
  const stopBookmarks = clock.every(BOOKMARK_MILLIS, () => sendBookmarks(core));
  const { aggregation, stopChecks } = await begin(core, pki);
  let listener: Listener | null = null;
  let records: ServerRecords | null = null;
  let isClosing = false;
  const guards = await openGuards(config, core);
  const { audit, flow } = guards;
  const handler = createHandler({
    core,
    aggregation,
    audit,
    flow,
    paths: createPaths({
      core,
      aggregation,
      serverAddress: () => `${config.bindAddress}:${listener?.port ?? config.port}`,
      metrics: createMetrics(core, [guards.metrics, ports.metrics ?? (() => [])]),
      checks: {
        etcd: () => storeProblem(ports.store),
        shutdown: () => isClosing ? "shutting down" : null,
      },
    }),
    connect: createConnect(core, kubelets),
  });
  return {
    port: createPort(core),
    handler,
    pki,
    async listen() {
      listener = await listen({
        bindAddress: config.bindAddress,
        port: config.port,
        server: pki.server,
        clientCa: pki.ca.certificate,
        handler,
        onRefused: (request) => void audit?.refused(request, 401),
        upgrade: createUpgrade({ core, kubelets, audit, aggregation }),
        authenticator: core.authenticator,
        clock,
        log: ports.log,
      });
      records = new ServerRecords(core, { clusterIp, address: config.advertiseAddress }, listener);
      await records.start();
      return listener.port;
    },
    async close() {
      isClosing = true;
      stopBookmarks();
      stopChecks();
      await records?.stop();
      core.feed.close();
      await listener?.close();
      await guards.close();
      closeOutgoing(core);
    },
  };
}

/** Lets go of connections to whom requests were asked about. */
function closeOutgoing({ authenticator, authorizer, webhooks }: Core): void {
  webhooks.close();
  authenticator.close();
  authorizer.close?.();
}

/** Errors: throws with every problem. */
function refuseInvalid(config: ApiServerConfig): void {
  const problems = validateConfig(config);
  if (problems.length > 0) throw new Error(problems.join("\n"));
}

function openKubelets(
  { kubelet }: ApiServerConfig,
  { kubelets }: ApiServerPorts,
  pki: Pki,
): KubeletPort {
  return joinKubelets(kubelets, new RemoteKubelets(kubelet, kubelet.client ?? pki.kubeletClient));
}

/** Makes what a new cluster needs, and sets on their way those who keep it. */
async function begin(
  core: Core,
  pki: Pki,
): Promise<{ readonly aggregation: Aggregation; readonly stopChecks: () => void }> {
  await bootstrap(core);
  await publishAuthentication(core, {
    clientCa: pki.ca.certificate,
    frontProxyCa: pki.frontProxy.ca.certificate,
  });
  await bootstrapFlow(core);
  followClusterRoles(core);
  await settleDefinitions(core);
  followDefinitions(core);
  followPolicies(core);
  const registration = new Registration(core);
  await registration.sync();
  const aggregation = new Aggregation(core, pki.frontProxy.client);
  return { aggregation, stopChecks: followApiServices(core, aggregation, registration) };
}

/** How a node's kubelet is asked what is used. */
function measureOf(kubelets: KubeletPort, feed: Feed) {
  return async (name: string) => {
    const node = cachedObject(feed, nodes, { namespace: "", name }) ?? null;
    return await kubelets.resourceMetrics?.(name, node) ?? null;
  };
}

function storeProblem(store: Store): string | null {
  return store.status().leaderId === 0n ? "no leader" : null;
}

async function createCore(
  config: ApiServerConfig,
  ports: ApiServerPorts & { readonly serviceAccountKey: string; readonly kubelets: KubeletPort },
): Promise<Core> {
  const { clock, random, log, components = () => [] } = ports;
  const sealed = config.encryption === null ? null : sealStore(ports.store, config.encryption);
  const store = sealed ?? ports.store;
  const feed = new Feed({
    store,
    clock,
    log,
    ringCapacity: config.watchHistory,
    watcherCapacity: config.watchQueue,
    consistentReads: config.consistentReads,
    indexes: indexFunctions(),
  });
  await feed.start();
  // A cache that exists from the start can answer watches from then on.
  for (const resource of resources) feed.cache(prefixOf(resource));
  const { serviceAccountKey: signingKey } = ports;
  const outside = { feed, clock, log, signingKey };
  const { tokens, authenticator } = await openAuthentication(config, outside);
  const addresses = new ServiceAddresses({
    cidr: config.serviceCidr,
    nodePorts: config.nodePorts,
    clock,
    random,
  });
  const own = createPolicyAuthorizer(feed);
  const authorizer = chainAuthorizers(config.authorizers, own, { clock, log });
  const definitions = feed.cache(prefixOf(customResourceDefinitions));
  const core: Core = {
    custom: new CustomTable(definitions, new WebhookConversion()),
    store,
    feed,
    podSpecs: new SharedSpecs(),
    clock,
    random,
    log,
    admission: admissionChain(
      {
        enabled: config.enabledAdmission,
        disabled: config.disabledAdmission,
        podSecurity: config.podSecurity,
        settings: config.admission,
      },
      [
        addresses,
        roleEscalation(authorizer),
        definitionRules,
        expressionCheck,
        deviceSelectorCheck,
        deviceAccessCheck,
      ],
    ),
    webhooks: new WebhookCaller(config.webhookCredentials),
    eventLeases: new LeasePool({ store, clock, ttlSeconds: config.eventTtlSeconds }),
    authorizer,
    tokens,
    authenticator,
    isStale: (key) => sealed?.isStale(key) ?? false,
    usage: new UsageCollector({ measure: measureOf(ports.kubelets, feed), clock }),
    components: () => [...components(), { name: "etcd-0", problem: storeProblem(store) }],
    get nowMillis() {
      return clock.nowMillis();
    },
    newUid: () => random.uuid(),
  };
  addresses.follow(core);
  return core;
}

function indexFunctions(): Record<string, (object: KubeObject) => string> {
  const functions: Record<string, (object: KubeObject) => string> = {};
  for (const resource of resources) {
    if (resource.group === "" && INDEXED_FIELDS[resource.plural] === "spec.nodeName") {
      functions[prefixOf(resource)] = (object) => object.spec?.nodeName ?? "";
    }
  }
  return functions;
}

function sendBookmarks(core: Core): void {
  const byPrefix = new Map<string, Resource>();
  for (const resource of resources) {
    if (resource.storedAs === undefined) byPrefix.set(prefixOf(resource), resource);
  }
  for (const resource of core.custom.rows) byPrefix.set(prefixOf(resource), resource);
  for (const cache of core.feed.caches) {
    const resource = byPrefix.get(cache.prefix);
    if (resource !== undefined) cache.bookmark(bookmarkOf(resource, core.feed.revision));
  }
}

/** 10.96.0.0/16 -> 10.96.0.1 */
function firstAddress(cidr: string): string {
  const parts = cidr.split("/")[0].split(".").map(Number);
  parts[3] += 1;
  return parts.join(".");
}
