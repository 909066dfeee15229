/**
 * Rows about streams: events delivered to many watchers, leases kept alive.
 * In: servers just started. Out: events and renewals a second, as the clients counted them.
 * Never: counts a message for an event; each event of each answer is looked at.
 */
import { ProtoReader, ProtoWriter } from "../store/mvcc/proto.ts";
import { RawClient } from "./store_raw.ts";
import { call, connect, keyOf, PATHS, putMessage } from "./store_requests.ts";
import type { Row, Scale } from "./store_rows.ts";
import type { Servers } from "./store_servers.ts";

const WATCH_CONNECTIONS = 10;
/** Puts of the one writer under way. */
const WRITER_DEPTH = 16;
const LEASE_CONNECTIONS = 8;
const RENEWALS_UNDER_WAY = 32;
const LEASE_TTL_SECONDS = 600;

export const STREAM_ROWS: readonly Row[] = [
  {
    id: "watch",
    figures: [{
      name: "Watch fan-out, 1 writer, 1,000 watchers",
      unit: "events/s",
      aim: "5, at least 3",
    }],
    members: 1,
    measure: async (servers, scale) => [await fanOut(servers, scale)],
  },
  {
    id: "lease",
    figures: [{
      name: "Lease keep-alives, 10,000 leases, 8 streams × 32",
      unit: "renewals/s",
      aim: "5, at least 3",
    }],
    members: 1,
    measure: async (servers, scale) => [await keepAlives(servers, scale)],
  },
];

/** @returns a message that watches one key */
export function watchMessage(key: Uint8Array): Uint8Array {
  const writer = new ProtoWriter(64);
  const create = writer.beginMessage(1);
  writer.bytesField(1, key);
  writer.endMessage(create);
  return writer.finish();
}

async function fanOut({ port }: Servers, { seconds, watchers }: Scale): Promise<number> {
  let created = 0;
  let events = 0;
  const reader = new ProtoReader();
  const clients = await Promise.all(
    Array.from(
      { length: WATCH_CONNECTIONS },
      () =>
        RawClient.connect(port, PATHS.watch, (bytes, start, end) => {
          reader.open(bytes, start, end);
          while (reader.next()) {
            if (reader.field === 11) events++;
            else if (reader.field === 3) created++;
            reader.skip();
          }
        }),
    ),
  );
  const request = watchMessage(keyOf(0));
  for (let i = 0; i < watchers; i++) {
    const client = clients[i % clients.length];
    client.send(client.open(), request);
  }
  for (const client of clients) client.flush();
  while (created < watchers) await pause(10);
  const writer = await connect(port);
  let writing = true;
  const message = putMessage(0);
  const writers = Array.from({ length: WRITER_DEPTH }, async () => {
    while (writing) await call(writer, PATHS.put, message);
  });
  await pause(1000);
  const before = events;
  const started = performance.now();
  await pause(seconds * 1000);
  const perSecond = (events - before) / (performance.now() - started) * 1000;
  writing = false;
  for (const client of clients) client.close();
  await Promise.all(writers);
  writer.close();
  return perSecond;
}

async function keepAlives({ port }: Servers, { leases, seconds }: Scale): Promise<number> {
  await grantLeases(port, leases);
  const renewals = Array.from({ length: leases }, (_, i) => {
    const writer = new ProtoWriter(16);
    writer.int64Field(1, i + 1);
    return writer.finish();
  });
  let next = 0;
  let renewed = 0;
  const clients: RawClient[] = [];
  for (let i = 0; i < LEASE_CONNECTIONS; i++) {
    const client: RawClient = await RawClient.connect(
      port,
      PATHS.leaseKeepAlive,
      (_bytes, _start, _end, id) => {
        renewed++;
        client.send(id, renewals[next++ % leases]);
      },
    );
    clients.push(client);
  }
  for (const client of clients) {
    const id = client.open();
    for (let i = 0; i < RENEWALS_UNDER_WAY; i++) client.send(id, renewals[next++ % leases]);
    client.flush();
  }
  await pause(1000);
  const before = renewed;
  const started = performance.now();
  await pause(seconds * 1000);
  const perSecond = (renewed - before) / (performance.now() - started) * 1000;
  for (const client of clients) client.close();
  return perSecond;
}

/** Grants leases `1..count`. */
async function grantLeases(port: number, count: number): Promise<void> {
  const channel = await connect(port);
  let next = 1;
  const worker = async () => {
    while (next <= count) {
      const writer = new ProtoWriter(32);
      writer.int64Field(1, LEASE_TTL_SECONDS);
      writer.int64Field(2, next++);
      await call(channel, PATHS.leaseGrant, writer.finish());
    }
  };
  await Promise.all(Array.from({ length: 128 }, worker));
  channel.close();
}

function pause(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}
