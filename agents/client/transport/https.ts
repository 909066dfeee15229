/**
 * The transport of a server's address: HTTP/2 where TLS agrees on it, HTTP/1.1 elsewhere.
 * In: the address, trust, credentials. Out: a Transport.
 * Never: asks twice: a server that did not agree on HTTP/2 is spoken to in HTTP/1.1 from then on.
 */
import { NotHttp2Error } from "../../../store/wire/http2_client.ts";
import type { WatchStream } from "../../api/call.ts";
import type { KubeObject } from "../../api/meta.ts";
import { unreachable } from "./answer.ts";
import { Http1Transport } from "./http1.ts";
import { Http2Transport } from "./http2.ts";
import type { Transport, TransportOptions, TransportRequest } from "./transport.ts";

/**
 * Picks the transport of an address.
 * Errors: throws TypeError when `server` is no http or https URL.
 */
export function openTransport(options: TransportOptions): Transport {
  const { protocol } = new URL(options.server);
  if (protocol === "http:") return new Http1Transport(options);
  if (protocol === "https:") return new HttpsTransport(options);
  throw new TypeError(`server must be an http or https URL, not "${options.server}"`);
}

class HttpsTransport implements Transport {
  readonly #options: TransportOptions;
  readonly #http2: Http2Transport;
  /** Decided when a first connection came about; null until then. */
  #chosen: Transport | null = null;
  #isClosed = false;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#http2 = new Http2Transport(options);
  }

  send<T>(request: TransportRequest): Promise<T> {
    return this.#chosen !== null
      ? this.#chosen.send(request)
      : this.#choose().then((transport) => transport.send(request));
  }

  watch<T extends KubeObject>(path: string): Promise<WatchStream<T>> {
    return this.#chosen !== null
      ? this.#chosen.watch(path)
      : this.#choose().then((transport) => transport.watch(path));
  }

  close(): void {
    this.#isClosed = true;
    this.#http2.close();
    this.#chosen?.close();
  }

  /** Errors: rejects with ApiError. */
  async #choose(): Promise<Transport> {
    try {
      await this.#http2.connect();
    } catch (error) {
      if (!(error instanceof NotHttp2Error)) throw unreachable(error);
      if (this.#isClosed) throw unreachable("the client was closed");
      return this.#chosen ??= new Http1Transport(this.#options);
    }
    return this.#chosen ??= this.#http2;
  }
}
