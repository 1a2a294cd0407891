/**
 * Traffic for tests, run inside a namespace. Sends one message when it is ready (servers) and one at the end.
 * usage: node io-traffic.ts tcp-sink ADDRESS PORT | tcp-source ADDRESS PORT BYTES
 *                         | udp-echo ADDRESS PORT | udp-ping ADDRESS PORT COUNT SIZE | udp-flood ADDRESS PORT
 */
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';

export interface Transfer {
  readonly bytes: number;
  readonly digest: string;
  readonly seconds: number;
}

const [mode, address, port, ...rest] = process.argv.slice(2) as [string, string, string, ...string[]];
const send = (value: unknown): void => void process.send!(value);
const BLOCK = 65536;

/** A block whose bytes depend on its place in the stream. */
function block(index: number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let state = (index * 2654435761 + 1) >>> 0;
  for (let i = 0; i + 4 <= size; i += 4) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes.writeUInt32LE(state, i);
  }
  return bytes;
}

function tcpSink(): void {
  const server = createServer((socket) => {
    const hash = createHash('sha256');
    const start = performance.now();
    let bytes = 0;
    socket.on('data', (data) => {
      hash.update(data);
      bytes += data.length;
    });
    socket.on('end', () => {
      send({ bytes, digest: hash.digest('hex'), seconds: (performance.now() - start) / 1000 } satisfies Transfer);
      socket.end();
      server.close();
      process.disconnect();
    });
  });
  server.listen(Number(port), address, () => send('ready'));
}

function tcpSource(size: number): void {
  const hash = createHash('sha256');
  const start = performance.now();
  const socket = connect(Number(port), address);
  let left = size;
  let index = 0;
  const write = (): void => {
    while (left > 0) {
      const data = block(index++, Math.min(BLOCK, left));
      hash.update(data);
      left -= data.length;
      if (!socket.write(data)) {
        socket.once('drain', write);
        return;
      }
    }
    socket.end();
  };
  socket.on('connect', write);
  socket.on('error', (error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  });
  socket.on('close', () => {
    send({ bytes: size, digest: hash.digest('hex'), seconds: (performance.now() - start) / 1000 } satisfies Transfer);
    process.disconnect();
  });
  socket.resume();
}

const family = address.includes(':') ? 'udp6' : 'udp4';

function udpEcho(): void {
  const socket = createSocket(family);
  socket.on('message', (data, from) => socket.send(data, from.port, from.address));
  socket.bind(Number(port), address, () => send('ready'));
}

/** One datagram at a time, so that none is lost for want of room; the answer must be the same bytes. */
async function udpPing(count: number, size: number): Promise<void> {
  const socket = createSocket(family);
  let same = 0;
  for (let i = 0; i < count; i++) {
    const data = block(i, size);
    const answer = await new Promise<Buffer | null>((resolve) => {
      const timer = setTimeout(() => resolve(null), 1000);
      socket.once('message', (bytes) => {
        clearTimeout(timer);
        resolve(bytes);
      });
      socket.send(data, Number(port), address);
    });
    socket.removeAllListeners('message');
    if (answer?.equals(data)) same++;
  }
  socket.close();
  send(same);
  process.disconnect();
}

/** Without end; what cannot be sent (the interface is down for a moment) is left out. */
function udpFlood(): void {
  const socket = createSocket(family);
  const data = block(0, 200);
  const burst = (): void => {
    for (let i = 0; i < 20; i++) socket.send(data, Number(port), address, () => undefined);
    setTimeout(burst, 1);
  };
  socket.on('error', () => undefined);
  burst();
}

if (mode === 'tcp-sink') tcpSink();
else if (mode === 'tcp-source') tcpSource(Number(rest[0]));
else if (mode === 'udp-echo') udpEcho();
else if (mode === 'udp-flood') udpFlood();
else await udpPing(Number(rest[0]), Number(rest[1]));
