/**
 * Whether the servers of API services answer, and what they say of themselves.
 * In: the caches of API services, services and endpoint slices. Out: conditions; documents.
 * Never: touches anything of an API service but its condition.
 * Source: kube-aggregator's controllers/status/remote (v1.36).
 */
import type { APIService, APIServiceStatus } from "../../api/kinds/extensions/api_service.ts";
import type { KubeObject } from "../../api/meta.ts";
import {
  apiServices,
  customResourceDefinitions,
  endpointSlices,
  services,
} from "../../api/resources.ts";
import { formatTime } from "../../api/time.ts";
import { follow } from "../follow.ts";
import { copyJson } from "../registry.ts";
import type { Core } from "../verbs/core.ts";
import { updateObject } from "../verbs/update.ts";
import type { FetchDocument } from "./documents.ts";
import { failedCheck, PASSED, planAvailable, type Verdict } from "./plan_available.ts";
import { attempt, type Registration, targetOf } from "./register.ts";
import { fetchRemote } from "./remote.ts";
import { type Aggregation, referenceOf } from "./services.ts";

const CHECK_MILLIS = 30_000;
const TIMEOUT_MILLIS = 5_000;
/** One endpoint that answers is enough, and each look may meet another. */
const ATTEMPTS = 5;
const ANSWER_LIMIT_BYTES = 4 * 1024 * 1024;
const CHECKER = { name: "system:kube-aggregator", groups: ["system:masters"] };

/**
 * Follows definitions, API services and what stands behind them until the caches close.
 * @returns a function that ends it
 */
export function followApiServices(
  core: Core,
  aggregation: Aggregation,
  registration: Registration,
): () => void {
  const check = rounds(core, () => checkAll(core, aggregation));
  const register = rounds(core, () => registration.sync());
  const both = () => {
    register();
    check();
  };
  follow(core, { resource: apiServices }, both);
  follow(core, { resource: customResourceDefinitions }, register);
  const matches = (object: KubeObject) => aggregation.isBackend(object);
  follow(core, { resource: services, matches }, check);
  follow(core, { resource: endpointSlices, matches }, check);
  return core.clock.every(CHECK_MILLIS, check);
}

/** Runs a round at a time; what is asked for meanwhile is done by one more. */
function rounds(core: Core, round: () => Promise<void>): () => void {
  let isRunning = false;
  let isDue = false;
  const run = async () => {
    isRunning = true;
    while (isDue && !core.feed.isClosed) {
      isDue = false;
      await round().catch((error) =>
        core.log("error", "API services are not checked", { error: `${error}` })
      );
    }
    isRunning = false;
  };
  return () => {
    isDue = true;
    if (!isRunning) void run();
  };
}

/** One look at every server that serves for others. */
async function checkAll(core: Core, aggregation: Aggregation): Promise<void> {
  aggregation.documents.prune();
  await Promise.all(
    aggregation.all().map(async (service) => {
      const verdict = await check(core, aggregation, service);
      await tell(core, service, verdict);
      const { documents } = aggregation;
      if (verdict.status === "False") return documents.lost(service);
      await documents.refresh(service, fetcher(core, aggregation, service), core.nowMillis);
    }),
  );
}

async function check(
  core: Core,
  aggregation: Aggregation,
  service: APIService,
): Promise<Verdict> {
  const reference = referenceOf(service);
  const backend = aggregation.backendOf(reference);
  const known = planAvailable(reference, backend.service, backend.slices);
  if (known !== null) return known;
  const first = await probe(core, aggregation, service);
  if (first === null) return PASSED;
  const others = Array.from({ length: ATTEMPTS - 1 }, () => probe(core, aggregation, service));
  const failures = await Promise.all(others);
  if (failures.includes(null)) return PASSED;
  return failedCheck("FailedDiscoveryCheck", failures[failures.length - 1]!);
}

/** @returns why the server is not available; null = it answered */
async function probe(
  core: Core,
  aggregation: Aggregation,
  service: APIService,
): Promise<string | null> {
  const remote = aggregation.remoteOf(service);
  if (typeof remote === "string") return remote;
  const { group, version } = service.spec!;
  const path = `/apis/${group}/${version}`;
  const url = `https://${remote.hostname}:${remote.port}${path}`;
  const failing = `failing or missing response from ${url}`;
  try {
    const { status } = await fetcher(core, aggregation, service)({
      path,
      user: CHECKER,
      accept: "application/json",
      etag: "",
      timeoutMillis: TIMEOUT_MILLIS,
      limitBytes: ANSWER_LIMIT_BYTES,
    });
    if (status >= 200 && status < 300) return null;
    return `${failing}: bad status from ${url}: ${status}`;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return `${failing}: Get ${JSON.stringify(url)}: ${reason}`;
  }
}

/** Asks one of the service's endpoints, each time another. */
function fetcher(core: Core, aggregation: Aggregation, service: APIService): FetchDocument {
  return async ({ timeoutMillis, ...asked }) => {
    const remote = aggregation.remoteOf(service);
    if (typeof remote === "string") throw new Error(remote);
    const abort = new AbortController();
    const stop = core.clock.after(timeoutMillis, () => abort.abort());
    try {
      return await fetchRemote(remote, aggregation.client, asked, abort.signal);
    } catch (error) {
      throw abort.signal.aborted ? new Error("context deadline exceeded") : error;
    } finally {
      stop();
    }
  };
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
