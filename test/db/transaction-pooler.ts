import { createServer, Socket } from 'node:net';
import pg from 'pg';

/** `AuthenticationOk` and `ReadyForQuery`, idle: whoever comes is let in. */
const WELCOME = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0, 0x5a, 0, 0, 0, 5, 0x49]);

export interface Pooler {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * A connection pooler in transaction mode, before a real server: a client has a backend from its first message until the
 * server is ready for a query outside of a transaction, and then the next client has it.
 */
export async function startTransactionPooler(serverUrl: string, backends: number): Promise<Pooler> {
  const idle: Socket[] = [];
  const waiting: ((backend: Socket) => void)[] = [];
  const all: Socket[] = [];
  for (let i = 0; i < backends; i++) {
    const socket = new Socket();
    const client = new pg.Client({ connectionString: serverUrl, stream: () => socket });
    await client.connect();
    // Signed in by the driver; from here on the bytes belong to whoever has the backend.
    socket.removeAllListeners('data').removeAllListeners('end').removeAllListeners('close');
    socket.on('error', () => undefined);
    all.push(socket);
    idle.push(socket);
  }
  const clients = new Set<Socket>();
  const server = createServer((client) => {
    clients.add(client);
    client.on('error', () => undefined);
    client.once('data', () => {
      client.write(WELCOME);
      serve(client);
    });
  });
  const serve = (client: Socket) => {
    let mine: Promise<Socket> | null = null;
    const attach = (backend: Socket): Socket => {
      let rest = Buffer.alloc(0);
      backend.on('data', (bytes) => {
        client.write(bytes);
        rest = Buffer.concat([rest, bytes]);
        for (; rest.length >= 5 && rest.length > rest.readInt32BE(1); rest = rest.subarray(1 + rest.readInt32BE(1))) {
          if (rest[0] !== 0x5a || rest[5] !== 0x49) continue;
          backend.removeAllListeners('data');
          mine = null;
          const next = waiting.shift();
          if (next) next(backend);
          // The one that was used last is used next.
          else idle.push(backend);
        }
      });
      return backend;
    };
    const backend = () => {
      const free = idle.pop();
      return free ? Promise.resolve(free) : new Promise<Socket>((resolve) => waiting.push(resolve));
    };
    client.on('data', (bytes) => {
      // `Terminate` ends the client's session, and no backend's.
      if (bytes[0] === 0x58) return;
      mine ??= backend().then(attach);
      void mine.then((socket) => socket.write(bytes));
    });
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const url = new URL(serverUrl);
  url.hostname = '127.0.0.1';
  url.port = String(typeof address === 'object' && address ? address.port : 0);
  return {
    url: url.href,
    close: async () => {
      for (const socket of [...clients, ...all]) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
