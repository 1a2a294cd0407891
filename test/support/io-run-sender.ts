/**
 * Sends a datagram now and then, and notes when.
 * usage: node io-run-sender.ts ADDRESS COUNT MILLISECONDS. Sends the list of times (µs of the monotonic clock).
 */
import { createSocket } from 'node:dgram';

const [address = '', count = '', gap = ''] = process.argv.slice(2);
const socket = createSocket('udp4');
const times: number[] = [];
const next = (): void => {
  if (times.length >= Number(count)) {
    process.send!(times);
    process.disconnect();
    socket.close();
    return;
  }
  times.push(Number(process.hrtime.bigint()) / 1000);
  socket.send('wake up');
  setTimeout(next, Number(gap));
};
socket.on('error', () => undefined);
socket.connect(9, address, next);
