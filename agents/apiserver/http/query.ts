/**
 * The options that travel in a query string.
 * In: the text after the question mark. Out: list, watch, write and delete options.
 * Never: ignores a value it can't read: 400. Source: meta/v1 ListOptions and friends (v1.36).
 */
import type { DeleteOptions, ListOptions, WatchOptions, WriteOptions } from "../../api/call.ts";
import { badRequest } from "../../api/status.ts";

const NOTHING = new URLSearchParams();

export function parseQuery(query: string): URLSearchParams {
  return query === "" ? NOTHING : new URLSearchParams(query);
}

export function isTrue(query: URLSearchParams, name: string): boolean {
  if (query === NOTHING) return false;
  const text = query.get(name);
  if (text === null) return false;
  // A bare `?watch` counts as set, as in Go's form decoding of booleans.
  return text !== "false" && text !== "0";
}

function wholeNumber(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === "") return undefined;
  if (!/^-?\d{1,15}$/.test(text)) {
    throw badRequest(
      `strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax (${name})`,
    );
  }
  return Number(text);
}

function word<T extends string>(query: URLSearchParams, name: string): T | undefined {
  return (query.get(name) || undefined) as T | undefined;
}

export function listOptions(query: URLSearchParams): ListOptions {
  if (query === NOTHING) return {};
  return {
    labelSelector: word(query, "labelSelector"),
    fieldSelector: word(query, "fieldSelector"),
    limit: wholeNumber(query, "limit"),
    continue: word(query, "continue"),
    resourceVersion: word(query, "resourceVersion"),
    resourceVersionMatch: word(query, "resourceVersionMatch"),
  };
}

export function watchOptions(query: URLSearchParams): WatchOptions {
  return {
    ...listOptions(query),
    allowWatchBookmarks: isTrue(query, "allowWatchBookmarks"),
    timeoutSeconds: wholeNumber(query, "timeoutSeconds"),
    ...(query.has("sendInitialEvents")
      ? { sendInitialEvents: isTrue(query, "sendInitialEvents") }
      : {}),
  };
}

/** Longest name of a field manager. */
const MANAGER_LIMIT = 128;

/**
 * The name of a client that gives none: its User-Agent up to the slash.
 * Source: endpoints/handlers/create.go (prefixFromUserAgent).
 */
function managerOfAgent(userAgent: string | undefined): string {
  const name = (userAgent ?? "").split("/", 1)[0].replace(/[^\x20-\x7e]/g, "");
  return name.slice(0, MANAGER_LIMIT) || "unknown";
}

/** Errors: throws ApiError 400. */
function checkManager(name: string): string {
  if (name.length > MANAGER_LIMIT) {
    throw badRequest(`fieldManager: Too long: may not be more than ${MANAGER_LIMIT} bytes`);
  }
  if (/\p{C}/u.test(name)) {
    throw badRequest(
      `fieldManager: Invalid value: ${JSON.stringify(name)}: ` +
        "should only contain printable characters",
    );
  }
  return name;
}

/**
 * Options of a write.
 * @param userAgent names the field manager where the query does not
 */
export function writeOptions(query: URLSearchParams, userAgent: string | undefined): WriteOptions {
  if (query === NOTHING) return { fieldManager: managerOfAgent(userAgent) };
  const dryRun = query.getAll("dryRun").filter((value) => value !== "");
  if (dryRun.some((value) => value !== "All")) {
    throw badRequest(`dryRun: Unsupported value: ${JSON.stringify(dryRun[0])}`);
  }
  const fieldValidation = word<NonNullable<WriteOptions["fieldValidation"]>>(
    query,
    "fieldValidation",
  );
  if (fieldValidation && !["Strict", "Warn", "Ignore"].includes(fieldValidation)) {
    throw badRequest(
      `fieldValidation: Unsupported value: ${JSON.stringify(fieldValidation)}: ` +
        'supported values: "Ignore", "Strict", "Warn"',
    );
  }
  return {
    dryRun: dryRun.length > 0,
    fieldManager: checkManager(word(query, "fieldManager") ?? managerOfAgent(userAgent)),
    fieldValidation,
  };
}

/** Delete options from the query; those of a body win. */
export function deleteOptions(query: URLSearchParams, body: DeleteOptions): DeleteOptions {
  const dryRun = query.getAll("dryRun").filter((value) => value !== "");
  const propagationPolicy = word<NonNullable<DeleteOptions["propagationPolicy"]>>(
    query,
    "propagationPolicy",
  );
  const gracePeriodSeconds = wholeNumber(query, "gracePeriodSeconds");
  return {
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    ...(propagationPolicy === undefined ? {} : { propagationPolicy }),
    ...(query.has("orphanDependents")
      ? { orphanDependents: isTrue(query, "orphanDependents") }
      : {}),
    ...(dryRun.length > 0 ? { dryRun } : {}),
    ...body,
  };
}
