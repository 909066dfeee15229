/**
 * The rules of events, which two groups serve from one store.
 * In: drafts; stored core/v1 events. Out: checks, columns, fields; either face of an event.
 * Never: counts repetitions; recorders do.
 * Source: pkg/apis/core/validation/events.go, pkg/apis/events/v1/conversion.go (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import type { FieldError, Resource, Rules, TableColumn } from "../../resource.ts";
import type { Event } from "../../schema/generated/core_v1.ts";
import { ageSince } from "../../time.ts";
import { column } from "../columns.ts";
import { Problems } from "../problems.ts";

export type { Event } from "../../schema/generated/core_v1.ts";
export type { Event as EventV1 } from "../../schema/generated/events_v1.ts";

const NOTE_BYTES = 1024;

/** Go writes its structs and times even where nothing stands in them. */
function setDefaults(draft: KubeObject): void {
  draft.involvedObject ??= {};
  draft.source ??= {};
  draft.firstTimestamp ??= null;
  draft.lastTimestamp ??= null;
  draft.eventTime ??= null;
  draft.reportingComponent ??= "";
  draft.reportingInstance ??= "";
}

function validate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const event = draft as Event;
  const target = event.involvedObject?.namespace ?? "";
  const namespace = event.metadata.namespace ?? "";
  const isClusterScoped = target === "";
  const allowed = isClusterScoped ? ["default", "kube-system", ""] : [target];
  if (!allowed.includes(namespace)) {
    problems.invalid(
      "involvedObject.namespace",
      target,
      "does not match event.namespace",
    );
  }
  return problems.errors;
}

/** Events that came by the newer face carry a time and must be complete. */
function validateNew(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  if (draft.eventTime === undefined || draft.eventTime === null) return problems.errors;
  if (!draft.reportingController) problems.required("reportingController");
  if (!draft.reportingInstance) problems.required("reportingInstance");
  if (!draft.action) problems.required("action");
  if (!draft.reason) problems.required("reason");
  if (draft.type !== "Normal" && draft.type !== "Warning") {
    problems.invalid("", draft.type ?? "", `has invalid value: ${draft.type ?? ""}`);
  }
  if ((draft.note ?? "").length > NOTE_BYTES) {
    problems.invalid("note", "", `can have at most ${NOTE_BYTES} characters`);
  }
  return problems.errors;
}

function lastSeen(object: KubeObject, nowMillis: number): string {
  const event = object as Event;
  if (event.series !== undefined) return ageSince(event.series.lastObservedTime, nowMillis);
  return ageSince(event.lastTimestamp ?? event.firstTimestamp ?? event.eventTime, nowMillis);
}

function target(object: KubeObject): string {
  const { kind = "", name = "" } = (object as Event).involvedObject ?? {};
  return name === "" ? kind.toLowerCase() : `${kind.toLowerCase()}/${name}`;
}

function source(object: KubeObject): string {
  const event = object as Event;
  const component = event.source?.component || event.reportingComponent || "";
  const host = event.source?.host || event.reportingInstance || "";
  return host === "" ? component : `${component}, ${host}`;
}

function count(object: KubeObject): number {
  const event = object as Event;
  return event.series?.count ?? (event.count || 1);
}

const wide = { wide: true };

const columns: readonly TableColumn[] = [
  column("Last Seen", "Time since it was last observed.", lastSeen),
  column("Type", "Normal or Warning.", (event) => event.type ?? ""),
  column("Reason", "Why it happened, in one word.", (event) => event.reason ?? ""),
  column("Object", "What it happened to.", target),
  column(
    "Subobject",
    "The part it happened to.",
    (event) => event.involvedObject?.fieldPath ?? "",
    wide,
  ),
  column("Source", "Who reported it.", source, wide),
  column("Message", "What happened.", (event) => (event.message ?? "").trim()),
  column(
    "First Seen",
    "Time since it was first observed.",
    (event, nowMillis) => ageSince(event.firstTimestamp ?? event.eventTime, nowMillis),
    wide,
  ),
  column("Count", "How often it was observed.", count, wide),
  column("Name", "Name of the event.", (event) => event.metadata.name ?? "", {
    wide: true,
    format: "name",
  }),
];

const involved = (part: string) => (event: KubeObject) =>
  String((event.involvedObject ?? event.regarding)?.[part] ?? "");

const selectableFields: Rules["selectableFields"] = {
  "involvedObject.kind": involved("kind"),
  "involvedObject.namespace": involved("namespace"),
  "involvedObject.name": involved("name"),
  "involvedObject.uid": involved("uid"),
  "involvedObject.apiVersion": involved("apiVersion"),
  "involvedObject.resourceVersion": involved("resourceVersion"),
  "involvedObject.fieldPath": involved("fieldPath"),
  reason: (event) => event.reason ?? "",
  reportingComponent: (event) => event.reportingComponent ?? event.reportingController ?? "",
  source: (event) => event.source?.component || event.reportingComponent || "",
  type: (event) => event.type ?? "",
};

export const eventRules: Rules = {
  setDefaults,
  validate,
  validateName: "dns1123Subdomain",
  selectableFields,
  generationFields: [],
  columns,
};

/** Pairs of the same thing's names: core/v1 first, events.k8s.io/v1 second. */
const NAMES: readonly (readonly [core: string, newer: string])[] = [
  ["involvedObject", "regarding"],
  ["message", "note"],
  ["source", "deprecatedSource"],
  ["firstTimestamp", "deprecatedFirstTimestamp"],
  ["lastTimestamp", "deprecatedLastTimestamp"],
  ["count", "deprecatedCount"],
  ["reportingComponent", "reportingController"],
];

function rename(object: KubeObject, from: 0 | 1, apiVersion: string): KubeObject {
  const names = new Map(NAMES.map((pair) => [pair[from], pair[1 - from]]));
  const result: KubeObject = { apiVersion, kind: "Event", metadata: object.metadata };
  for (const [key, value] of Object.entries(object)) {
    if (key !== "apiVersion" && key !== "kind") result[names.get(key) ?? key] = value;
  }
  return result;
}

/** The newer face is kept as core/v1 events. */
export const eventStoredAs: NonNullable<Resource["storedAs"]> = {
  group: "",
  version: "v1",
  plural: "events",
  fromStored: (stored) => rename(stored, 0, "events.k8s.io/v1"),
  toStored: (object) => rename(object, 1, "v1"),
};

/** Rules of the newer face: they see its own field names; columns read through the older. */
export const eventV1Rules: Rules = {
  validate: validateNew,
  selectableFields,
  generationFields: [],
  columns: columns.map((each) => ({
    ...each,
    cell: (object, nowMillis) => each.cell(rename(object, 1, "v1"), nowMillis),
  })),
};
