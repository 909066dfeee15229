/**
 * Keeps the API services: registers what is served here, and tells of the others whether they
 * answer. In: the table of resources, the cache of API services. Out: API services, conditions.
 * Never: touches a service that somebody registered by hand, but for its condition.
 * Source: kube-aggregator's controllers/{autoregister,status} (v1.36).
 */
import type { APIService, APIServiceStatus } from "../../api/kinds/extensions/api_service.ts";
import type { KubeObject } from "../../api/meta.ts";
import { apiServices, customResourceDefinitions, resources } from "../../api/resources.ts";
import { ApiError } from "../../api/status.ts";
import { formatTime } from "../../api/time.ts";
import { APISERVER } from "../auth/authorize.ts";
import { compareVersions } from "../custom/table.ts";
import { copyJson } from "../registry.ts";
import { apiVersionOf, cacheOf, type Core, prefixOf } from "../verbs/core.ts";
import { createObject } from "../verbs/create.ts";
import { deleteObject } from "../verbs/delete.ts";
import { updateObject } from "../verbs/update.ts";
import { askRemote } from "./remote.ts";
import type { Aggregation } from "./services.ts";

const MANAGED = "kube-aggregator.kubernetes.io/automanaged";
const CHECK_MILLIS = 30_000;
const TIMEOUT_MILLIS = 5_000;
const CORE_PRIORITY = 18_000;
const GROUP_PRIORITY = 17_000;
const CUSTOM_PRIORITY = 1_000;

type Verdict = {
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
};

/** Follows definitions and API services until the caches close. @returns a function that ends it */
export function followApiServices(core: Core, aggregation: Aggregation): () => void {
  const check = () => checkAll(core, aggregation);
  follow(core, prefixOf(apiServices), check);
  follow(core, prefixOf(customResourceDefinitions), () => registerLocal(core));
  return core.clock.every(CHECK_MILLIS, () => {
    check().catch((error) =>
      core.log("error", "API services are not checked", { error: `${error}` })
    );
  });
}

function follow(core: Core, prefix: string, round: () => Promise<void>): void {
  const run = async () => {
    while (!core.feed.isClosed) {
      const selection = { keyPrefix: prefix };
      const outcome = core.feed.cache(prefix).watch(
        { kind: "state" },
        { selection, wantsBookmarks: false },
      );
      if (outcome.kind !== "started") return;
      for await (const _ of outcome.watcher) await round();
    }
  };
  run().catch((error) => core.log("error", "API services are not followed", { error: `${error}` }));
}

interface Version {
  readonly group: string;
  readonly version: string;
}

/** Makes an API service of each version served here, and removes those of definitions gone. */
export async function registerLocal(core: Core): Promise<void> {
  const wanted = new Map<string, Version>();
  for (const { group, version } of [...resources, ...core.custom.rows]) {
    wanted.set(`${version}.${group}`, { group, version });
  }
  const cache = cacheOf(core, apiServices);
  const own = new Set(resources.map(({ group }) => group));
  for (const [name, { group, version }] of wanted) {
    if (cache.get(prefixOf(apiServices) + name) !== undefined) continue;
    const versions = [...wanted.values()].filter((one) => one.group === group)
      .map((one) => one.version).sort(compareVersions);
    await attempt(core, () =>
      createObject(core, targetOf(""), {
        kind: apiServices.kind,
        apiVersion: apiVersionOf(apiServices),
        metadata: { name, labels: { [MANAGED]: own.has(group) ? "onstart" : "true" } },
        spec: {
          ...(group === "" ? {} : { group }),
          version,
          groupPriorityMinimum: priorityOf(group, own),
          versionPriority: 100 - versions.indexOf(version),
        },
      }, {}));
  }
  for (const { object } of cache.select({ keyPrefix: prefixOf(apiServices) })) {
    const { name = "", labels = {} } = object.metadata;
    if (labels[MANAGED] !== "true" || wanted.has(name)) continue;
    await attempt(core, () => deleteObject(core, targetOf(name), {}));
  }
}

function priorityOf(group: string, own: ReadonlySet<string>): number {
  if (group === "") return CORE_PRIORITY;
  return own.has(group) ? GROUP_PRIORITY : CUSTOM_PRIORITY;
}

function targetOf(name: string, subresource = "") {
  return { resource: apiServices, subresource, namespace: "", name, user: APISERVER };
}

/** Another server may have been faster; its event brings the next round. */
async function attempt(core: Core, write: () => Promise<unknown>): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    core.log("debug", "an API service was not written", { error: error.message });
  }
}

/** One look at every server that serves for others. */
export async function checkAll(core: Core, aggregation: Aggregation): Promise<void> {
  for (const service of aggregation.all()) {
    await tell(core, service, await check(core, aggregation, service));
  }
}

async function check(
  core: Core,
  aggregation: Aggregation,
  service: APIService,
): Promise<Verdict> {
  const { group, version, service: reference } = service.spec!;
  const { namespace, name, port = 443 } = reference!;
  const failed = (reason: string, message: string): Verdict => ({
    status: "False",
    reason,
    message,
  });
  const remote = aggregation.remoteOf(service);
  if (typeof remote === "string") {
    const shown = `service/${name} in ${JSON.stringify(namespace)}`;
    if (/^service .* not found$/.test(remote)) {
      return failed("ServiceNotFound", `${shown} is not present`);
    }
    if (remote.startsWith("no service port")) {
      return failed("ServicePortError", `${shown} is not listening on port ${port}`);
    }
    return failed("MissingEndpoints", `endpointslices for ${shown} have no addresses`);
  }
  const path = `/apis/${group}/${version}`;
  const url = `https://${remote.serverName}:${port}${path}`;
  const abort = new AbortController();
  const stop = core.clock.after(TIMEOUT_MILLIS, () => abort.abort());
  try {
    const answer = await askRemote(remote, aggregation.client, {
      method: "GET",
      path,
      query: "",
      header: (header) => header === "accept" ? "application/json" : undefined,
      body: new Uint8Array(0),
      user: APISERVER,
    }, abort.signal);
    const text = await textOf(answer.body);
    if (answer.status < 200 || answer.status >= 300) {
      const detail = `failing or missing response from ${url}: bad status from ${url}: ` +
        `${answer.status}`;
      return failed("FailedDiscoveryCheck", detail);
    }
    const list = JSON.parse(text);
    if (Array.isArray(list?.resources)) aggregation.learn(service, list.resources);
    return { status: "True", reason: "Passed", message: "all checks passed" };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return failed(
      "FailedDiscoveryCheck",
      `failing or missing response from ${url}: Get ${JSON.stringify(url)}: ${reason}`,
    );
  } finally {
    stop();
  }
}

const ANSWER_LIMIT_BYTES = 1024 * 1024;

async function textOf(body: Awaited<ReturnType<typeof askRemote>>["body"]): Promise<string> {
  if (body.kind !== "stream") return "";
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of body.stream) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > ANSWER_LIMIT_BYTES) throw new Error("the answer is too long");
  }
  return text + decoder.decode();
}

async function tell(core: Core, service: APIService, verdict: Verdict): Promise<void> {
  const known = service.status?.conditions ?? [];
  const old = known.find(({ type }) => type === "Available");
  const isSame = old?.status === verdict.status && old.reason === verdict.reason &&
    old.message === verdict.message;
  if (isSame) return;
  const lastTransitionTime = old?.status === verdict.status
    ? old.lastTransitionTime
    : formatTime(core.nowMillis);
  const condition = { type: "Available", ...verdict, lastTransitionTime };
  const others = known.filter(({ type }) => type !== "Available");
  const status: APIServiceStatus = { conditions: [...others, condition] };
  const draft = { ...copyJson(service), status: copyJson(status) } as KubeObject;
  await attempt(
    core,
    () => updateObject(core, targetOf(service.metadata.name!, "status"), draft, {}),
  );
}
