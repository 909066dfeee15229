/**
 * The client of a component that lives in the API server's own process: a direct call.
 * In: an ApiPort and the user to act as. Out: a Client; objects are the server's own, frozen.
 * Never: encodes, copies or opens a socket; authorization still happens behind the port.
 */
import type {
  ApiAnswer,
  ApiPort,
  Binding,
  CallTarget,
  DeleteOptions,
  PodReport,
  WatchStream,
  WriteOptions,
} from "../api/call.ts";
import type { KubeList, KubeObject, UserInfo } from "../api/meta.ts";
import type { Resource } from "../api/resource.ts";
import type { Client } from "./client.ts";

export interface InProcessOptions {
  readonly port: ApiPort;
  /** Whom the API server sees. */
  readonly user: UserInfo;
}

type Selection = NonNullable<Parameters<Client["watch"]>[1]>;
type CreateOptions = NonNullable<Parameters<Client["create"]>[2]>;
type UpdateOptions = NonNullable<Parameters<Client["update"]>[2]>;

interface Place {
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: string;
}

/** Makes the Client of one user over the API server's inner face. */
export function createInProcessClient(options: InProcessOptions): Client {
  return new InProcessClient(options);
}

class InProcessClient implements Client {
  readonly #port: ApiPort;
  readonly #user: UserInfo;

  constructor(options: InProcessOptions) {
    this.#port = options.port;
    this.#user = options.user;
  }

  async get<T extends KubeObject>(resource: Resource, target: Place): Promise<T> {
    return objectOf<T>(await this.#port.call({ ...this.#at(resource, target), verb: "get" }));
  }

  async list<T extends KubeObject>(
    resource: Resource,
    options: Selection = {},
  ): Promise<KubeList<T>> {
    const { namespace, ...rest } = options;
    const answer = await this.#port.call({
      ...this.#at(resource, { namespace }),
      verb: "list",
      options: rest,
    });
    if (answer.kind !== "list") throw wrongAnswer("list", answer);
    return { metadata: answer.metadata, items: answer.items as readonly T[] };
  }

  async watch<T extends KubeObject>(
    resource: Resource,
    options: Selection = {},
  ): Promise<WatchStream<T>> {
    const { namespace, ...rest } = options;
    return await this.#port.watch(this.#at(resource, { namespace }), rest) as WatchStream<T>;
  }

  async create<T extends KubeObject>(
    resource: Resource,
    object: T,
    options: CreateOptions = {},
  ): Promise<T> {
    const { subresource, name } = options;
    const place = {
      namespace: object.metadata?.namespace,
      // The name of a new object travels inside it; a subresource hangs on a named one.
      name: subresource ? name ?? object.metadata?.name : undefined,
      subresource,
    };
    const target = this.#at(resource, place);
    const call = { ...target, verb: "create", object, options: forWrite(options) } as const;
    return objectOf<T>(await this.#port.call(call));
  }

  async update<T extends KubeObject>(
    resource: Resource,
    object: T,
    options: UpdateOptions = {},
  ): Promise<T> {
    const { namespace, name } = object.metadata ?? {};
    const target = this.#at(resource, { namespace, name, subresource: options.subresource });
    const call = { ...target, verb: "update", object, options: forWrite(options) } as const;
    return objectOf<T>(await this.#port.call(call));
  }

  async patch<T extends KubeObject>(
    resource: Resource,
    target: Place,
    patch: Parameters<Client["patch"]>[2],
    options: Parameters<Client["patch"]>[3] = {},
  ): Promise<T> {
    const { force, ...rest } = options;
    return objectOf<T>(
      await this.#port.call({
        ...this.#at(resource, target),
        verb: "patch",
        patchType: patch.type,
        patch: patch.body,
        ...(force === undefined ? {} : { force }),
        options: rest,
      }),
    );
  }

  async delete(
    resource: Resource,
    target: Place,
    options: DeleteOptions = {},
  ): Promise<KubeObject> {
    const answer = await this.#port.call({
      ...this.#at(resource, target),
      verb: "delete",
      options,
    });
    return objectOf<KubeObject>(answer);
  }

  async deleteCollection(
    resource: Resource,
    options: Parameters<Client["deleteCollection"]>[1],
  ): Promise<void> {
    const { list = {}, namespace, ...rest } = options;
    await this.#port.call({
      ...this.#at(resource, { namespace }),
      verb: "deletecollection",
      options: rest,
      list,
    });
  }

  bindMany(bindings: readonly Binding[]): Promise<readonly (null | Error)[]> {
    return this.#port.bindMany(this.#user, bindings);
  }

  reportMany(reports: readonly PodReport[]): Promise<readonly (null | Error)[]> {
    return this.#port.reportMany(this.#user, reports);
  }

  #at(resource: Resource, place: Place): CallTarget {
    return {
      resource,
      subresource: place.subresource ?? "",
      namespace: resource.namespaced ? place.namespace ?? "" : "",
      name: place.name ?? "",
      user: this.#user,
    };
  }
}

const NO_OPTIONS: WriteOptions = Object.freeze({});

/** @returns the options without what only names the object. */
function forWrite(options: CreateOptions): WriteOptions {
  for (const field in options) {
    if (field === "subresource" || field === "name") continue;
    const { subresource: _subresource, name: _name, ...rest } = options;
    return rest;
  }
  return NO_OPTIONS;
}

function objectOf<T extends KubeObject>(answer: ApiAnswer): T {
  if (answer.kind === "list") throw wrongAnswer("object", answer);
  return answer.object as T;
}

function wrongAnswer(wanted: string, answer: ApiAnswer): Error {
  return new Error(`the API port answered "${answer.kind}" where a ${wanted} was due`);
}
