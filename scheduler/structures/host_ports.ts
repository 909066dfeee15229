/**
 * Ports of hosts that pods hold, by port, row and address.
 * In: a port that a pod takes or gives back. Out: how many pods hold it.
 * Never: keeps an entry that nobody holds.
 */

/** "protocol/port" -> row -> ip -> pods. */
export type HostPortUsers = Map<string, Map<number, Map<string, number>>>;

export function countPort(
  ports: HostPortUsers,
  { port, ip, row }: { readonly port: string; readonly ip: string; readonly row: number },
  sign: 1 | -1,
): void {
  let rows = ports.get(port);
  if (rows === undefined) ports.set(port, rows = new Map());
  let ips = rows.get(row);
  if (ips === undefined) rows.set(row, ips = new Map());
  const count = (ips.get(ip) ?? 0) + sign;
  if (count > 0) ips.set(ip, count);
  else ips.delete(ip);
  if (ips.size === 0) rows.delete(row);
  if (rows.size === 0) ports.delete(port);
}
