/**
 * Things of a node that pods hold in one way or another: ports by address, disks to read or write.
 * In: a thing that a pod takes or gives back. Out: how many pods of a row hold it, way by way.
 * Never: keeps an entry that nobody holds.
 */

/** Thing -> row -> way -> pods. */
export type Holders = Map<string, Map<number, Map<string, number>>>;

/** Counts a pod that takes (1) or gives back (-1) a thing. */
export function countHolder(
  holders: Holders,
  { thing, row, way }: { readonly thing: string; readonly row: number; readonly way: string },
  sign: 1 | -1,
): void {
  let rows = holders.get(thing);
  if (rows === undefined) holders.set(thing, rows = new Map());
  let ways = rows.get(row);
  if (ways === undefined) rows.set(row, ways = new Map());
  const count = (ways.get(way) ?? 0) + sign;
  if (count > 0) ways.set(way, count);
  else ways.delete(way);
  if (ways.size === 0) rows.delete(row);
  if (rows.size === 0) holders.delete(thing);
}

/**
 * Visits the rows of a range where a thing is held; a range of one row costs one look.
 *
 * @param visit told the row and, way by way, how many pods hold it there
 */
export function eachHeldRow(
  holders: Holders,
  thing: string,
  { from, to }: { readonly from: number; readonly to: number },
  visit: (row: number, ways: ReadonlyMap<string, number>) => void,
): void {
  const rows = holders.get(thing);
  if (rows === undefined) return;
  if (to === from + 1) {
    const ways = rows.get(from);
    if (ways !== undefined) visit(from, ways);
    return;
  }
  for (const [row, ways] of rows) if (row >= from && row < to) visit(row, ways);
}
