/**
 * What the store's bench measures, a row each, as data: requests repeated by h2load.
 * In: the length of a run. Out: rows; each measures one freshly started side and gives one number.
 * Never: knows which side it measures.
 */
import {
  fill,
  listMessage,
  PATHS,
  putMessage,
  rangeMessage,
  runLoad,
  updateMessage,
} from "./store_requests.ts";
import { readLogCounts } from "./store_metrics.ts";
import type { Servers } from "./store_servers.ts";

/** One number of a row. */
export interface Figure {
  readonly name: string | ((scale: Scale) => string);
  readonly unit: string;
  /** What the ratio of ours to the peer's is meant to be, for the reader of a run. */
  readonly aim: string;
}

export interface Row {
  /** For `--only`. */
  readonly id: string;
  readonly figures: readonly Figure[];
  readonly members: number;
  /** Flags of the servers beside the usual. */
  readonly flags?: readonly string[];
  /** Rows that fill a large store are not repeated more often than this. */
  readonly maxSamples?: number;
  /** One number for each figure, of servers that were just started. */
  readonly measure: (servers: Servers, scale: Scale) => Promise<readonly number[]>;
}

/** How long and how much. */
export interface Scale {
  /** Too little to be a result; such a run's names say so. */
  readonly isQuick: boolean;
  readonly seconds: number;
  /** Keys of the rows about a large store. */
  readonly keys: number;
  readonly watchers: number;
  readonly leases: number;
  /** Puts a second of the row about latency: half of what the peer can do. */
  readonly rate: number;
}

const LIST_KEYS = 10_000;

/** @returns 1,000,000 for a million */
export function grouped(count: number): string {
  return count.toLocaleString("en-US");
}

function loadRow(
  row: Pick<Row, "id"> & Pick<Figure, "aim"> & {
    readonly name: string;
    readonly path: string;
    readonly message: Uint8Array;
    readonly members?: number;
    readonly connections?: number;
    readonly streams?: number;
    /** Keys that exist before. */
    readonly keys?: number;
    readonly unit?: string;
    /** Whether its requests are records of the log. */
    readonly isLogged?: boolean;
  },
): Row {
  const { id, name, aim, path, message } = row;
  const figures = [{ name, aim, unit: row.unit ?? "requests/s" }];
  if (row.isLogged) figures.push({ name: `Records a sync: ${name}`, aim: "reported", unit: "" });
  return {
    id,
    figures,
    members: row.members ?? 1,
    async measure(servers, { seconds }) {
      await fill(servers.port, row.keys ?? 1);
      const before = await readLogCounts(servers.port);
      const { perSecond } = await runLoad({
        port: servers.port,
        path,
        message,
        connections: row.connections ?? 8,
        streams: row.streams ?? 32,
        seconds,
      });
      if (!row.isLogged) return [perSecond];
      const after = await readLogCounts(servers.port);
      return [perSecond, (after.commands - before.commands) / (after.syncs - before.syncs)];
    },
  };
}

export const LOAD_ROWS: readonly Row[] = [
  loadRow({
    id: "put",
    isLogged: true,
    name: "Put, 1 member, 8 connections × 32 streams",
    aim: "6, at least 4",
    path: PATHS.put,
    message: putMessage(0),
  }),
  loadRow({
    id: "put1",
    isLogged: true,
    name: "Put, 1 member, 1 connection × 1 stream",
    aim: "1.8, at least 1.3",
    path: PATHS.put,
    message: putMessage(0),
    connections: 1,
    streams: 1,
  }),
  loadRow({
    id: "put3",
    isLogged: true,
    name: "Put, 3 members on one machine, 8 connections × 32 streams",
    aim: "5, at least 3",
    path: PATHS.put,
    message: putMessage(0),
    members: 3,
  }),
  loadRow({
    id: "range",
    name: "Range of one key, linearizable, 8 × 32",
    aim: "4, at least 2.5",
    path: PATHS.range,
    message: rangeMessage(0, { serializable: false }),
  }),
  loadRow({
    id: "stale",
    name: "Range of one key, serializable, 8 × 32",
    aim: "4, at least 2.5",
    path: PATHS.range,
    message: rangeMessage(0, { serializable: true }),
  }),
  loadRow({
    id: "list",
    name: "Range of 10,000 keys of 256 bytes, 2 × 1",
    aim: "3, at least 2",
    path: PATHS.range,
    message: listMessage(0, LIST_KEYS),
    connections: 2,
    streams: 1,
    keys: LIST_KEYS,
    unit: "lists/s",
  }),
  loadRow({
    id: "txn",
    name: "Txn compare and put, as Kubernetes updates, 8 × 32",
    aim: "5, at least 3",
    path: PATHS.txn,
    message: updateMessage(0),
  }),
];
