/** Clients nobody here wrote against the store's HTTP/2: curl, nghttp, h2load, grpc-js. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import * as grpc from "@grpc/grpc-js";
import { decodeRangeResponse } from "../../../store/wire/etcd/decode.ts";
import { encodePut, encodeRange } from "../../../store/mvcc/request_codec.ts";
import { ProtoWriter } from "../../../store/mvcc/proto.ts";
import { frameMessage } from "../../../store/wire/grpc/framing.ts";
import { run } from "../cluster.ts";
import { requireTool, systemTest } from "../tools.ts";
import { type MemberProcess, startAlone, withFolder } from "./member_process.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function encoded(write: (writer: ProtoWriter) => void): Uint8Array {
  const writer = new ProtoWriter();
  write(writer);
  return writer.finish();
}

const PUT = encoded((writer) =>
  encodePut(writer, { kind: "put", key: bytes("interop"), value: bytes("x".repeat(256)) })
);
const RANGE = encoded((writer) => encodeRange(writer, { kind: "range", key: bytes("interop") }));

function withMember(use: (member: MemberProcess, folder: string) => Promise<void>) {
  return withFolder(async (folder) => {
    const member = await startAlone("balsa", folder);
    try {
      await use(member, folder);
    } finally {
      await member.stop();
    }
  });
}

systemTest("curl: HTTP/1.1 and HTTP/2 on one port", ["curl"], () =>
  withMember(async (member) => {
    const url = `http://127.0.0.1:${member.options.clientPort}`;
    for (const version of ["--http1.1", "--http2-prior-knowledge"]) {
      for (const path of ["/health", "/version", "/metrics"]) {
        const args = ["-sf", version, "-w", " %{http_code} %{http_version}", `${url}${path}`];
        const { stdout } = await run(requireTool("curl"), args);
        assert.match(stdout, version === "--http1.1" ? / 200 1\.1$/ : / 200 2$/);
      }
    }
    const refused = await run(requireTool("curl"), [
      "-s",
      "--http2-prior-knowledge",
      ...["-w", "%{http_code}"],
      `${url}/nothing`,
    ]);
    assert.match(refused.stdout, /404$/);
  }));

systemTest(
  "h2load: thousands of gRPC Puts, none fails",
  ["h2load"],
  () =>
    withMember(async (member, folder) => {
      const body = `${folder}-body`;
      await Deno.writeFile(body, frameMessage(PUT));
      const { stdout } = await run(requireTool("h2load"), [
        ...["-n", "5000", "-c", "8", "-m", "32", "-d", body],
        ...["-H", "content-type: application/grpc", "-H", "te: trailers"],
        `http://127.0.0.1:${member.options.clientPort}/etcdserverpb.KV/Put`,
      ]);
      await Deno.remove(body);
      assert.match(stdout, /5000 succeeded, 0 failed, 0 errored, 0 timeout/);
    }),
);

systemTest(
  "grpc-js: calls, an error's code and words, a deadline",
  [],
  () =>
    withMember(async (member) => {
      const address = `127.0.0.1:${member.options.clientPort}`;
      const client = new grpc.Client(address, grpc.credentials.createInsecure());
      const call = (method: string, request: Uint8Array, deadlineMillis = 5_000) =>
        new Promise<Uint8Array>((resolve, reject) =>
          client.makeUnaryRequest(
            method,
            (message: Uint8Array) => Buffer.from(message),
            (message: Uint8Array) => message,
            request,
            new grpc.Metadata(),
            { deadline: Date.now() + deadlineMillis },
            (error, answer) => error ? reject(error) : resolve(answer!),
          )
        );
      try {
        await call("/etcdserverpb.KV/Put", PUT);
        const answer = decodeRangeResponse(await call("/etcdserverpb.KV/Range", RANGE));
        assert(answer !== null);
        assert.equal(answer.count, 1);
        assert.equal(answer.kvs[0].value.length, 256);
        await assert.rejects(call("/etcdserverpb.KV/Nothing", PUT), { code: 12 });
        await assert.rejects(call("/etcdserverpb.KV/Put", new Uint8Array(0)), {
          code: 3,
          details: "etcdserver: key is not provided",
        });
        await assert.rejects(call("/etcdserverpb.KV/Put", PUT, -1), { code: 4 });
      } finally {
        client.close();
      }
    }),
);
