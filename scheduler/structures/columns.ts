/**
 * Columns that grow with their table.
 * In: a typed array. Out: a longer copy, zeros at its end.
 * Never: changes the one given.
 */

/** @returns a longer copy of a column. @param capacity rows of the copy */
export function grown<T extends Float64Array | Int32Array | Uint8Array>(
  column: T,
  capacity: number,
): T {
  const Column = column.constructor as new (length: number) => T;
  const next = new Column(capacity);
  next.set(column);
  return next;
}
