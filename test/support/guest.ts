/**
 * Virtual machines for tests: Debian's cloud kernel, an initramfs of busybox and a script, qemu with the network card on a TAP
 * device. In emulation: it is there everywhere, and KVM inside of a virtual machine is not always whole. A guest prints lines that begin with WEFT on its console; the host reads them.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '..', '..', '.toolchain', 'guest');
const BUSYBOX = '/bin/busybox';
/** In the order in which they need each other. */
const MODULES = [
  'virtio_ring',
  'virtio',
  'virtio_pci_legacy_dev',
  'virtio_pci_modern_dev',
  'virtio_pci',
  'failover',
  'net_failover',
  'virtio_net',
];

/** Why there can be no guests here; false when there can. */
export function whyNoGuests(): string | false {
  if (process.arch !== 'x64') return 'needs a guest kernel, which is there for x64 only';
  for (const program of ['/usr/bin/qemu-system-x86_64', '/usr/bin/cpio', BUSYBOX])
    if (!existsSync(program)) return `needs ${program}`;
  return existsSync(join(folder, 'vmlinuz')) ? false : 'needs the guest kernel that bin/test.mjs brings';
}

/** An initramfs whose init runs a script of busybox's shell, with eth0 there, and then switches the machine off. */
export function makeInitramfs(at: string, script: string): string {
  const root = join(at, 'root');
  for (const name of ['bin', 'proc', 'sys', 'dev', 'modules']) mkdirSync(join(root, name), { recursive: true });
  copyFileSync(BUSYBOX, join(root, 'bin', 'busybox'));
  for (const name of MODULES) {
    const file = readdirSync(folder).find((entry) => entry.replaceAll('-', '_') === `${name}.ko`);
    if (file) copyFileSync(join(folder, file), join(root, 'modules', `${name}.ko`));
  }
  const init = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in ${MODULES.join(' ')}; do [ -e /modules/$module.ko ] && insmod /modules/$module.ko; done
ip link set lo up
ip link set eth0 up
${script}
poweroff -f
`;
  writeFileSync(join(root, 'init'), init, { mode: 0o755 });
  const archive = join(at, 'initramfs.cpio');
  execFileSync('sh', ['-c', `cd "$0" && find . | cpio -o -H newc --quiet > "$1"`, root, archive]);
  return archive;
}

export interface GuestOptions {
  /** Network namespace. */
  readonly netns: string;
  /** The TAP device: made by qemu when it is not there. */
  readonly tap: string;
  readonly mac: string;
  readonly initramfs: string;
}

export class Guest {
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  #rest = '';

  constructor({ netns, tap, mac, initramfs }: GuestOptions) {
    const command = [
      'qemu-system-x86_64',
      ...['-accel', 'tcg', '-m', '192', '-smp', '1', '-nodefaults', '-nographic', '-no-reboot'],
      ...['-kernel', join(folder, 'vmlinuz'), '-initrd', initramfs],
      ...['-append', 'console=ttyS0 quiet panic=-1 random.trust_cpu=on', '-serial', 'stdio'],
      ...['-netdev', `tap,id=n0,ifname=${tap},script=no,downscript=no,vhost=off`],
      ...['-device', `virtio-net-pci,netdev=n0,mac=${mac},romfile=`],
    ];
    const child = spawn('ip', ['netns', 'exec', netns, ...command], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    for (const stream of [child.stdout!, child.stderr!])
      stream.setEncoding('utf8').on('data', (text) => this.#hear(text));
  }

  #hear(text: string): void {
    const parts = (this.#rest + text).split(/\r?\n/);
    this.#rest = parts.pop()!;
    this.lines.push(...parts);
  }

  /** The first console line that a pattern fits. @throws when the machine ends, or the time, before there is one */
  async line(pattern: RegExp, milliseconds: number): Promise<RegExpExecArray> {
    const end = performance.now() + milliseconds;
    for (;;) {
      for (const line of this.lines) {
        const found = pattern.exec(line);
        if (found) return found;
      }
      const hasEnded = this.#child.exitCode !== null || this.#child.signalCode !== null;
      if (hasEnded || performance.now() > end)
        throw new Error(
          `no line like ${pattern} from the guest; it said:\n${[...this.lines.slice(0, 20), '…', ...this.lines.slice(-20)].join('\n')}`,
        );
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  close(): void {
    this.#child.kill('SIGKILL');
  }
}
