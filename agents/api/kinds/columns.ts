/**
 * Builds the columns of Table answers.
 * In: a name and how a cell is read. Out: column rows. Never: reads a clock; `now` is passed in.
 * Source: upstream's printers (names, types, priorities).
 */
import type { KubeObject } from "../meta.ts";
import type { TableColumn } from "../resource.ts";
import { ageSince } from "../time.ts";

type Cell = TableColumn["cell"];

interface ColumnOptions {
  readonly type?: TableColumn["type"];
  readonly wide?: boolean;
  readonly format?: TableColumn["format"];
}

/** One column of text that is always shown, unless the options say otherwise. */
export function column(
  name: string,
  description: string,
  cell: Cell,
  options: ColumnOptions = {},
): TableColumn {
  return {
    name,
    type: options.type ?? "string",
    format: options.format ?? "",
    description,
    priority: options.wide === true ? 1 : 0,
    cell,
  };
}

export const nameColumn: TableColumn = column(
  "Name",
  "Name of the object, unique within its namespace and kind.",
  (object) => object.metadata.name ?? "",
  { format: "name" },
);

export const ageColumn: TableColumn = column(
  "Age",
  "Time since the object was created.",
  (object, nowMillis) => ageSince(object.metadata.creationTimestamp, nowMillis),
);

/** What a kind without columns of its own shows. */
export const defaultColumns: readonly TableColumn[] = [
  nameColumn,
  column(
    "Created At",
    "When the object was created.",
    (object) => object.metadata.creationTimestamp ?? "",
    { type: "date" },
  ),
];

// deno-lint-ignore no-explicit-any
type Template = any;

/** Names and images of a template's containers, for `-o wide`. */
export function containerColumns(template: (object: KubeObject) => Template): TableColumn[] {
  const list = (object: KubeObject, part: "name" | "image") =>
    (template(object)?.spec?.containers ?? []).map((container: Template) => container[part] ?? "")
      .join(",");
  return [
    column("Containers", "Names of the template's containers.", (object) => list(object, "name"), {
      wide: true,
    }),
    column("Images", "Images of the template's containers.", (object) => list(object, "image"), {
      wide: true,
    }),
  ];
}
