// The layer rule of ARCHITECTURE.md, checked. A layer may import itself and what stands below it.
const layers = [
  ['spec'],
  ['gen', 'lib'],
  ['stream'],
  ['packet'],
  ['flow'],
  ['openflow', 'ovsdb', 'protocol', 'netdev'],
  ['datapath'],
  ['translate'],
  ['upcall'],
  ['ofproto'],
  ['telemetry'],
  ['vswitchd'],
  ['sim'],
  ['web'],
  ['main'],
];

const forbidden = [
  {
    name: 'no-circular',
    severity: 'error',
    comment:
      'Two files that import each other are one file, or need a third. One exception: the recirc action leads back into ' +
      'the pipeline, as the packet does.',
    from: {},
    to: { circular: true, viaOnly: { pathNot: '^assembly/pipeline[.]ts$' } },
  },
];
layers.forEach((rooms, floor) => {
  const above = layers.slice(floor + 1).flat();
  for (const room of rooms) {
    const siblings = rooms.filter((other) => other !== room && !(floor === 1));
    const banned = [...above, ...siblings];
    if (banned.length > 0)
      forbidden.push({
        name: `layer-${room}`,
        severity: 'error',
        comment: `src/${room} may import only what stands below it.`,
        from: { path: `^src/${room}/` },
        to: { path: `^src/(${banned.join('|')})/` },
      });
  }
});
forbidden.push(
  {
    name: 'cli-by-protocol-only',
    severity: 'error',
    comment: 'The clients talk to daemons by protocol only.',
    from: { path: '^src/cli/' },
    to: { path: '^src/', pathNot: '^src/(cli|openflow|ovsdb|flow|packet|stream|lib|gen|spec)/' },
  },
  {
    name: 'nobody-imports-cli-but-main',
    severity: 'error',
    from: { pathNot: '^(src/(cli|main)|test|bench)/' },
    to: { path: '^src/cli/' },
  },
  {
    name: 'assembly-imports-gen-only',
    severity: 'error',
    from: { path: '^assembly/' },
    to: { pathNot: '^(assembly|src/gen)/' },
  },
  {
    name: 'backends-import-netdev-lib-gen',
    severity: 'error',
    from: { path: '^backends/' },
    to: { path: '^(src|test|bench)/', pathNot: '^src/(netdev|packet|lib|gen|spec)/' },
  },
  {
    name: 'who-may-import-backends',
    severity: 'error',
    comment: 'Only where a switch is put together: vswitchd, sim, main, tests, benches.',
    from: { pathNot: '^(backends|src/(vswitchd|sim|main)|test|bench)/' },
    to: { path: '^backends/' },
  },
  {
    name: 'nobody-imports-assembly',
    severity: 'error',
    comment: 'Everything but assembly itself sees the built module only.',
    from: { pathNot: '^(assembly|test|bench)/' },
    to: { path: '^assembly/' },
  },
  {
    name: 'nothing-imports-test-or-bench',
    severity: 'error',
    from: { pathNot: '^(test|bench)/' },
    to: { path: '^(test|bench)/' },
  },
);

module.exports = {
  forbidden,
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.mjs', '.js'] },
  },
};
