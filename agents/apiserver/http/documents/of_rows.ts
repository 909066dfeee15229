/**
 * Documents made of the tables of resources, kept until a table changes.
 * In: what makes a document of the rows. Out: the document of now.
 * Never: makes one that nobody asks for, or one twice.
 */
import type { Resource } from "../../../api/resource.ts";
import { resources, virtualResources } from "../../../api/resources.ts";
import type { Core } from "../../verbs/core.ts";

/** What every server of this version serves. */
export const ROWS: readonly Resource[] = [...resources, ...virtualResources];

/**
 * Something made of the rows, again whenever the definitions have changed.
 * @param beside changes with whatever else it is made of
 */
export function ofRows<T>(
  core: Core,
  make: (rows: readonly Resource[]) => T,
  beside: () => string = () => "",
): () => T {
  let generation = "";
  let made: T;
  return () => {
    const now = `${core.custom.generation}/${beside()}`;
    if (generation !== now) {
      generation = now;
      made = make([...ROWS, ...core.custom.rows]);
    }
    return made;
  };
}
