import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TandemError } from '../engine/errors.ts';

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|::1|localhost)$/;

/** A name or address that leads to this machine and to no other. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}

/** Reads `host:port`, `[::1]:port` or a port alone. @throws TD008 */
export function parseListen(text: string): ListenAddress {
  const match = /^(?:(?:\[([0-9a-f:]+)\]|([^:[\]\s]+)):)?(\d{1,5})$/i.exec(text.trim());
  const port = Number(match?.[3]);
  if (match === null || port > 65_535)
    throw new TandemError('TD008', `\`${text}\` is no address to listen at.`, { hint: 'For example 127.0.0.1:9787.' });
  return { host: match[1] ?? match[2] ?? '127.0.0.1', port };
}

/** Listens, and returns the address as a URL. @throws TD008 where it cannot be listened at */
export function listenAt(server: Server, { host, port }: ListenAddress): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new TandemError('TD008', `${host}:${port} cannot be listened at.`, {
          hint:
            error.code === 'EADDRINUSE'
              ? 'Something listens there already: give --listen another port.'
              : 'Give --listen another address.',
          detail: error.message,
          cause: error,
        }),
      ),
    );
    server.listen(port, host, () => {
      const address = server.address();
      if (address !== null && typeof address === 'object') resolve(urlOf(address));
    });
  });
}

function urlOf({ address, port }: AddressInfo): string {
  return `http://${address.includes(':') ? `[${address}]` : address}:${port}`;
}
