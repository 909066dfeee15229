/**
 * The columns that a definition adds to what `kubectl get` shows.
 * In: a version of a definition. Out: table columns. Never: a cell that throws.
 * Source: apiextensions-apiserver's registry/customresource/tableconvertor (v1.36).
 */
import type {
  CustomResourceDefinitionVersion,
} from "../../api/kinds/extensions/custom_resource_definition.ts";
import type { TableColumn } from "../../api/resource.ts";
import { ageSince, formatAge, parseTime } from "../../api/time.ts";
import { CREATED_AT_COLUMN, NAME_COLUMN } from "../http/formats/table.ts";
import { parseJsonPath } from "./json_path.ts";

type Cell = string | number | boolean | null;

const AGE: TableColumn = {
  ...CREATED_AT_COLUMN,
  name: "Age",
  cell: (object, nowMillis) => ageSince(object.metadata.creationTimestamp, nowMillis),
};

export function columnsOf(version: CustomResourceDefinitionVersion): readonly TableColumn[] {
  const added = version.additionalPrinterColumns ?? [];
  if (added.length === 0) return [NAME_COLUMN, AGE];
  return [
    NAME_COLUMN,
    ...added.map(({ name, type, format, description, priority, jsonPath }): TableColumn => {
      const path = parseJsonPath(jsonPath);
      const find = path.kind === "path" ? path.find : () => [];
      return {
        name,
        type: type as TableColumn["type"],
        format: (format ?? "") as TableColumn["format"],
        description: description ||
          `Custom resource definition column (in JSONPath format): ${jsonPath}`,
        priority: (priority ?? 0) > 0 ? 1 : 0,
        cell: (object, nowMillis) => cellOf(type, find(object), nowMillis),
      };
    }),
  ];
}

function cellOf(type: string, found: readonly unknown[], nowMillis: number): Cell {
  if (found.length === 0 || found[0] === null) return null;
  const [first] = found;
  switch (type) {
    case "integer":
      return typeof first === "number" ? Math.trunc(first) : null;
    case "number":
      return typeof first === "number" ? first : null;
    case "boolean":
      return typeof first === "boolean" ? first : null;
    case "date":
      return typeof first === "string" ? ageOf(first, nowMillis) : "<invalid>";
    default:
      return found.map(textOf).join(" ");
  }
}

function ageOf(text: string, nowMillis: number): string {
  const time = parseTime(text);
  return time === null ? "<invalid>" : formatAge(nowMillis - time.seconds * 1000);
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
