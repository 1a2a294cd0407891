// Connections over TLS: who shows a certificate of the CA is believed, who shows none is not; the CA's certificate taken from
// the peer at the first time.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect, createServer, type TLSSocket } from 'node:tls';
import type { SslConfig } from '../../../src/stream/socket.ts';
import { issue, makeCa } from '../../support/certificates.ts';
import { Bed, until } from './bed.ts';

let dir: string;
const file = (name: string): string => join(dir, name);
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'weft-tls-'));
  for (const ca of ['ca', 'other']) makeCa(dir, ca);
  issue(dir, 'switch', 'ca');
  issue(dir, 'controller', 'ca');
  issue(dir, 'stranger', 'other');
});
after(() => rmSync(dir, { recursive: true, force: true }));

const ssl = (caCert = file('ca.pem'), bootstrapCaCert = false): SslConfig => ({
  privateKey: file('switch.key'),
  certificate: file('switch.pem'),
  caCert,
  bootstrapCaCert,
});

const files = (name: string) => ({ key: readFileSync(file(`${name}.key`)), cert: readFileSync(file(`${name}.pem`)) });

/** A controller that listens with this certificate and says hello. @param chain whether it sends its CA's certificate too */
async function listen(name: string, chain = false) {
  const { key, cert } = files(name);
  const whole = chain ? Buffer.concat([cert, readFileSync(file('ca.pem'))]) : cert;
  const sockets: TLSSocket[] = [];
  const options = { key, cert: whole, ca: readFileSync(file('ca.pem')), requestCert: true, rejectUnauthorized: true };
  const server = createServer(options, (socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.write(Buffer.from('0400000800000001', 'hex'));
  });
  server.on('tlsClientError', () => undefined);
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  const { port } = server.address() as { port: number };
  const stop = (): void => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { target: `ssl:127.0.0.1:${port}`, stop };
}

test('ssl: a controller of the same CA is believed, a stranger and a switch without keys are not', async (t) => {
  const good = await listen('controller');
  const bad = await listen('stranger');
  t.after(() => {
    good.stop();
    bad.stop();
  });
  const bed = new Bed();
  t.after(() => bed.close());
  const controllers = [good, bad].map(({ target }) => ({ target, type: null }));
  const status = (target: string) => bed.connections.status(bed.clock.now()).get(target);
  bed.configure({ controllers });
  assert.match(status(good.target)!.status.last_error!, /must be configured to use SSL/);
  bed.configure({ controllers, ssl: ssl() });
  assert.ok(await until(() => status(good.target)!.isConnected));
  assert.ok(await until(() => status(bad.target)!.status.state === 'BACKOFF'));
  assert.equal(status(bad.target)!.status.last_error, 'Protocol error');
});

test('ssl: the certificate of the CA is taken from the peer when there is none yet', async (t) => {
  const peer = await listen('controller', true);
  const bed = new Bed();
  t.after(() => {
    peer.stop();
    bed.close();
  });
  const caCert = file('taken.pem');
  bed.configure({ controllers: [{ target: peer.target, type: null }], ssl: ssl(caCert, true) });
  assert.ok(await until(() => existsSync(caCert)));
  assert.equal(readFileSync(caCert, 'utf8').trim(), readFileSync(file('ca.pem'), 'utf8').trim());
  const status = () => bed.connections.status(bed.clock.now()).get(peer.target)!;
  assert.ok(await until(() => status().status.state === 'BACKOFF'));
  bed.warp(1000);
  assert.ok(await until(() => status().isConnected));
});

test('pssl: a client of the CA gets hello, one without a certificate nothing', async (t) => {
  const bed = new Bed();
  t.after(() => bed.close());
  const port = 20_000 + (process.pid % 20_000);
  bed.configure({ controllers: [{ target: `pssl:${port}:127.0.0.1`, type: null }], ssl: ssl() });
  const say = async (options: object): Promise<string> => {
    const got: Buffer[] = [];
    let isOver = false;
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => got.push(bytes));
    socket.on('close', () => {
      isOver = true;
    });
    await until(() => got.length > 0 || isOver);
    socket.destroy();
    return Buffer.concat(got).toString('hex');
  };
  assert.match(await say(files('controller')), /^0600/);
  assert.equal(await say({}), '');
  assert.equal(await say(files('stranger')), '');
});
