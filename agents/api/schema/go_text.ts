/**
 * JSON as Go prints a decoded map, which some messages of upstream's quote.
 * In: JSON. Out: `map[spec:map[replicas:2]]`. Never: reads it back.
 * Source: fmt's %+v of map[string]interface{} and []interface{}.
 */

export function goText(value: unknown): string {
  if (value === null || value === undefined) return "<nil>";
  if (Array.isArray(value)) return `[${value.map(goText).join(" ")}]`;
  if (typeof value !== "object") return String(value);
  const members = Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1);
  return `map[${members.map(([key, member]) => `${key}:${goText(member)}`).join(" ")}]`;
}
