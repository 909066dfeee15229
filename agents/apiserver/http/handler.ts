/**
 * One request to one response, without a socket: authorize, route, decode, perform, encode.
 * In: an authenticated ApiRequest. Out: an ApiResponse; every failure is a Status.
 * Never: reads a certificate or a socket; upgrades are the listener's.
 */
import type { CallTarget } from "../../api/call.ts";
import type { KubeObject, UserInfo } from "../../api/meta.ts";
import type { Verb } from "../../api/resource.ts";
import {
  ApiError,
  badRequest,
  internalError,
  methodNotServed,
  unknownPath,
} from "../../api/status.ts";
import type { Aggregation } from "../aggregation/services.ts";
import type { Audit } from "../audit/audit.ts";
import { answeredObject, followAnswer, recordRequest } from "../audit/follow.ts";
import { convertStored } from "../custom/webhook.ts";
import { impersonate } from "../auth/impersonate.ts";
import { refuseUnless } from "../auth/refuse_unless.ts";
import type { FlowControl, Pass } from "../flow/flow_control.ts";
import type { FlowAsked } from "../flow/plan_classify.ts";
import { perform, refuseVerb } from "../verbs/call.ts";
import { cacheOf, type Core, type VerbAnswer } from "../verbs/core.ts";
import { watchObjects } from "../verbs/watch.ts";
import { decodeBody, decodeDeleteOptions, decodePatch } from "./formats/body.ts";
import {
  encodeAnswer,
  encodeValue,
  includeOf,
  warningHeaders,
  withWarnings,
} from "./formats/encode.ts";
import { type ApiRequest, type ApiResponse, errorResponse } from "./message.ts";
import { negotiate, negotiateStatus, OFFERS, STREAM_TYPES } from "./formats/negotiate.ts";
import { hasProtobuf } from "./formats/protobuf.ts";
import {
  deleteOptions,
  isTrue,
  listOptions,
  parseQuery,
  watchOptions,
  writeOptions,
} from "./query.ts";
import type { PathAnswer } from "./paths.ts";
import { parseRoute, type ResourceRoute, verbOf } from "./route.ts";
import { watchStream } from "./formats/watch_stream.ts";

export type Handler = (request: ApiRequest) => Promise<ApiResponse>;

const NO_WARNINGS: readonly string[] = [];

/** Bounds of a watch that names no timeout: upstream's minRequestTimeout, up to twice of it. */
const WATCH_SECONDS = 1800;

export interface HandlerParts {
  readonly core: Core;
  /** Null where no request leaves a trail. */
  readonly audit: Audit | null;
  /** Null where requests never wait for one another. */
  readonly flow: FlowControl | null;
  readonly paths: (request: ApiRequest) => PathAnswer;
  /** Versions of groups that other servers serve. */
  readonly aggregation: Pick<Aggregation, "find" | "proxy">;
  /** GET of a log and the like: resources whose answer comes from a kubelet. */
  readonly connect: (request: ApiRequest, route: ResourceRoute) => Promise<ApiResponse>;
}

/** Subresources that a kubelet answers. */
export const CONNECT_PARTS: ReadonlySet<string> = new Set([
  "log",
  "exec",
  "attach",
  "portforward",
  "proxy",
]);

export function createHandler(parts: HandlerParts): Handler {
  const { audit } = parts;
  if (audit === null) return (request) => serve(parts, request);
  return async (request) => {
    const trail = audit.begin(request);
    if (trail === undefined) return serve(parts, request);
    return followAnswer(trail, await serve(parts, { ...request, trail }));
  };
}

/** The seats of a request, once it has them; given back when it is answered. */
interface Held {
  pass: Pass | null;
}

async function serve(parts: HandlerParts, request: ApiRequest): Promise<ApiResponse> {
  const held: Held = { pass: null };
  try {
    const acting = impersonate(request.user, request, parts.core.authorizer);
    const user = acting instanceof Promise ? await acting : acting;
    if (user === request.user) return await answer(parts, request, held);
    request.trail?.impersonated(user);
    return await answer(parts, { ...request, user }, held);
  } catch (error) {
    return failed(parts.core, request, error);
  } finally {
    held.pass?.leave();
  }
}

/** The response to whatever a verb threw; what is not an ApiError is our own bug. */
export function failed(core: Core, request: ApiRequest, error: unknown): ApiResponse {
  const encode = (code: number, status: unknown) =>
    encodeValue(code, status, { format: negotiateStatus(request.header("accept")) });
  if (error instanceof ApiError) {
    request.trail?.failed(error.status);
    return errorResponse(error, encode);
  }
  core.log("error", "request failed", {
    method: request.method,
    path: request.path,
    error: error instanceof Error ? error.stack ?? error.message : String(error),
  });
  const answered = internalError("the server met an unexpected condition");
  request.trail?.panicked(answered.status);
  return errorResponse(answered, encode);
}

function answer(
  parts: HandlerParts,
  request: ApiRequest,
  held: Held,
): Promise<ApiResponse> | ApiResponse {
  const { core, aggregation } = parts;
  const elsewhere = aggregation.find(request.path);
  if (elsewhere !== undefined) return aggregation.proxy(elsewhere, request);
  const route = parseRoute(request.path, core.custom.find);
  if (route === null) {
    const asked = { verb: pathVerbOf(request.method), path: request.path };
    const pending = takeSeats(parts, held, { user: request.user, asked, seats: 1 });
    const run = () => answerPath(parts, request);
    return pending === undefined ? run() : pending.then(run);
  }
  const query = parseQuery(request.query);
  const isWatch = route.isWatchPath || (isTrue(query, "watch") && request.method === "GET");
  const verb = verbOf(request.method, route, isWatch);
  if (verb === null) throw methodNotServed();
  // A session lasts as long as its user likes; no seat is kept for that.
  if (CONNECT_PARTS.has(route.subresource)) {
    const judged = authorize(core, request, { route, verb, query });
    const go = () => parts.connect(request, route);
    return judged === undefined ? go() : judged.then(go);
  }
  const { resource: { group, plural: resource }, subresource, namespace } = route;
  const asked = { verb, group, resource, subresource, namespace };
  const seats = verb === "list" ? seatsOfList(core, route, query) : 1;
  const pending = takeSeats(parts, held, { user: request.user, asked, seats });
  const run = () => answerRoute(core, request, { route, query, verb });
  return pending === undefined ? run() : pending.then(run);
}

/** @returns a promise of one that has to wait. Errors: throws or rejects with ApiError 429. */
function takeSeats(
  { flow }: HandlerParts,
  held: Held,
  { user, asked, seats }: { user: UserInfo; asked: FlowAsked; seats: number },
): Promise<void> | undefined {
  if (flow === null) return undefined;
  const pass = flow.enter(user, asked, seats);
  if (pass instanceof Promise) return pass.then((given) => void (held.pass = given));
  held.pass = pass;
  return undefined;
}

function answerRoute(
  core: Core,
  request: ApiRequest,
  asked: Asked & { readonly verb: Verb },
): Promise<ApiResponse> {
  const go = () =>
    asked.verb === "watch" ? answerWatch(core, request, asked) : answerCall(core, request, asked);
  const judged = authorize(core, request, asked);
  return judged === undefined ? go() : judged.then(go);
}

const OBJECTS_PER_SEAT = 100;
const MOST_SEATS_OF_LIST = 10;

/** A long list is work for several. */
function seatsOfList(core: Core, route: ResourceRoute, query: URLSearchParams): number {
  if (query.get("fieldSelector")?.startsWith("metadata.name=")) return 1;
  const { size } = cacheOf(core, route.resource);
  if (size <= OBJECTS_PER_SEAT) return 1;
  const limit = Number(query.get("limit")) || size;
  const seats = Math.ceil(Math.min(size, limit) / OBJECTS_PER_SEAT);
  return Math.max(1, Math.min(MOST_SEATS_OF_LIST, seats));
}

function pathVerbOf(method: string): string {
  return method === "HEAD" ? "get" : method.toLowerCase();
}

function answerPath(parts: HandlerParts, request: ApiRequest): ApiResponse | Promise<ApiResponse> {
  const { method, path, user } = request;
  const verb = pathVerbOf(method);
  const nowhere = { group: "", resource: "", namespace: "", name: "" };
  const judged = refuseUnless(parts.core.authorizer, request, { user, verb, path }, nowhere);
  const go = () => openPath(parts, request);
  return judged === undefined ? go() : judged.then(go);
}

function openPath(
  parts: HandlerParts,
  request: ApiRequest,
): ApiResponse | Promise<ApiResponse> {
  const response = parts.paths(request);
  if (response === null) throw unknownPath();
  if (request.method !== "GET" && request.method !== "HEAD") throw methodNotServed();
  return response;
}

/**
 * @returns a promise where somebody has to be asked
 * Errors: throws or rejects with ApiError 403.
 */
export function authorize(
  core: Core,
  request: Pick<ApiRequest, "user" | "trail">,
  what: {
    readonly route: ResourceRoute;
    readonly verb: Verb;
    /** Of a list or a watch, which may be allowed for a selection alone. */
    readonly query?: URLSearchParams;
  },
): void | Promise<void> {
  const { route, verb, query } = what;
  const isSelecting = verb === "list" || verb === "watch" || verb === "deletecollection";
  const fieldSelector = isSelecting ? query?.get("fieldSelector") ?? "" : "";
  const access = {
    verb,
    group: route.resource.group,
    version: route.resource.version,
    resource: route.resource.plural,
    subresource: route.subresource,
    namespace: route.namespace,
    name: route.name || selectedName(fieldSelector),
    ...(fieldSelector === "" ? {} : { fieldSelector }),
  };
  return refuseUnless(core.authorizer, request, { ...access, user: request.user }, access);
}

/** A selection of one name speaks of that object. */
function selectedName(fieldSelector: string): string {
  if (fieldSelector === "") return "";
  return /^metadata\.name==?([^,]+)$/.exec(fieldSelector)?.[1] ?? "";
}

interface Asked {
  readonly route: ResourceRoute;
  readonly query: URLSearchParams;
}

async function answerWatch(
  core: Core,
  request: ApiRequest,
  { route, query }: Asked,
): Promise<ApiResponse> {
  const target = targetOf(request, route);
  refuseVerb({ ...target, verb: "watch" });
  const offer = hasProtobuf(route.resource) ? OFFERS.typedStream : OFFERS.untypedStream;
  const representation = negotiate(request.header("accept"), offer);
  const options = watchOptions(query);
  const timeoutSeconds = options.timeoutSeconds ||
    WATCH_SECONDS + core.random.integer(WATCH_SECONDS);
  const watcher = await watchObjects(core, target, { ...options, timeoutSeconds });
  const stream = watchStream({
    watcher,
    ...(route.resource.custom?.asksWebhook
      ? {
        convert: (objects: readonly KubeObject[]) => convertStored(core, route.resource, objects),
      }
      : {}),
    resource: route.resource,
    representation,
    include: includeOf(query),
    nowMillis: () => core.clock.nowMillis(),
  });
  const body = { kind: "stream" as const, stream };
  const contentType = STREAM_TYPES[representation.format];
  const headers = warningHeaders(withDeprecation(route, NO_WARNINGS));
  return { status: 200, contentType, headers, body };
}

async function answerCall(
  core: Core,
  request: ApiRequest,
  asked: Asked & { readonly verb: Verb },
): Promise<ApiResponse> {
  const { route, query } = asked;
  const offer = hasProtobuf(route.resource) ? OFFERS.typed : OFFERS.untyped;
  const representation = negotiate(request.header("accept"), offer);
  const call = decodeCall(request, asked);
  if (request.trail !== undefined) recordRequest(request.trail, call);
  const warnings = call.warnings ?? NO_WARNINGS;
  let answered: VerbAnswer;
  try {
    answered = await perform(core, call);
  } catch (error) {
    return withWarnings(failed(core, request, error), withDeprecation(route, warnings));
  }
  request.trail?.responded(() => answeredObject(route.resource, answered));
  return encodeAnswer(answered, {
    resource: route.resource,
    representation,
    query,
    nowMillis: core.clock.nowMillis(),
    warnings: withDeprecation(route, warnings),
  });
}

function withDeprecation(
  { resource }: ResourceRoute,
  warnings: readonly string[],
): readonly string[] {
  const { deprecation } = resource;
  return deprecation === undefined ? warnings : [deprecation, ...warnings];
}

function targetOf(request: ApiRequest, route: ResourceRoute): CallTarget {
  const { resource, subresource, namespace, name } = route;
  const target = { resource, subresource, namespace, name, user: request.user };
  const { trail } = request;
  return trail === undefined ? target : { ...target, auditAnnotations: trail.annotations };
}

type Call = Parameters<typeof perform>[1];

function decodeCall(
  request: ApiRequest,
  { route, query, verb }: Asked & { readonly verb: Verb },
): Call {
  const asked = targetOf(request, route);
  refuseVerb({ ...asked, verb });
  if (verb === "get") {
    return { ...asked, verb, resourceVersion: query.get("resourceVersion") ?? "" };
  }
  if (verb === "list") return { ...asked, verb, options: listOptions(query) };
  const warnings: string[] = [];
  const target = { ...asked, warnings };
  const contentType = request.header("content-type");
  switch (verb) {
    case "create":
    case "update": {
      const options = writeOptions(query, request.header("user-agent"));
      const part = route.resource.subresources.find((row) => row.name === route.subresource);
      const decoded = decodeBody({
        bytes: request.body,
        contentType,
        type: part ?? route.resource,
        validation: options.fieldValidation,
      });
      warnings.push(...decoded.warnings);
      return { ...target, verb, object: decoded.object, options };
    }
    case "patch": {
      const { patchType, patch } = decodePatch(request.body, contentType);
      const named = writeOptions(query, request.header("user-agent"));
      // Who applies says by which name.
      const isUnnamed = patchType === "application/apply-patch+yaml" && !query.get("fieldManager");
      const options = isUnnamed ? { ...named, fieldManager: undefined } : named;
      const force = isTrue(query, "force");
      return { ...target, verb, patchType, patch, force, options };
    }
    case "delete":
    case "deletecollection": {
      const body = decodeDeleteOptions(request.body, contentType);
      const options = deleteOptions(query, body);
      if (verb === "delete") return { ...target, verb, options };
      const list = listOptions(query);
      return { ...target, verb, options, list };
    }
    case "watch":
      throw badRequest("a watch is no call");
  }
}
