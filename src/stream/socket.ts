/**
 * Byte streams: sockets of all kinds behind one face, connecting and listening, plain and TLS. target.ts has their names.
 *
 * Invariants. Whoever has a certificate of the CA is right, whatever name is in it, as with Open vSwitch. A listener's old socket
 * file is removed first: what a dead process left behind must not be in the way.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer, type PeerCertificate, type TLSSocket } from 'node:tls';
import type { Target } from './target.ts';

/** The files of TLS: names of files in PEM form. */
export interface SslConfig {
  readonly privateKey: string;
  readonly certificate: string;
  readonly caCert: string;
  /** When the file of the CA's certificate is missing, the peer's one is taken and written there. */
  readonly bootstrapCaCert: boolean;
}

/** What the system calls an error: its number's words where Node knows them. */
const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Connection refused',
  ECONNRESET: 'Connection reset by peer',
  ENOENT: 'No such file or directory',
  ETIMEDOUT: 'Connection timed out',
  EHOSTUNREACH: 'No route to host',
  ENETUNREACH: 'Network is unreachable',
  EACCES: 'Permission denied',
  EADDRINUSE: 'Address already in use',
  EADDRNOTAVAIL: 'Cannot assign requested address',
  EPIPE: 'Broken pipe',
  EAI_AGAIN: 'Temporary failure in name resolution',
};

export function errorText(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  if (code !== undefined && words[code] !== undefined) return words[code];
  // What TLS refuses the reference calls a broken protocol
  if (code !== undefined && /^(ERR_SSL|ERR_TLS|CERT_|DEPTH_|SELF_SIGNED|UNABLE_TO)/.test(code)) return 'Protocol error';
  return message ?? String(error);
}

/** @throws when a file cannot be read */
function readFiles({ privateKey, certificate, caCert }: SslConfig, withCa: boolean) {
  return {
    key: readFileSync(privateKey),
    cert: readFileSync(certificate),
    ...(withCa ? { ca: readFileSync(caCert) } : {}),
  };
}

const pem = (der: Uint8Array): string =>
  `-----BEGIN CERTIFICATE-----\n${Buffer.from(der)
    .toString('base64')
    .replace(/(.{64})(?=.)/g, '$1\n')}\n-----END CERTIFICATE-----\n`;

/** The certificate at the top of the peer's chain, when it signed itself; else null: then it is no CA's. */
function topCertificate(socket: TLSSocket): Uint8Array | null {
  let certificate: PeerCertificate & { issuerCertificate?: PeerCertificate } = socket.getPeerCertificate(true);
  for (let depth = 0; depth < 16; depth++) {
    const { issuerCertificate } = certificate;
    if (!issuerCertificate) return null;
    if (issuerCertificate.fingerprint256 === certificate.fingerprint256) return certificate.raw;
    certificate = issuerCertificate;
  }
  return null;
}

export interface OpenHandlers {
  /** The connection can be used. */
  readonly opened: (socket: Socket) => void;
  /** It could not be made, or it ended. Called once. */
  readonly closed: (error: string) => void;
  readonly log: (text: string) => void;
}

function bootstrap(socket: TLSSocket, ssl: SslConfig, log: (text: string) => void): string {
  const top = topCertificate(socket);
  if (!top) return 'Protocol error';
  writeFileSync(ssl.caCert, pem(top), { mode: 0o444, flag: 'wx' });
  log(`successfully bootstrapped CA cert to ${ssl.caCert}`);
  return 'Protocol error';
}

/** Begins to connect. @returns the socket; it may be destroyed at any time, closed() is called then too */
export function openSocket(target: Target, ssl: SslConfig | null, handlers: OpenHandlers): Socket | null {
  let error: string | null = null;
  const { opened, closed, log } = handlers;
  let socket: Socket;
  try {
    if (!target.isTls) {
      socket = connect(target.address).once('connect', () => opened(socket));
    } else {
      if (!ssl) throw new Error('Private key, certificate and CA certificate must be configured to use SSL');
      const isBootstrap = ssl.bootstrapCaCert && !existsSync(ssl.caCert);
      // As the reference: whoever has a certificate of the CA is right, whatever name is in it
      const options = { ...readFiles(ssl, !isBootstrap), rejectUnauthorized: !isBootstrap };
      const tls = connectTls({ ...target.address, ...options, checkServerIdentity: () => undefined });
      socket = tls;
      tls.once('secureConnect', () => {
        if (!isBootstrap) {
          opened(tls);
          return;
        }
        error = bootstrap(tls, ssl, log);
        tls.destroy();
      });
    }
  } catch (thrown) {
    closed(errorText(thrown));
    return null;
  }
  socket.setNoDelay(true);
  socket.on('error', (thrown) => {
    error ??= errorText(thrown);
  });
  socket.once('close', () => closed(error ?? 'End of file'));
  return socket;
}

/** Begins to listen. @param accepted a connection that can be used @returns null when the target cannot be used */
export function openListener(
  target: Target,
  ssl: SslConfig | null,
  accepted: (socket: Socket) => void,
  failed: (error: string) => void,
): Server | null {
  try {
    const take = (socket: Socket): void => {
      socket.setNoDelay(true);
      accepted(socket);
    };
    if (target.isTls && !ssl)
      throw new Error('Private key, certificate and CA certificate must be configured to use SSL');
    const server = target.isTls
      ? createTlsServer({ ...readFiles(ssl!, true), requestCert: true, rejectUnauthorized: true }, take)
      : createServer(take);
    server.on('error', (thrown) => failed(errorText(thrown)));
    // TLS reports attempts that failed here; the next may be better
    server.on('tlsClientError', () => undefined);
    if ('path' in target.address) listenUnix(server, target.address.path);
    else server.listen(target.address);
    return server;
  } catch (thrown) {
    failed(errorText(thrown));
    return null;
  }
}

function listenUnix(server: Server, path: string): void {
  // What a dead process left behind must not be in the way
  rmSync(path, { force: true });
  const umask = process.umask(0o027);
  try {
    server.listen({ path });
  } finally {
    process.umask(umask);
  }
}
