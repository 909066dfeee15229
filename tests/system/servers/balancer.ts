/**
 * A TCP balancer: connections in turn to whichever backend takes them.
 * In: ports of 127.0.0.1. Out: a port of its own. A connection ends on both sides when it does on
 * one. Never: looks at what it carries, or moves a connection to another backend.
 */

export class Balancer {
  readonly port: number;
  readonly #listener: Deno.TcpListener;
  readonly #backends: readonly number[];
  readonly #connections = new Set<Deno.TcpConn>();
  #next = 0;
  /** Connections made to each backend. */
  readonly accepted: number[];

  constructor(backends: readonly number[]) {
    this.#backends = backends;
    this.accepted = backends.map(() => 0);
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = this.#listener.addr.port;
    void this.#accept();
  }

  close(): void {
    this.#listener.close();
    for (const connection of this.#connections) end(connection);
  }

  async #accept(): Promise<void> {
    for await (const client of this.#listener) void this.#serve(client);
  }

  async #serve(client: Deno.TcpConn): Promise<void> {
    const backend = await this.#dial();
    if (backend === null) return end(client);
    for (const one of [client, backend]) {
      one.setNoDelay(true);
      this.#connections.add(one);
    }
    const copy = (from: Deno.TcpConn, to: Deno.TcpConn) =>
      from.readable.pipeTo(to.writable).catch(() => {});
    await Promise.race([copy(client, backend), copy(backend, client)]);
    for (const one of [client, backend]) {
      end(one);
      this.#connections.delete(one);
    }
  }

  /** @returns null when no backend takes connections */
  async #dial(): Promise<Deno.TcpConn | null> {
    for (let tries = 0; tries < this.#backends.length; tries++) {
      const index = this.#next++ % this.#backends.length;
      try {
        const connection = await Deno.connect({
          hostname: "127.0.0.1",
          port: this.#backends[index],
        });
        this.accepted[index]++;
        return connection;
      } catch {
        // The next one may.
      }
    }
    return null;
  }
}

function end(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // The stream has closed it.
  }
}
