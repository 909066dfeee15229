/**
 * The rows of the API server's bench: what is asked, how fast it is answered.
 * In: a side (address, token, process). Out: one number a row and sample.
 * Never: starts or stops a server; `apiserver.ts` does.
 */
import { namespaces } from "../../agents/api/resources.ts";
import { createHttpsClient } from "../../agents/client/https.ts";
import { cpuShare, residentBytes } from "../process_usage.ts";
import { h2load, type LoadResult } from "../h2load.ts";

/** One cluster under test. */
export interface Side {
  readonly name: string;
  /** `https://127.0.0.1:6443` */
  readonly server: string;
  /** CA certificate, PEM. */
  readonly ca: string;
  readonly token: string;
  /** Process of the server where it is known. */
  readonly pid: number | null;
}

export interface ApiScale {
  /** Length of a load, seconds. */
  readonly seconds: number;
  /** Pods in the listed namespace. */
  readonly listed: number;
  readonly watches: number;
  readonly leaseNodes: number;
  /** Pods in a list that others must not notice. */
  readonly crowd: number;
}

export interface ApiRow {
  readonly id: string;
  readonly name: string;
  readonly unit: string;
  readonly atLeast: number;
  readonly aim: number;
  readonly lessIsBetter?: boolean;
  /** Needs the server's process, so a peer can't be measured. */
  readonly ownOnly?: boolean;
  readonly hollowNodes?: (scale: ApiScale) => number;
  readonly measure: (side: Side, scale: ApiScale) => Promise<Measured>;
}

export interface Measured {
  /** In the row's unit. */
  readonly value: number;
  /** 99 of 100 requests of the row were answered sooner; absent where a row is none of requests. */
  readonly p99Millis?: number;
}

/** Everything but nodes is made in here. */
const NAMESPACE = "balsa-bench";
const PODS = `/api/v1/namespaces/${NAMESPACE}/pods`;
const MAPS = `/api/v1/namespaces/${NAMESPACE}/configmaps`;
const NODES = "/api/v1/nodes";
const MINE = { "balsa-bench": "true" };
const MERGE = "application/merge-patch+json";

function pod(name: object): object {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { ...name, labels: { app: "bench" } },
    spec: {
      schedulerName: "nobody",
      automountServiceAccountToken: false,
      containers: [{
        name: "c",
        image: "registry.example/c:1",
        resources: { requests: { cpu: "100m", memory: "100Mi" } },
      }],
    },
  };
}

const node = {
  apiVersion: "v1",
  kind: "Node",
  metadata: { generateName: "bench-", labels: MINE },
  status: { capacity: { cpu: "4", memory: "32Gi", pods: "110" } },
};

function headers(side: Side, more: readonly string[] = []): string[] {
  return [`authorization: Bearer ${side.token}`, "content-type: application/json", ...more];
}

/** Runs with the JSON of a body in a temporary file. */
async function withBody<T>(body: unknown, use: (file: string) => Promise<T>): Promise<T> {
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, JSON.stringify(body));
  try {
    return await use(file);
  } finally {
    await Deno.remove(file);
  }
}

interface AskOptions {
  readonly method?: string;
  readonly body?: unknown;
  readonly type?: string;
}

/** One request outside the measured load. Errors: rejects unless the answer is 2xx. */
async function ask(side: Side, path: string, options: AskOptions = {}): Promise<Uint8Array> {
  const client = Deno.createHttpClient({ caCerts: [side.ca] });
  try {
    const init = {
      client,
      method: options.method ?? "GET",
      headers: {
        authorization: `Bearer ${side.token}`,
        "content-type": options.type ?? "application/json",
      },
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
    };
    const response = await fetch(`${side.server}${path}`, init);
    const bytes = await response.bytes();
    if (!response.ok) {
      throw new Error(`${path}: ${response.status} ${new TextDecoder().decode(bytes)}`);
    }
    return bytes;
  } finally {
    client.close();
  }
}

function createPods(side: Side, requests: number) {
  return withBody(pod({ generateName: "bench-" }), (bodyFile) =>
    h2load({
      url: `${side.server}${PODS}`,
      connections: 8,
      streams: 8,
      requests,
      headers: headers(side),
      bodyFile,
    }));
}

/** Makes the namespace of the rows' objects, and waits until pods can be made in it. */
export async function prepare(side: Side): Promise<void> {
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } };
  await ask(side, "/api/v1/namespaces", { method: "POST", body: namespace }).catch((error) => {
    if (!/: 409 /.test(String(error))) throw error;
  });
  const account = `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/default`;
  const deadline = performance.now() + 30_000;
  while (!await ask(side, account).then(() => true, () => false)) {
    if (performance.now() > deadline) throw new Error(`${side.name}: no default account comes`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Removes what rows have made, so that each sample finds the same. */
export async function clean(side: Side): Promise<void> {
  const body = { kind: "DeleteOptions", apiVersion: "v1", gracePeriodSeconds: 0 };
  const mine = `${NODES}?labelSelector=${Object.keys(MINE)[0]}`;
  for (const path of [PODS, MAPS, mine]) await ask(side, path, { method: "DELETE", body });
}

/** Lists all pods `times` times after one to warm up. */
async function listSeconds(side: Side, times: number): Promise<Measured> {
  await ask(side, `${PODS}?resourceVersion=0`);
  const samples: number[] = [];
  for (let i = 0; i < times; i++) {
    const started = performance.now();
    await ask(side, PODS);
    samples.push((performance.now() - started) / 1000);
  }
  samples.sort((a, b) => a - b);
  return { value: samples[times >> 1], p99Millis: samples[times - 1] * 1000 };
}

/** What a load of requests came to. */
function rateOf({ requestsPerSecond, p99Millis }: LoadResult): Measured {
  return { value: requestsPerSecond, p99Millis };
}

const CROWD_LISTS = 4;
/** Between two small requests that look for delays. */
const PROBE_MILLIS = 2;

/**
 * Small gets, one after the other, while another client lists everything again and again.
 * @returns milliseconds of the longest
 */
async function probeDuringLists(side: Side, { crowd }: ApiScale): Promise<Measured> {
  await createPods(side, crowd);
  const { server, ca, token } = side;
  const client = createHttpsClient({ server, ca, token });
  try {
    await client.get(namespaces, { name: "default" });
    const load = { connections: 1, streams: 1, requests: CROWD_LISTS, headers: headers(side) };
    let isOver = false;
    const lists = h2load({ url: `${server}${PODS}`, ...load }).finally(() => isOver = true);
    const delays: number[] = [];
    while (!isOver) {
      const asked = performance.now();
      await client.get(namespaces, { name: "default" });
      delays.push(performance.now() - asked);
      await new Promise((resolve) => setTimeout(resolve, PROBE_MILLIS));
    }
    await lists;
    delays.sort((a, b) => a - b);
    const p99Millis = delays[Math.floor(delays.length * 0.99)];
    return { value: delays[delays.length - 1], p99Millis };
  } finally {
    client.close();
  }
}

const WRITERS = 8;

/**
 * Watchers of a collection, and writers of its objects; counts the bytes that reach the watchers.
 */
async function watchFanOut(side: Side, { seconds, watches }: ApiScale): Promise<Measured> {
  let from = "";
  for (let i = 0; i < WRITERS; i++) {
    const body = configMap(i, 0);
    const made = await ask(side, MAPS, { method: "POST", body });
    from = JSON.parse(new TextDecoder().decode(made)).metadata.resourceVersion;
  }
  const load = h2load({
    url: `${side.server}${MAPS}?watch=true&resourceVersion=${from}&timeoutSeconds=600`,
    connections: 10,
    streams: Math.ceil(watches / 10),
    seconds,
    headers: headers(side),
    allowFailures: true,
  });
  const { eventBytes, p99Millis } = await writeFor(side, seconds);
  const { dataBytes } = await load;
  return { value: dataBytes / eventBytes / seconds, p99Millis };
}

function configMap(writer: number, value: number): object {
  const metadata = { name: `watched-${writer}` };
  return { apiVersion: "v1", kind: "ConfigMap", metadata, data: { a: String(100_000 + value) } };
}

/** Patches each object again and again. @returns bytes of one watch event, on average */
async function writeFor(
  side: Side,
  seconds: number,
): Promise<{ readonly eventBytes: number; readonly p99Millis: number }> {
  const until = performance.now() + seconds * 1000;
  const millis: number[] = [];
  let bytes = 0;
  const turn = async (writer: number) => {
    for (let i = 0; performance.now() < until; i++) {
      const asked = performance.now();
      const options = { method: "PATCH", body: configMap(writer, i), type: MERGE };
      bytes += (await ask(side, `${MAPS}/watched-${writer}`, options)).length;
      millis.push(performance.now() - asked);
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, (_, writer) => turn(writer)));
  millis.sort((a, b) => a - b);
  return {
    eventBytes: bytes / millis.length + '{"type":"MODIFIED","object":}\n'.length,
    p99Millis: millis[Math.floor(millis.length * 0.99)],
  };
}

export const API_ROWS: readonly ApiRow[] = [
  {
    id: "create-pods",
    name: "create Pods, 8 connections × 8 streams",
    unit: "requests/s",
    atLeast: 4_000,
    aim: 8_000,
    measure: async (side, { seconds }) => rateOf(await createPods(side, 4_000 * seconds)),
  },
  {
    id: "get",
    name: "get one object, 8 × 32",
    unit: "requests/s",
    atLeast: 25_000,
    aim: 60_000,
    measure: async (side, { seconds }) => {
      await ask(side, PODS, { method: "POST", body: pod({ name: "one" }) });
      const url = `${side.server}${PODS}/one`;
      const load = { url, connections: 8, streams: 32, seconds, headers: headers(side) };
      return rateOf(await h2load(load));
    },
  },
  {
    id: "list",
    name: "list 12,000 pods, JSON, one client",
    unit: "s",
    atLeast: 0.2,
    aim: 0.12,
    lessIsBetter: true,
    measure: async (side, { listed }) => {
      await createPods(side, listed);
      return await listSeconds(side, 5);
    },
  },
  {
    id: "memory",
    name: "resident memory after that",
    unit: "MB",
    atLeast: 450,
    aim: 250,
    lessIsBetter: true,
    ownOnly: true,
    measure: async (side, { listed }) => {
      await createPods(side, listed);
      await listSeconds(side, 3);
      return { value: residentBytes(side.pid!) / 1e6 };
    },
  },
  {
    id: "list-delay",
    name: "longest small get while 100,000 pods are listed",
    unit: "ms",
    atLeast: 20,
    aim: 10,
    lessIsBetter: true,
    measure: probeDuringLists,
  },
  {
    id: "create-nodes",
    name: "create Nodes, 50 connections, HTTP/1.1",
    unit: "requests/s",
    atLeast: 3_000,
    aim: 5_000,
    measure: (side, { seconds }) =>
      withBody(node, async (bodyFile) => {
        const load = {
          url: `${side.server}${NODES}`,
          connections: 50,
          streams: 1,
          requests: 2_000 * seconds,
          headers: headers(side),
          bodyFile,
          http1: true,
        };
        return rateOf(await h2load(load));
      }),
  },
  {
    id: "patch-status",
    name: "patch Pod status, 8 × 8",
    unit: "requests/s",
    atLeast: 4_000,
    aim: 6_000,
    measure: async (side, { seconds }) => {
      await ask(side, PODS, { method: "POST", body: pod({ name: "patched" }) });
      return await withBody({ status: { message: "bench" } }, async (bodyFile) => {
        const load = {
          url: `${side.server}${PODS}/patched/status`,
          connections: 8,
          streams: 8,
          requests: 3_000 * seconds,
          headers: [
            `authorization: Bearer ${side.token}`,
            `content-type: ${MERGE}`,
            ":method: PATCH",
          ],
          bodyFile,
        };
        return rateOf(await h2load(load));
      });
    },
  },
  {
    id: "watch",
    name: "1,000 watches of one object written all the time, delivered",
    unit: "events/s",
    atLeast: 400_000,
    aim: 1_000_000,
    measure: watchFanOut,
  },
  {
    id: "leases",
    name: "lease renewals of 5,000 nodes (500/s), CPU",
    unit: "% of a core",
    atLeast: 10,
    aim: 5,
    lessIsBetter: true,
    ownOnly: true,
    hollowNodes: ({ leaseNodes }) => leaseNodes,
    measure: async (side, { seconds }) => {
      await new Promise((resolve) => setTimeout(resolve, 10_000));
      return { value: (await cpuShare(side.pid!, seconds * 6)) * 100 };
    },
  },
];
