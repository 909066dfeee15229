/**
 * An API server over a MemoryStore with a hand-driven clock: what tests of agents talk to.
 * In: overrides of the configuration. Out: the server, its store, its clock, and a short way to
 * ask.
 * Never: opens a socket by itself.
 */
import {
  type ApiServer,
  type ApiServerConfig,
  type ApiServerPorts,
  createApiServer,
  DEFAULT_CONFIG,
  type KubeletPort,
  type Log,
  randomFrom,
} from "../../agents/apiserver/mod.ts";
import type { ApiResponse } from "../../agents/apiserver/http/message.ts";
import type { UserInfo } from "../../agents/api/meta.ts";
import { MemoryStore } from "./memory_store.ts";

export const ADMIN: UserInfo = {
  name: "kubernetes-admin",
  groups: ["system:masters", "system:authenticated"],
};

/** A clock that moves when a test says so. */
export class HandClock {
  #now: number;
  readonly #timers = new Set<{ at: number; every: number; callback: () => void }>();

  constructor(startMillis = Date.UTC(2026, 0, 2, 3, 4, 5)) {
    this.#now = startMillis;
  }

  nowMillis(): number {
    return this.#now;
  }

  after(delayMillis: number, callback: () => void): () => void {
    return this.#add({ at: this.#now + delayMillis, every: 0, callback });
  }

  every(intervalMillis: number, callback: () => void): () => void {
    return this.#add({ at: this.#now + intervalMillis, every: intervalMillis, callback });
  }

  /** Moves time and runs what falls due, in order. */
  advance(millis: number): void {
    const end = this.#now + millis;
    for (;;) {
      const due = [...this.#timers].filter((timer) => timer.at <= end)
        .sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#now = due.at;
      if (due.every > 0) due.at += due.every;
      else this.#timers.delete(due);
      due.callback();
    }
    this.#now = end;
  }

  #add(timer: { at: number; every: number; callback: () => void }): () => void {
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }
}

/** Bytes from a small generator: the same names and uids in every run. */
export function seededFill(seed: number): (bytes: Uint8Array) => void {
  let state = seed >>> 0;
  return (bytes) => {
    for (let i = 0; i < bytes.length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      bytes[i] = state >>> 24;
    }
  };
}

export interface FakeApi {
  readonly server: ApiServer;
  readonly store: MemoryStore;
  readonly clock: HandClock;
  /** One request; a body that is no string is sent as JSON. */
  ask(method: string, url: string, body?: unknown, options?: AskOptions): Promise<Answer>;
  close(): Promise<void>;
}

export interface AskOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly user?: UserInfo;
  /** All headers as they would have come, name and value in turn. */
  readonly fields?: readonly string[];
}

export interface Answer {
  readonly status: number;
  // deno-lint-ignore no-explicit-any
  readonly json: any;
  readonly text: string;
  readonly response: ApiResponse;
}

const noKubelet = () => Promise.reject(new Error("no kubelet here"));
const NO_KUBELETS: KubeletPort = {
  logs: noKubelet,
  exec: noKubelet,
  attach: noKubelet,
  portForward: noKubelet,
};

export async function startFakeApi(
  overrides: Partial<ApiServerConfig> & {
    readonly kubelets?: KubeletPort;
    readonly components?: ApiServerPorts["components"];
    /** Where the clock begins; certificates are made for that time. */
    readonly startMillis?: number;
    /** Told what the server logs; absent = nobody is. */
    readonly log?: Log;
    /** What the server finds; absent = an empty store. */
    readonly store?: MemoryStore;
  } = {},
): Promise<FakeApi> {
  const {
    kubelets = NO_KUBELETS,
    components,
    startMillis,
    log = () => {},
    store = new MemoryStore(),
    ...config
  } = overrides;
  const directory = await Deno.makeTempDir();
  const clock = new HandClock(startMillis);
  const server = await createApiServer({ ...DEFAULT_CONFIG, pkiDirectory: directory, ...config }, {
    store,
    clock,
    random: randomFrom(seededFill(7)),
    log,
    kubelets,
    ...(components === undefined ? {} : { components }),
  });
  const fake: FakeApi = {
    server,
    store,
    clock,
    ask: (method, url, body, options) => ask(server, { method, url, body, options }),
    async close() {
      await server.close();
      await Deno.remove(directory, { recursive: true });
    },
  };
  const account = { metadata: { name: "default", namespace: "default" } };
  await fake.ask("POST", "/api/v1/namespaces/default/serviceaccounts", account);
  return fake;
}

type FakeApiOptions = Parameters<typeof startFakeApi>[0];

/** Runs something on a fake API server that is closed whatever happens. */
export async function withApi(
  run: (api: FakeApi) => Promise<void>,
  options: FakeApiOptions = {},
): Promise<void> {
  const api = await startFakeApi(options);
  try {
    await run(api);
  } finally {
    await api.close();
  }
}

/** A test with a fake API server of its own. */
export function apiTest(
  name: string,
  run: (api: FakeApi) => Promise<void>,
  options: FakeApiOptions = {},
): void {
  Deno.test(name, () => withApi(run, options));
}

async function ask(
  server: ApiServer,
  parts: { method: string; url: string; body?: unknown; options?: AskOptions },
): Promise<Answer> {
  const { method, url, body, options = {} } = parts;
  const headers: Record<string, string> = { "content-type": "application/json" };
  Object.assign(headers, options.headers);
  const text = body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body);
  const bytes = body instanceof Uint8Array ? body : new TextEncoder().encode(text);
  const [path, query = ""] = url.split("?");
  const response = await server.handler({
    method,
    path,
    query,
    header: (name) => headers[name],
    body: bytes,
    user: options.user ?? ADMIN,
    ...(options.fields === undefined ? {} : { fields: () => options.fields! }),
  });
  return { status: response.status, response, ...readBody(response) };
}

function readBody(response: ApiResponse): { text: string; json: unknown } {
  const { body } = response;
  if (body.kind === "stream") return { text: "", json: undefined };
  const chunks = body.kind === "bytes" ? [body.bytes] : [...body.chunks];
  const text = chunks.map((chunk) => new TextDecoder().decode(chunk)).join("");
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  return { text, json };
}

/** Reads events of a watch's response until `count` have come. */
export async function readEvents(
  answer: Answer,
  count: number,
  // deno-lint-ignore no-explicit-any
): Promise<any[]> {
  const { body } = answer.response;
  if (body.kind !== "stream") throw new Error(`not a watch: ${answer.text}`);
  const events: unknown[] = [];
  for await (const bytes of body.stream) {
    for (const line of new TextDecoder().decode(bytes).split("\n")) {
      if (line !== "") events.push(JSON.parse(line));
    }
    if (events.length >= count) break;
  }
  body.stream.close();
  return events;
}

/** The smallest pod that the API takes. */
export function podNamed(name: string, labels: Record<string, string> = {}) {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels },
    spec: { containers: [{ name: "c", image: "busybox" }] },
  };
}
