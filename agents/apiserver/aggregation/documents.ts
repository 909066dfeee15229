/**
 * What other servers publish about themselves: discovery and OpenAPI, fetched and kept.
 * In: API services, a way to fetch. Out: versions for discovery, documents to merge.
 * Never: drops a schema because its server is away; forgets one whose API service is gone.
 * Source: kube-aggregator's apiserver/handler_discovery.go, controllers/openapi{,v3} (v1.36).
 */
import type { APIService } from "../../api/kinds/extensions/api_service.ts";
import type { UserInfo } from "../../api/meta.ts";
import { equalJson } from "../../api/patch/json_patch.ts";
import { type Document, fromAggregated, fromPlain, type RemoteVersion } from "./plan_discovery.ts";
import { convertToV3, filterByPaths, inlineShared, type OpenApiV2 } from "./plan_openapi.ts";
import type { RemoteText } from "./remote.ts";

/** Asks the server of one API service. Errors: rejects when nobody answers. */
export type FetchDocument = (asked: {
  readonly path: string;
  readonly accept: string;
  readonly etag: string;
  readonly user: UserInfo;
  readonly timeoutMillis: number;
  readonly limitBytes: number;
}) => Promise<RemoteText>;

/** One version's part of the OpenAPI documents. */
export interface RemoteOpenApi {
  readonly service: APIService;
  /** Its paths and what they need; null until it was fetched. */
  readonly v2: OpenApiV2 | null;
  /** Paths below /openapi/v3/ that its server answers, with their URLs. */
  readonly v3: Readonly<Record<string, string>>;
  /** Text of version 3 made of version 2, for a server that has no other; null = it has. */
  readonly converted: string | null;
}

const REFRESH_MILLIS = 60_000;
const DISCOVERY_TIMEOUT_MILLIS = 5_000;
const OPENAPI_TIMEOUT_MILLIS = 60_000;
const DISCOVERY_LIMIT_BYTES = 4 * 1024 * 1024;
const OPENAPI_LIMIT_BYTES = 32 * 1024 * 1024;
const AGGREGATED_TYPES = ["v2", "v2beta1"]
  .map((version) => `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`)
  .join(",");
const JSON_TYPE = "application/json";
const AGGREGATOR: UserInfo = { name: "system:kube-aggregator", groups: ["system:masters"] };
const OPENAPI_READER: UserInfo = { name: "system:aggregator", groups: [] };

interface Known {
  /** What the documents were fetched for. */
  readonly spec: unknown;
  dueMillis: number;
  resources: readonly Document[];
  isStale: boolean;
  v2: OpenApiV2 | null;
  v2Etag: string;
  v3: Readonly<Record<string, string>>;
  converted: string | null;
}

export class RemoteDocuments {
  readonly #services: () => readonly APIService[];
  readonly #known = new Map<string, Known>();
  #discoveryRevision = 0;
  #openApiRevision = 0;

  /** @param services all API services of other servers */
  constructor(services: () => readonly APIService[]) {
    this.#services = services;
  }

  /** Grows with every change of `versions`, as far as API services are the same. */
  get discoveryRevision(): number {
    return this.#discoveryRevision;
  }

  /** Grows with every change of `openApi`. */
  get openApiRevision(): number {
    return this.#openApiRevision;
  }

  /** Every version that other servers serve, whether or not they answer now. */
  get versions(): RemoteVersion[] {
    return this.#services().map(({ metadata, spec }) => {
      const known = this.#known.get(metadata.name!);
      const { group = "", version = "", groupPriorityMinimum, versionPriority } = spec!;
      return {
        group,
        version,
        priority: { group: groupPriorityMinimum, version: versionPriority },
        resources: known?.resources ?? [],
        isStale: known?.isStale ?? true,
      };
    });
  }

  /** Documents in the order in which they are merged: higher priorities first, then by name. */
  get openApi(): RemoteOpenApi[] {
    const services = this.#services();
    const groupPriority = new Map<string, number>();
    for (const { spec } of services) {
      const { group = "", groupPriorityMinimum } = spec!;
      groupPriority.set(group, Math.max(groupPriority.get(group) ?? 0, groupPriorityMinimum));
    }
    const priorityOf = ({ spec }: APIService) => groupPriority.get(spec!.group ?? "")!;
    return [...services].sort((a, b) =>
      priorityOf(b) - priorityOf(a) || b.spec!.versionPriority - a.spec!.versionPriority ||
      (a.metadata.name! < b.metadata.name! ? -1 : 1)
    ).flatMap((service) => {
      const known = this.#known.get(service.metadata.name!);
      if (known === undefined) return [];
      const { v2, v3, converted } = known;
      return [{ service, v2, v3, converted }];
    });
  }

  /** Forgets what services that are gone have left. */
  prune(): void {
    const names = new Set(this.#services().map(({ metadata }) => metadata.name!));
    for (const name of this.#known.keys()) {
      if (names.has(name)) continue;
      this.#known.delete(name);
      this.#openApiRevision++;
    }
  }

  /** The service's server does not answer: what it serves is not known until it does. */
  lost(service: APIService): void {
    const known = this.#known.get(service.metadata.name!);
    if (known === undefined || known.isStale) return;
    Object.assign(known, { resources: [], isStale: true, dueMillis: 0 });
    this.#discoveryRevision++;
  }

  /** Fetches what is due of an available service. Never rejects for what the server does. */
  async refresh(service: APIService, fetch: FetchDocument, nowMillis: number): Promise<void> {
    const name = service.metadata.name!;
    let known = this.#known.get(name);
    if (known === undefined || !equalJson(known.spec as never, service.spec as never)) {
      known = freshOf(service);
      this.#known.set(name, known);
      this.#openApiRevision++;
    }
    if (nowMillis < known.dueMillis) return;
    known.dueMillis = nowMillis + REFRESH_MILLIS;
    await this.#refreshDiscovery(service, known, fetch);
    await this.#refreshOpenApi(service, known, fetch);
  }

  async #refreshDiscovery(service: APIService, known: Known, fetch: FetchDocument): Promise<void> {
    const resources = await discover(service, fetch).catch(() => null);
    const found = { resources: resources ?? [], isStale: resources === null };
    if (found.isStale) known.dueMillis = 0;
    const isSame = found.isStale === known.isStale &&
      equalJson(found.resources as never, known.resources as never);
    if (isSame) return;
    Object.assign(known, found);
    this.#discoveryRevision++;
  }

  async #refreshOpenApi(service: APIService, known: Known, fetch: FetchDocument): Promise<void> {
    const ask = (path: string, etag: string) =>
      fetch({
        path,
        etag,
        accept: JSON_TYPE,
        user: OPENAPI_READER,
        timeoutMillis: OPENAPI_TIMEOUT_MILLIS,
        limitBytes: OPENAPI_LIMIT_BYTES,
      });
    try {
      const answer = await ask("/openapi/v2", known.v2Etag);
      if (answer.status === 200) this.#takeV2(service, known, answer);
      const root = await ask("/openapi/v3", "");
      if (root.status === 200) this.#takeV3(service, known, pathsOf(JSON.parse(root.text)));
      else if (root.status === 404) this.#convert(service, known);
    } catch {
      // What was fetched before stands until the server answers.
    }
  }

  /** Errors: throws SyntaxError. */
  #takeV2({ spec }: APIService, known: Known, { text, etag }: RemoteText): void {
    known.v2Etag = etag;
    const path = `/apis/${spec!.group}/${spec!.version}/`;
    const v2 = filterByPaths(inlineShared(JSON.parse(text)), (one) => one.startsWith(path));
    if (known.v2 !== null && equalJson(known.v2 as never, v2 as never)) return;
    known.v2 = v2;
    this.#openApiRevision++;
  }

  #takeV3({ spec }: APIService, known: Known, paths: Record<string, string>): void {
    const own = `apis/${spec!.group}`;
    // A server speaks for its own groups.
    const v3 = Object.fromEntries(
      Object.entries(paths).filter(([path]) => path === own || path.startsWith(`${own}/`)),
    );
    if (known.converted === null && equalJson(known.v3, v3)) return;
    Object.assign(known, { v3, converted: null });
    this.#openApiRevision++;
  }

  #convert(_service: APIService, known: Known): void {
    if (known.v2 === null) return;
    const converted = JSON.stringify(convertToV3(known.v2));
    if (known.converted === converted) return;
    Object.assign(known, { v3: {}, converted });
    this.#openApiRevision++;
  }
}

function freshOf({ spec }: APIService): Known {
  return {
    spec,
    dueMillis: 0,
    resources: [],
    isStale: true,
    v2: null,
    v2Etag: "",
    v3: {},
    converted: null,
  };
}

/** The paths of a version 3 index. */
function pathsOf(index: unknown): Record<string, string> {
  const { paths = {} } = index as { paths?: Record<string, { serverRelativeURL?: unknown }> };
  const found: Record<string, string> = {};
  for (const [path, item] of Object.entries(paths)) {
    const url = item?.serverRelativeURL;
    if (typeof url === "string") found[path] = url;
  }
  return found;
}

/** Errors: rejects when the server does not say what it serves. */
async function discover({ spec }: APIService, fetch: FetchDocument): Promise<Document[]> {
  const of = { group: spec!.group ?? "", version: spec!.version ?? "" };
  const asked = {
    etag: "",
    timeoutMillis: DISCOVERY_TIMEOUT_MILLIS,
    limitBytes: DISCOVERY_LIMIT_BYTES,
  };
  const path = "/apis";
  const all = await fetch({ ...asked, path, accept: AGGREGATED_TYPES, user: AGGREGATOR });
  if (all.status === 503) throw new Error(`${path} answered ${all.status}`);
  if (all.status === 200 && /g=apidiscovery\.k8s\.io/.test(all.contentType)) {
    return fromAggregated(JSON.parse(all.text), of);
  }
  const own = `/apis/${of.group}/${of.version}`;
  const user = { ...AGGREGATOR, groups: [] };
  const plain = await fetch({ ...asked, path: own, accept: JSON_TYPE, user });
  if (plain.status !== 200) throw new Error(`${own} answered ${plain.status}`);
  return fromPlain(JSON.parse(plain.text), of);
}
