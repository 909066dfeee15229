/**
 * Sessions over SPDY as kubectl holds them: pairs of a port-forward, streams of an exec, refusals.
 */
import assert from "node:assert/strict";
import { linkPair } from "./link_pair.ts";
import { SpdySession } from "./session.ts";
import type { ByteDuplex } from "./streams.ts";
import { openSpdyExec } from "./serve_exec.ts";
import { servePortForward } from "./serve_port_forward.ts";
import { decode, encode, readAll, write } from "./testing.ts";

const noTimer = () => () => {};

const upperCase = (): ByteDuplex =>
  new TransformStream<Uint8Array, Uint8Array>({
    transform: (bytes, controller) => controller.enqueue(encode(decode(bytes).toUpperCase())),
  });

function forwarding(connect: (port: number) => Promise<ByteDuplex>): SpdySession {
  const [left, right] = linkPair();
  servePortForward({ link: left, connect, pod: { name: "p", uid: "u" }, after: noTimer });
  return new SpdySession({ link: right, side: "client", onStream: () => false });
}

function openPair(client: SpdySession, port: string, requestid: string) {
  const open = (streamtype: string) =>
    client.open(new Map(Object.entries({ streamtype, port, requestid })));
  return { error: open("error"), data: open("data") };
}

Deno.test("each pair of streams is a connection to a port", async () => {
  const ports: number[] = [];
  const client = forwarding((port) => {
    ports.push(port);
    return Promise.resolve(upperCase());
  });
  const pairs = [openPair(client, "80", "0"), openPair(client, "8080", "1")];
  const answers = pairs.map(({ data }) => readAll(data.readable));
  await Promise.all(pairs.map(({ data }, i) => write(data, `hello ${i}`)));
  assert.deepEqual(await Promise.all(answers), ["HELLO 0", "HELLO 1"]);
  assert.equal(await readAll(pairs[0].error.readable), "");
  assert.deepEqual(ports, [80, 8080]);
  client.close();
});

Deno.test("a port that refuses is told on the error stream, and the next one works", async () => {
  const client = forwarding((port) =>
    port === 1 ? Promise.reject(new Error("connection refused")) : Promise.resolve(upperCase())
  );
  const bad = openPair(client, "1", "0");
  assert.equal(
    await readAll(bad.error.readable),
    "error forwarding port 1 to pod p, uid u: connection refused",
  );
  const good = openPair(client, "2", "1");
  const answer = readAll(good.data.readable);
  await write(good.data, "x");
  assert.equal(await answer, "X");
  const wrong = openPair(client, "0", "2");
  await assert.rejects(readAll(wrong.data.readable));
  client.close();
});

Deno.test("an exec over SPDY begins when its streams are there and ends with a Status", async () => {
  const [left, right] = linkPair();
  const wanted = { stdin: true, stdout: true, stderr: true, tty: false };
  const opened = openSpdyExec({ link: left, wanted, after: noTimer });
  const client = new SpdySession({ link: right, side: "client", onStream: () => false });
  const streams = Object.fromEntries(
    ["error", "stdin", "stdout", "stderr"].map((name) => [
      name,
      client.open(new Map([["streamtype", name]])),
    ]),
  );
  const session = await opened;
  void session.streams.stdin!.pipeTo(session.streams.stdout!);
  const out = readAll(streams.stdout.readable);
  await write(streams.stdin, "typed");
  assert.equal(await out, "typed");
  session.finish({ kind: "exited", exitCode: 3 });
  const status = JSON.parse(await readAll(streams.error.readable));
  assert.deepEqual(status.details.causes, [{ reason: "ExitCode", message: "3" }]);
});

Deno.test("an exec whose client goes before its streams came fails", async () => {
  const [left, right] = linkPair();
  const wanted = { stdin: true, stdout: true, stderr: false, tty: false };
  const opened = openSpdyExec({ link: left, wanted, after: noTimer });
  right.close();
  await assert.rejects(opened, /went away/);
});
