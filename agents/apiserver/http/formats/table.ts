/**
 * Objects as a Table, which is what kubectl prints, and as metadata only.
 * In: objects and their resource's columns. Out: meta.k8s.io/v1 Table and PartialObjectMetadata.
 * Never: formats for a screen; cells are values. Source: meta/v1 Table, printers' default columns.
 */
import type { KubeObject, ListMeta } from "../../../api/meta.ts";
import type { Resource, TableColumn } from "../../../api/resource.ts";

/** How much of each object a row carries. */
export type IncludeObject = "None" | "Metadata" | "Object";

const META_VERSION = "meta.k8s.io/v1";

/** The first column of every resource whose own columns nobody wrote down. */
export const NAME_COLUMN: TableColumn = {
  name: "Name",
  type: "string",
  format: "name",
  description: "Name must be unique within a namespace.",
  priority: 0,
  cell: (object) => object.metadata.name ?? "",
};

export const CREATED_AT_COLUMN: TableColumn = {
  name: "Created At",
  type: "date",
  description: "When the object was created, by the server's clock.",
  priority: 0,
  cell: (object) => object.metadata.creationTimestamp ?? "<unknown>",
};

const DEFAULT_COLUMNS: readonly TableColumn[] = [NAME_COLUMN, CREATED_AT_COLUMN];

export interface TableParts {
  readonly resource: Resource;
  readonly objects: readonly KubeObject[];
  readonly metadata: ListMeta;
  readonly include: IncludeObject;
  readonly nowMillis: number;
  /** False for the later events of a watch. */
  readonly withColumns: boolean;
}

export function tableOf(parts: TableParts): Record<string, unknown> {
  const columns = columnsOf(parts.resource, parts.objects[0]?.kind);
  return {
    kind: "Table",
    apiVersion: META_VERSION,
    metadata: parts.metadata,
    columnDefinitions: parts.withColumns ? columns.map(definitionOf) : [],
    rows: parts.objects.map((object) => rowOf(columns, object, parts)),
  };
}

/** One row of the table that `tableOf` makes. */
export function tableRow(
  object: KubeObject,
  parts: Pick<TableParts, "resource" | "include" | "nowMillis">,
): Record<string, unknown> {
  return rowOf(columnsOf(parts.resource, object.kind), object, parts);
}

/** @param kind of the objects, which are a subresource's where it is not the resource's. */
function columnsOf(resource: Resource, kind: string | undefined): readonly TableColumn[] {
  const part = kind === undefined || kind === resource.kind
    ? undefined
    : resource.subresources.find((row) => row.kind === kind);
  return part?.columns ?? resource.rules.columns ?? DEFAULT_COLUMNS;
}

function definitionOf(column: TableColumn): Record<string, unknown> {
  const { name, type, format = "", description, priority } = column;
  return { name, type, format, description, priority };
}

function rowOf(
  columns: readonly TableColumn[],
  object: KubeObject,
  parts: Pick<TableParts, "include" | "nowMillis">,
): Record<string, unknown> {
  const cells = columns.map((column) => column.cell(object, parts.nowMillis));
  if (parts.include === "None") return { cells };
  return { cells, object: parts.include === "Object" ? object : partialOf(object) };
}

/** An object's metadata alone. */
export function partialOf(object: KubeObject): Record<string, unknown> {
  return { kind: "PartialObjectMetadata", apiVersion: META_VERSION, metadata: object.metadata };
}

export function partialListOf(
  objects: readonly KubeObject[],
  metadata: ListMeta,
): Record<string, unknown> {
  return {
    kind: "PartialObjectMetadataList",
    apiVersion: META_VERSION,
    metadata,
    items: objects.map(partialOf),
  };
}
