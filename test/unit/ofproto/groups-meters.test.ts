import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { must } from '../../../src/lib/result.ts';
import { GROUP_ALL, type GroupMod, GroupTable, type NewBucket } from '../../../src/ofproto/groups.ts';
import { METER_ALL, type MeterBand, MeterTable } from '../../../src/ofproto/meters.ts';
import type { Words } from './support.ts';

const groupsOf = (actions: Words): number[] =>
  actions.filter((word) => word.startsWith('group:')).map((word) => Number(word.slice(6)));

let groups: GroupTable<Words>;
beforeEach(() => {
  groups = new GroupTable<Words>({ facts: { groupsOf } });
});

const bucket = (actions: string, more: Partial<NewBucket<Words>> = {}): NewBucket<Words> => ({
  id: null,
  weight: 0,
  watchPort: null,
  watchGroup: null,
  actions: actions.split(','),
  ...more,
});

const change = (command: GroupMod<Words>['command'], id: number, more: Partial<GroupMod<Words>> = {}) =>
  groups.execute({ command, id, type: 'all', buckets: [], ...more }, 5);

function errorOf(...args: Parameters<typeof change>): string | null {
  const before = JSON.stringify(groups.groups);
  const done = change(...args);
  if (!done.ok) assert.equal(JSON.stringify(groups.groups), before, 'a refused change leaves nothing');
  return done.ok ? null : done.error;
}

const bucketIds = (id: number): number[] => groups.get(id)!.buckets.map((each) => each.id);

test('add, modify, delete', () => {
  assert.equal(errorOf('modify', 1), 'OFPGMFC_UNKNOWN_GROUP');
  must(change('add', 1, { buckets: [bucket('output:1'), bucket('output:2')] }));
  assert.deepEqual(bucketIds(1), [0, 1]);
  assert.equal(errorOf('add', 1), 'OFPGMFC_GROUP_EXISTS');
  must(groups.execute({ command: 'modify', id: 1, type: 'indirect', buckets: [bucket('output:3')] }, 9));
  const group = groups.get(1)!;
  assert.deepEqual([group.type, group.created, group.modified], ['indirect', 5, 9]);
  assert.deepEqual(must(change('add_or_modify', 2))[0]!.kind, 'added');
  assert.deepEqual(must(change('add_or_modify', 2))[0]!.kind, 'modified');
  assert.deepEqual(must(change('delete', 77)), []);
  assert.equal(must(change('delete', GROUP_ALL)).length, 2);
  assert.equal(groups.get(1), null);
});

test('what a group may not be', () => {
  assert.equal(errorOf('add', 0xffffff01), 'OFPGMFC_INVALID_GROUP');
  assert.equal(errorOf('add', 1, { type: 'indirect' }), 'OFPGMFC_INVALID_GROUP');
  assert.equal(errorOf('add', 1, { buckets: [bucket('', { weight: 3 })] }), 'OFPGMFC_INVALID_GROUP');
  assert.equal(errorOf('add', 1, { type: 'fast_failover', buckets: [bucket('')] }), 'OFPGMFC_INVALID_GROUP');
  assert.equal(errorOf('add', 1, { buckets: [bucket('', { watchPort: 1 })] }), 'OFPGMFC_WATCH_UNSUPPORTED');
  const twice = [bucket('', { id: 1 }), bucket('', { id: 1 })];
  assert.equal(errorOf('add', 1, { buckets: twice }), 'OFPGMFC_BUCKET_EXISTS');
  assert.equal(errorOf('add', 1, { type: 'select', buckets: [bucket('', { weight: 3, watchPort: 1 })] }), null);
  assert.equal(errorOf('add', 2, { type: 'fast_failover', buckets: [bucket('', { watchGroup: 77 })] }), null);
  groups = new GroupTable<Words>({ facts: { groupsOf }, limit: 1 });
  assert.equal(errorOf('add', 1), null);
  assert.equal(errorOf('add', 2), 'OFPGMFC_OUT_OF_GROUPS');
  assert.equal(errorOf('add', 2, { type: 'select' }), null, 'the limit is by type');
});

test('buckets are inserted and removed', () => {
  const at = (place: GroupMod<Words>['place'], id: number) => ({ place: place!, buckets: [bucket('', { id })] });
  assert.equal(errorOf('insert_bucket', 8, at('last', 1)), 'OFPGMFC_UNKNOWN_GROUP');
  must(change('add', 8, { type: 'select', buckets: [bucket('', { id: 1 }), bucket('', { id: 2 })] }));
  must(change('insert_bucket', 8, at(1, 5)));
  must(change('insert_bucket', 8, at('first', 7)));
  must(change('insert_bucket', 8, at('last', 8)));
  assert.deepEqual(bucketIds(8), [7, 1, 5, 2, 8]);
  assert.equal(groups.get(8)!.type, 'select', 'the type of the message does not count');
  assert.equal(errorOf('insert_bucket', 8, at(99, 9)), 'OFPGMFC_UNKNOWN_BUCKET');
  assert.equal(errorOf('insert_bucket', 8, at('first', 5)), 'OFPGMFC_BUCKET_EXISTS');
  assert.equal(errorOf('remove_bucket', 8, { place: 99 }), 'OFPGMFC_UNKNOWN_BUCKET');
  assert.equal(errorOf('remove_bucket', 8, at(5, 1)), 'OFPGMFC_BAD_BUCKET');
  must(change('remove_bucket', 8, { place: 5 }));
  must(change('remove_bucket', 8, { place: 'first' }));
  must(change('remove_bucket', 8, { place: 'last' }));
  assert.deepEqual(bucketIds(8), [1, 2]);
  must(change('remove_bucket', 8, { place: 'all' }));
  assert.deepEqual(bucketIds(8), []);
});

test('loops: accepted as the reference does, or refused', () => {
  const chain = (id: number, to: number) => errorOf('add', id, { buckets: [bucket(`group:${to}`)] });
  assert.deepEqual([chain(1, 1), chain(2, 3), chain(3, 2)], [null, null, null]);
  groups = new GroupTable<Words>({ facts: { groupsOf }, refuseLoops: true });
  assert.deepEqual([chain(1, 1), chain(2, 3), chain(3, 4), chain(4, 2)], ['OFPGMFC_LOOP', null, null, 'OFPGMFC_LOOP']);
});

test('packets of groups and buckets are counted', () => {
  must(change('add', 1, { buckets: [bucket('', { id: 4 }), bucket('', { id: 6 })] }));
  assert.ok(groups.credit(1, 6, 2, 200));
  assert.ok(groups.credit(1, 4, 2, 200, false));
  assert.equal(groups.credit(2, 6, 2, 200), false);
  const { packets, bucketStats } = groups.get(1)!;
  assert.deepEqual([packets, bucketStats.map((stats) => stats.packets)], [2, [2, 2]]);
});

const band = (rate: number, type: MeterBand['type'] = 'drop'): MeterBand => ({ type, rate, burst: 0, precLevel: 0 });

test('meters', () => {
  const meters = new MeterTable({ metersMax: 2, bandsMax: 2 });
  const execute = (command: 'add' | 'modify' | 'delete', id: number, ...bands: MeterBand[]): string => {
    const config = { id, unit: 'kbps', hasBurst: false, countsStats: true, bands } as const;
    const done = meters.execute({ command, config }, 1);
    return done.ok ? done.value.map(({ kind }) => kind).join() : done.error;
  };
  assert.equal(execute('add', 1, band(5)), 'added');
  assert.equal(execute('add', 1, band(5)), 'OFPMMFC_METER_EXISTS');
  assert.equal(execute('modify', 2, band(5)), 'OFPMMFC_UNKNOWN_METER');
  assert.equal(execute('add', 0, band(5)), 'OFPMMFC_INVALID_METER');
  assert.equal(execute('add', 0xffff0001, band(5)), 'OFPMMFC_INVALID_METER');
  assert.equal(execute('add', 2, band(1), band(2), band(3)), 'OFPMMFC_OUT_OF_BANDS');
  assert.equal(execute('add', 2, band(1, 'dscp_remark')), 'OFPMMFC_BAD_BAND');
  assert.equal(execute('add', 2, band(0)), 'OFPMMFC_BAD_RATE');
  assert.equal(execute('add', 0xfffffffe, band(5)), 'added');
  assert.equal(execute('add', 3, band(5)), 'OFPMMFC_OUT_OF_METERS');
  assert.equal(execute('modify', 1, band(6), band(7)), 'modified');
  assert.equal(meters.stats(meters.get(1)!).bands.length, 2);
  assert.deepEqual(
    meters.meters.map(({ config }) => config.id),
    [1, 0xfffffffe],
  );
  assert.equal(execute('delete', 9), '');
  assert.equal(execute('delete', METER_ALL), 'removed,removed');
  assert.equal(meters.get(1), null);
});
