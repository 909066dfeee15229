/** Why deno.json's commands pin one Deno: later ones abort when an HTTP/2 peer sends GOAWAY. */
import assert from "node:assert/strict";

const PROGRAM = `
import * as http2 from "node:http2";
const server = http2.createServer();
server.on("stream", (stream) => {
  stream.respond({ ":status": 200 });
  stream.end("bye");
  stream.session.goaway(0);
});
server.listen(0, "127.0.0.1", () => {
  const client = http2.connect("http://127.0.0.1:" + server.address().port);
  client.on("error", () => {});
  client.on("goaway", () => console.log("survived"));
  const request = client.request({ ":path": "/" });
  request.on("error", () => {});
  request.resume();
  setTimeout(() => Deno.exit(0), 500);
});
`;

Deno.test("a GOAWAY does not abort the process (denoland/deno#36788)", async () => {
  const output = await new Deno.Command(Deno.execPath(), {
    args: ["eval", PROGRAM],
    env: { NO_COLOR: "1" },
  }).output();
  assert.equal(output.code, 0, new TextDecoder().decode(output.stderr));
  assert.match(new TextDecoder().decode(output.stdout), /survived/);
});
