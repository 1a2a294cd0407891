/** What upcall handling needs of the datapath and of the switch around it. */
import type { Datapath } from '../datapath/datapath.ts';
import { MILLISECOND, type Micros, SECOND } from '../lib/clock.ts';
import type { Effects, SwitchPicture } from '../translate/types.ts';
import type { UkeyTable } from './ukey.ts';

/** The part of the datapath that handler and revalidator use: tests put a fake in its place. */
export type UpcallDatapath = Pick<
  Datapath,
  'takeUpcalls' | 'putFlow' | 'deleteFlow' | 'flowStats' | 'flowGeneration' | 'flowCount' | 'execute' | 'release'
>;

/** Packets that did something, and when. */
export interface Credit {
  readonly now: Micros;
  readonly packets: number;
  readonly bytes: number;
  /** TCP flags of all of them: reduceTimeouts is for packets with FIN or RST. */
  readonly tcpFlags: number;
}

export interface PictureSource {
  /** The picture at this moment; the same object until something changes. */
  picture(): SwitchPicture;
  /** Effects that change the switch, for so many packets. packetIn of them takes what a `controller` action sent up. */
  effects(credit: Credit): Effects;
}

/** What handler and revalidator share. */
export interface UpcallParts {
  readonly datapath: UpcallDatapath;
  readonly source: PictureSource;
  readonly ukeys: UkeyTable;
  readonly options: UpcallOptions;
  readonly counters: UpcallCounters;
}

export interface UpcallOptions {
  /** Megaflows at the most; beyond it frames are forwarded one by one. */
  readonly flowLimit: number;
  /** Misses taken in one go. */
  readonly batchMax: number;
  /** A megaflow without traffic for so long goes. */
  readonly maxIdle: Micros;
  /** How often counters are read though nothing changed. */
  readonly interval: Micros;
  /** Work of the revalidator in one poll, in megaflows looked at; other things count as several (revalidator.ts). */
  readonly revalidationBudget: number;
}

export const upcallDefaults: UpcallOptions = {
  flowLimit: 200_000,
  batchMax: 256,
  maxIdle: 10 * SECOND,
  interval: 500 * MILLISECOND,
  revalidationBudget: 4096,
};

export interface UpcallCounters {
  /** Misses answered. */
  handled: number;
  /** Translations made for them: several frames of one key in a batch share one. */
  translated: number;
  installed: number;
  /** An earlier frame of the batch had installed the same megaflow. */
  installedBefore: number;
  /** Not installed: the flow limit was reached, or the answer was for this frame only, or the datapath had no room. */
  notInstalledLimit: number;
  notInstalledOnce: number;
  notInstalledRefused: number;
  /** Frames that actions sent up: for controllers, to be translated one by one, as samples. */
  packetIns: number;
  slowPath: number;
  samples: number;
  /** Frames for controllers whose metadata nobody remembers any more, or whose user data say nothing: lost. */
  lostPacketIns: number;
  /** Frames that the datapath could not send on. */
  failed: number;
  /** Passes over all megaflows. */
  revalidations: number;
  retranslated: number;
  /** Megaflows whose actions changed. */
  modified: number;
  deletedIdle: number;
  /** Megaflows whose match no longer held. */
  deletedStale: number;
}

export const newUpcallCounters = (): UpcallCounters => ({
  handled: 0,
  translated: 0,
  installed: 0,
  installedBefore: 0,
  notInstalledLimit: 0,
  notInstalledOnce: 0,
  notInstalledRefused: 0,
  packetIns: 0,
  slowPath: 0,
  samples: 0,
  lostPacketIns: 0,
  failed: 0,
  revalidations: 0,
  retranslated: 0,
  modified: 0,
  deletedIdle: 0,
  deletedStale: 0,
});
